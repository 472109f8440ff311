package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
)

// mailer sends one mail to all of its people in one transaction: none of them gets it
// again because another's server has refused it.
type mailer struct {
	conf Email
	host string
	port int
	opts []mail.Option
}

func newMailer(c Email) (*mailer, error) {
	host, port, err := net.SplitHostPort(c.Server)
	number, convert := strconv.Atoi(port)
	if err != nil || convert != nil || host == "" || number < 1 || number > 65535 {
		return nil, errors.New("the server is host:port, for example \"mail.example.com:587\"")
	}
	if len(c.To) == 0 {
		return nil, errors.New("nobody to write to")
	}
	trust, err := trusting(c.CABundle)
	if err != nil {
		return nil, err
	}
	trust.ServerName = host
	m := &mailer{conf: c, host: host, port: number}
	m.opts = []mail.Option{mail.WithPort(number), mail.WithTimeout(sendTimeout), mail.WithTLSConfig(trust), mail.WithoutNoop()}
	switch c.TLS {
	case "", "starttls":
		m.opts = append(m.opts, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		m.opts = append(m.opts, mail.WithSSL())
	case "none":
		m.opts = append(m.opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, fmt.Errorf("tls is %q: starttls, tls or none", c.TLS)
	}
	if c.Username != "" {
		auth := mail.SMTPAuthAutoDiscover
		if c.TLS == "none" { // discovery refuses plain ones; the operator has asked for a line without TLS
			auth = mail.SMTPAuthPlainNoEnc
		}
		m.opts = append(m.opts, mail.WithSMTPAuth(auth), mail.WithUsername(c.Username), mail.WithPassword(c.Password))
	}
	_, err = m.message(letter{id: "msg_0", title: "t", body: "b"}) // finds addresses that are none
	return m, err
}

func (m *mailer) message(l letter) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(m.conf.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if err := msg.To(m.conf.To...); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	from := msg.GetAddrHeader(mail.HeaderFrom)[0].Address
	// Equal on every try, so that a mail server or a reader can drop the second.
	msg.SetMessageIDWithValue(l.id + "@" + from[strings.LastIndexByte(from, '@')+1:])
	msg.SetDateWithValue(l.at)
	msg.Subject(l.title)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no answer of absence comes back
	msg.SetBodyString(mail.TypeTextPlain, l.body+"\n")
	return msg, nil
}

func (m *mailer) send(ctx context.Context, l letter) error {
	msg, err := m.message(l)
	if err != nil {
		return &refusedError{fmt.Errorf("write the mail: %w", err)}
	}
	client, err := mail.NewClient(m.host, m.opts...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	err = client.Send(msg)
	// The server has answered to the mail itself before: how the parting goes is nothing
	// to us, and to send again for it would double the mail.
	_ = client.Close()
	return mailError(err)
}

// mailError tells a mail that the server will never take from a server that is not well.
func mailError(err error) error {
	if err == nil {
		return nil
	}
	var failed *mail.SendError
	if errors.As(err, &failed) && failed.Reason == mail.ErrSMTPReset {
		return nil // after the mail was taken
	}
	err = fmt.Errorf("mail: %w", err)
	var reply *textproto.Error
	if failed != nil && !failed.IsTemp() || errors.As(err, &reply) && reply.Code >= 500 {
		return &refusedError{err}
	}
	return err
}
