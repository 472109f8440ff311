package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// sendTimeout bounds one try over HTTP or SMTP.
const sendTimeout = 30 * time.Second

// poster posts JSON and reads the answer's status as what to do next.
type poster struct {
	client  *http.Client
	agent   string
	headers http.Header
}

// newPoster trusts the given authorities instead of the system's, where there are some.
func newPoster(ca []byte, agent string) (poster, error) {
	transport := http.DefaultTransport
	if len(ca) > 0 {
		trust, err := trusting(ca)
		if err != nil {
			return poster{}, err
		}
		own, ok := transport.(*http.Transport)
		if !ok {
			own = &http.Transport{Proxy: http.ProxyFromEnvironment}
		}
		own = own.Clone()
		own.TLSClientConfig = trust
		transport = own
	}
	// A redirect would bring a signed or secret body to an address that nobody wrote down.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return poster{client: &http.Client{Transport: transport, Timeout: sendTimeout, CheckRedirect: stay}, agent: agent, headers: http.Header{}}, nil
}

func trusting(ca []byte) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("the CA bundle holds no certificate")
		}
	}
	return c, nil
}

func (p poster) post(ctx context.Context, address string, body []byte, headers http.Header) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	for _, set := range []http.Header{p.headers, headers} {
		for name, values := range set {
			req.Header[name] = values
		}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", p.agent)
	res, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is left to be done about it
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil && res.StatusCode < 300 {
		return nil // it has taken the letter: how the answer goes on is nothing to us
	}
	return answer(res, string(text), time.Now())
}

// answer reads what a status means for the letter: nil is taken.
func answer(res *http.Response, text string, now time.Time) error {
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return nil
	}
	err := fmt.Errorf("the answer is %s", res.Status)
	if text = cut(oneLine(strings.TrimSpace(text)), 200); text != "" {
		err = fmt.Errorf("the answer is %s: %s", res.Status, text)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if until := retryAfter(res.Header.Get("Retry-After"), now); !until.IsZero() {
			return &laterError{err, until}
		}
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		// The others, 401 and 404 too, are the address's or its credentials': they hold for every letter.
		return &refusedError{err}
	}
	return err
}

func retryAfter(v string, now time.Time) time.Time {
	if seconds, err := strconv.Atoi(v); err == nil && seconds >= 0 && seconds < 1<<20 {
		return now.Add(time.Duration(seconds) * time.Second)
	}
	if t, err := http.ParseTime(v); err == nil {
		return t
	}
	return time.Time{}
}

// httpAddress checks the address of one of our own senders.
func httpAddress(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil: // its text would hold the address
		return errors.New("the address is not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("the address is not an http or https URL")
	case u.User != nil:
		return errors.New("the address holds a user or a password")
	}
	return nil
}
