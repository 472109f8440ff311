package notify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// postOffice is an SMTP server that keeps what it is given.
type postOffice struct {
	mu     sync.Mutex
	mails  [][]byte
	to     []string
	user   string
	secure bool  // the last mail came over TLS
	refuse error // of the mail itself
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	return &session{p, secure}, nil
}

type session struct {
	p      *postOffice
	secure bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "sesame-open" {
			return smtp.ErrAuthFailed
		}
		s.p.mu.Lock()
		s.p.user = user
		s.p.mu.Unlock()
		return nil
	}), nil
}
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.to = append(s.p.to, to)
	return nil
}
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.refuse != nil {
		return s.p.refuse
	}
	s.p.mails, s.p.secure = append(s.p.mails, b), s.secure
	return nil
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// open listens, with TLS from the first byte, after STARTTLS, or not at all.
func (p *postOffice) open(t *testing.T, mode string) (address string, ca []byte) {
	t.Helper()
	cert, ca := certificate(t)
	server := smtp.NewServer(p)
	server.Domain, server.AllowInsecureAuth = "localhost", true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	switch mode {
	case "tls":
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
	case "starttls":
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String(), ca
}

func certificate(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestAMailArrivesOnceForAllItsPeople(t *testing.T) {
	for _, mode := range []string{"starttls", "tls", "none"} {
		t.Run(mode, func(t *testing.T) {
			p := &postOffice{}
			address, ca := p.open(t, mode)
			c := Channel{Name: "mail", Email: &Email{
				Server: address, TLS: mode, CABundle: ca, From: "Mooring <mooring@example.com>", To: []string{"anna@example.com", "ops@example.org"},
				Username: "mooring", Password: "sesame-open",
			}}
			m := message("k")
			m.Title = "Drift in infra/müller\r\nBcc: all@example.com"
			m.Lines = append(m.Lines, ".", "From here")
			for range 2 { // the second as after a kill
				if err := Try(t.Context(), c, "", m); err != nil {
					t.Fatal(err)
				}
			}
			if len(p.mails) != 2 || p.secure != (mode != "none") || p.user != "mooring" || strings.Join(p.to[:2], " ") != "anna@example.com ops@example.org" {
				t.Fatalf("%d mails to %v by %q, secure: %v", len(p.mails), p.to, p.user, p.secure)
			}
			ids := map[string]bool{}
			for _, raw := range p.mails {
				got, err := mail.ReadMessage(bytes.NewReader(raw))
				if err != nil {
					t.Fatal(err)
				}
				ids[got.Header.Get("Message-ID")] = true
				subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
				if err != nil || subject != "Drift in infra/müller  Bcc: all@example.com" || got.Header.Get("Bcc") != "" {
					t.Errorf("subject %q, Bcc %q, %v", subject, got.Header.Get("Bcc"), err)
				}
				body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
				if err != nil || !strings.Contains(string(body), "aws_instance.web: tags.Owner\r\na second line\r\n.\r\nFrom here\r\n") {
					t.Errorf("body %q, %v", body, err)
				}
				if got.Header.Get("To") == "" || !strings.Contains(got.Header.Get("From"), "mooring@example.com") || got.Header.Get("Date") == "" {
					t.Errorf("header %v", got.Header)
				}
			}
			if len(ids) != 1 || ids[""] {
				t.Errorf("ids %v, want one", ids)
			}
		})
	}
}

func TestAMailServerWithoutTLSGetsNothing(t *testing.T) {
	p := &postOffice{}
	address, ca := p.open(t, "none")
	c := Email{Server: address, CABundle: ca, From: "m@example.com", To: []string{"a@example.com"}, Username: "m", Password: "sesame-open"}
	err := Try(t.Context(), Channel{Name: "mail", Email: &c}, "", message("k"))
	if err == nil || len(p.mails) != 0 || p.user != "" || !away(err) {
		t.Errorf("%v; %d mails, login %q", err, len(p.mails), p.user)
	}
	address, _ = p.open(t, "starttls")
	c.Server, c.CABundle = address, nil
	if err := Try(t.Context(), Channel{Name: "mail", Email: &c}, "", message("k")); err == nil || p.user != "" {
		t.Errorf("a certificate of nobody's: %v, login %q", err, p.user)
	}
}

func TestAMailThatIsRefusedIsNotTheServersFault(t *testing.T) {
	tests := []struct {
		code int
		away bool
	}{{554, false}, {451, true}}
	for _, tt := range tests {
		p := &postOffice{refuse: &smtp.SMTPError{Code: tt.code, Message: "no"}}
		address, _ := p.open(t, "none")
		err := Try(t.Context(), Channel{Name: "mail", Email: &Email{Server: address, TLS: "none", From: "m@example.com", To: []string{"a@example.com"}}}, "", message("k"))
		if err == nil || away(err) != tt.away {
			t.Errorf("%d: %v, away: %v", tt.code, err, away(err))
		}
	}
	p := &postOffice{}
	address, _ := p.open(t, "none")
	err := Try(t.Context(), Channel{Name: "mail", Email: &Email{Server: address, TLS: "none", From: "m@example.com", To: []string{"a@example.com"}, Username: "m", Password: "a wrong one"}}, "", message("k"))
	if err == nil || !away(err) || strings.Contains(err.Error(), "a wrong one") {
		t.Errorf("a wrong password: %v", err)
	}
	var hidden *hiddenError
	if !errors.As(err, &hidden) {
		t.Errorf("an error with its secrets: %v", err)
	}
}
