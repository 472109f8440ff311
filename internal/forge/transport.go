package forge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	patience  = time.Minute // for one answer, its body included
	maxAnswer = 32 << 20    // bytes of one answer
)

// transport stands below every client library. It is the one place that knows the
// token, and what it learns of limits and of answers that have not changed holds
// for all calls.
//
// It takes a liberty with http.RoundTripper: answers of 400 and above come back as
// errors (*answerError, *LimitError). Three libraries read failures in three
// ways, and one of them drops the forge's words; so none of them gets to see one.
type transport struct {
	base      http.RoundTripper
	root      *url.URL // of the API: nobody else is asked
	authorize func(*http.Request) error
	agent     string
	now       func() time.Time
	patience  time.Duration
	maxAnswer int64

	limits  limits
	answers answers
	secrets secrets
}

// newTransport makes the transport of the API below root. authorize puts the token
// on a request; it may ask for one first, through another transport.
func newTransport(cfg Config, root *url.URL, authorize func(*http.Request) error) (*transport, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	if len(cfg.CABundle) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("ca_bundle: read the system's certificates: %w", err)
		}
		if !pool.AppendCertsFromPEM(cfg.CABundle) {
			return nil, errors.New("ca_bundle: holds no PEM certificate")
		}
		base.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	t := &transport{
		base:      base,
		root:      root,
		authorize: authorize,
		agent:     cfg.UserAgent,
		now:       cfg.Now,
		patience:  patience,
		maxAnswer: maxAnswer,
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.agent == "" {
		t.agent = "mooring"
	}
	t.secrets.learn(cfg.Token)
	return t, nil
}

// client is what a library is given.
func (t *transport) client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: t.follow}
}

// follow lets a read be sent on within the forge. A write that is sent on would
// arrive as a read, and another host is nobody to ask.
func (t *transport) follow(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= 5:
		return errors.New("the forge sends in circles")
	case !t.ours(req.URL):
		return fmt.Errorf("%w: it sends on to another address, %s://%s", ErrRefused, req.URL.Scheme, req.URL.Host)
	case via[0].Method != http.MethodGet || req.Method != http.MethodGet:
		return fmt.Errorf("%w: it sends a write on to %s; was the repository renamed?", ErrRefused, req.URL.Path)
	}
	return nil
}

func (t *transport) ours(u *url.URL) bool {
	return u.Scheme == t.root.Scheme && strings.EqualFold(u.Host, t.root.Host)
}

// RoundTrip asks once. The answer's body is whole, in memory, when it returns.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer func() { _ = req.Body.Close() }()
	}
	if !t.ours(req.URL) {
		return nil, fmt.Errorf("%w: %s://%s is not its address", ErrRefused, req.URL.Scheme, req.URL.Host)
	}
	if err := t.limits.check(t.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), t.patience)
	defer cancel()
	r := req.Clone(ctx)
	r.Header.Set("User-Agent", t.agent)
	if err := t.authorize(r); err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	known := t.answers.condition(r)
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, t.lost(req.Context(), err)
	}
	body, err := readAll(resp.Body, t.maxAnswer)
	if err != nil {
		return nil, t.lost(req.Context(), err)
	}
	if err := t.limits.learn(t.now(), resp, body); err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNotModified && known != nil {
		return known.response(req), nil
	}
	if resp.StatusCode >= 400 {
		return nil, &answerError{status: resp.StatusCode, words: line(t.secrets.hide(words(body)), maxWords)}
	}
	if isPage(resp, body) {
		return nil, fmt.Errorf("%w: it answers with a web page instead of data", ErrUnavailable)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: body}
	t.answers.keep(r, a)
	return a.response(req), nil
}

// lost says why no answer came. The caller's own end is no fault of the forge.
func (t *transport) lost(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrRefused), errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: no answer within %s", ErrUnavailable, t.patience)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func readAll(body io.ReadCloser, limit int64) ([]byte, error) {
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: it answers with more than %d MiB", ErrRefused, limit>>20)
	}
	return b, nil
}

// isPage is true of what stands in front of a forge that is down, or of an address
// that is no forge's, when it says 200 for it.
func isPage(resp *http.Response, body []byte) bool {
	return len(body) > 0 && resp.StatusCode < 300 && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
}
