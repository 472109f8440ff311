package terraform

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// Terraform's http backend does not say who holds a lock: in the place of the holder it prints its own request, and of the holder only the
// id. The server knows, and says it to everybody who asks for the lock in vain. So that is done, as Terraform's client would.

// holderWait bounds the question, which a server may never answer.
const holderWait = 10 * time.Second

// nameHTTPHolder puts the holder's facts in the place of the request's. What cannot be found out stays empty, so that nobody takes a lock
// for one of our own.
func (s *Session) nameHTTPHolder(ctx context.Context, lock *StateLockError) {
	_, id, _ := strings.Cut(strings.Join(strings.Fields(lock.Tail), " "), "already locked: ID=")
	id, _, _ = strings.Cut(id, " ")
	lock.ID, lock.Who, lock.Operation, lock.Created, lock.Path = id, "", "", "", ""
	holder, err := s.askHTTPHolder(ctx)
	if err != nil {
		s.note("who holds the state lock could not be found out: %v", err)
		return
	}
	if holder == nil || id != "" && holder.ID != id {
		return // it was freed meanwhile, or went to somebody else
	}
	lock.ID, lock.Who, lock.Operation, lock.Created, lock.Path = holder.ID, holder.Who, holder.Operation, holder.Created, holder.Path
}

// lockInfo is a lock as Terraform describes it to a backend.
type lockInfo struct {
	ID, Operation, Info, Who, Version, Created, Path string
}

// httpBackend is the configuration of the backend as init recorded it, with what its variables add.
type httpBackend struct {
	Address      string `json:"address"`
	LockAddress  string `json:"lock_address"`
	LockMethod   string `json:"lock_method"`
	Unlock       string `json:"unlock_address"`
	UnlockMethod string `json:"unlock_method"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	SkipVerify   bool   `json:"skip_cert_verification"`
	CA           string `json:"client_ca_certificate_pem"`
	Certificate  string `json:"client_certificate_pem"`
	Key          string `json:"client_private_key_pem"`
}

func (s *Session) httpBackend() (b httpBackend, err error) {
	var record struct {
		Backend struct {
			Config httpBackend `json:"config"`
		} `json:"backend"`
	}
	data, err := readRegular(filepath.Join(s.initDir(), "terraform.tfstate"))
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil {
		return b, fmt.Errorf("read the backend's configuration: %w", err)
	}
	b = record.Backend.Config
	env := s.env(s.spec.PlanEnv)
	for name, field := range map[string]*string{
		"ADDRESS": &b.Address, "LOCK_ADDRESS": &b.LockAddress, "LOCK_METHOD": &b.LockMethod, "UNLOCK_ADDRESS": &b.Unlock, "UNLOCK_METHOD": &b.UnlockMethod,
		"USERNAME": &b.Username, "PASSWORD": &b.Password, "CLIENT_CA_CERTIFICATE_PEM": &b.CA, "CLIENT_CERTIFICATE_PEM": &b.Certificate, "CLIENT_PRIVATE_KEY_PEM": &b.Key,
	} {
		*field = cmp.Or(*field, env["TF_HTTP_"+name])
	}
	if b.LockAddress == "" {
		return b, errors.New("the backend has no lock_address")
	}
	return b, nil
}

func (b httpBackend) client() (*http.Client, error) {
	config := &tls.Config{InsecureSkipVerify: b.SkipVerify} //nolint:gosec // the repository's own word, as for Terraform
	if b.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(b.CA)) {
			return nil, errors.New("client_ca_certificate_pem holds no certificate")
		}
	}
	if b.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(b.Certificate), []byte(b.Key))
		if err != nil {
			return nil, errors.New("the client certificate and its key do not fit")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment},
		// A lock is asked for at the place that the backend names, with its password: nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// askHTTPHolder asks for the lock. It is nil when nobody holds it: then it was granted, and is given back at once.
func (s *Session) askHTTPHolder(ctx context.Context) (*lockInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, holderWait)
	defer cancel()
	b, err := s.httpBackend()
	if err != nil {
		return nil, err
	}
	client, err := b.client()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(lockInfo{
		ID: rand.Text(), Operation: "mooring asks who holds the lock", Who: "mooring@" + s.host, Version: s.spec.Tool.Version, Created: time.Now().UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return nil, err
	}
	status, answer, err := b.send(ctx, client, cmp.Or(b.LockMethod, "LOCK"), b.LockAddress, body)
	if err != nil {
		return nil, err
	}
	switch status {
	case http.StatusOK:
		_, _, err := b.send(context.WithoutCancel(ctx), client, cmp.Or(b.UnlockMethod, "UNLOCK"), cmp.Or(b.Unlock, b.LockAddress), body)
		return nil, err
	case http.StatusLocked, http.StatusConflict:
		holder := &lockInfo{}
		if err := json.Unmarshal(answer, holder); err != nil || holder.ID == "" {
			return nil, errors.New("the server does not say who holds it")
		}
		return holder, nil
	}
	return nil, fmt.Errorf("the server answers with status %d", status)
}

func (b httpBackend) send(ctx context.Context, client *http.Client, method, address string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("the lock's address cannot be read")
	}
	req.Header.Set("Content-Type", "application/json")
	if b.Username != "" {
		req.SetBasicAuth(b.Username, b.Password)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, errors.New("the server cannot be reached")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, answer, err
}
