// Package holder asks the server of Terraform's http backend who holds a state lock.
//
// Terraform's client does not say: in the place of the holder it prints its own request, and of the holder only the id. The server knows, and
// says it to everybody who asks for the lock in vain. So that is done, as Terraform's client would.
//
// It is apart from package terraform, which is given it, because of a supervisor's start: see that package's supervise.go.
package holder

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// wait bounds the question, which a server may never answer.
const wait = 10 * time.Second

// Ask asks for the lock that claim is. backend is the configuration of the backend as init recorded it, env what its variables add. The
// answer is the lock in the way; nil when nobody holds one: then claim was granted, and is given back at once.
func Ask(ctx context.Context, backend json.RawMessage, env map[string]string, claim json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	b, err := read(backend, env)
	if err != nil {
		return nil, err
	}
	client, err := b.client()
	if err != nil {
		return nil, err
	}
	status, answer, err := b.send(ctx, client, cmp.Or(b.LockMethod, "LOCK"), b.LockAddress, claim)
	if err != nil {
		return nil, err
	}
	switch status {
	case http.StatusOK:
		_, _, err := b.send(context.WithoutCancel(ctx), client, cmp.Or(b.UnlockMethod, "UNLOCK"), cmp.Or(b.Unlock, b.LockAddress), claim)
		return nil, err
	case http.StatusLocked, http.StatusConflict:
		return answer, nil
	}
	return nil, fmt.Errorf("the server answers with status %d", status)
}

// configuration is that of the backend.
type configuration struct {
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

func read(backend json.RawMessage, env map[string]string) (b configuration, err error) {
	if err := json.Unmarshal(backend, &b); err != nil {
		return b, fmt.Errorf("read the backend's configuration: %w", err)
	}
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

func (b configuration) client() (*http.Client, error) {
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

func (b configuration) send(ctx context.Context, client *http.Client, method, address string, body []byte) (int, []byte, error) {
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
