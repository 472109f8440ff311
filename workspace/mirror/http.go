package mirror

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// openHTTP prepares reading over http(s). go-git's transport follows redirects
// of the first request only, never from https to http, and drops credentials
// as soon as a redirect leaves scheme, host or port.
func openHTTP(remote Remote, loc location) (*netSource, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialTCP,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   1,
		IdleConnTimeout:       90 * time.Second, // outlives the usual poll interval
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if len(remote.CABundle) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(remote.CABundle) {
			return nil, errors.New("ca bundle holds no PEM certificate")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	endpoint := transport.Endpoint{Protocol: string(loc.scheme), Host: loc.host, Path: loc.path}
	if loc.port != "" {
		port, err := strconv.ParseUint(loc.port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("url: port %q is not a number below 65536", loc.port)
		}
		endpoint.Port = int(port)
	}
	if strings.Contains(loc.host, ":") { // IPv6
		endpoint.Host = "[" + loc.host + "]"
	}
	client := githttp.NewClient(&http.Client{Transport: &politeTransport{t}})
	return &netSource{
		done: t.CloseIdleConnections,
		dial: func(context.Context) (transport.UploadPackSession, error) {
			ep := endpoint // a redirect rewrites the session's own copy
			var auth transport.AuthMethod
			if loc.password != "" {
				auth = &githttp.BasicAuth{Username: loc.user, Password: loc.password}
			}
			return client.NewUploadPackSession(&ep, auth)
		},
	}, nil
}

// politeTransport keeps what go-git reads of a failed answer small, makes its
// status a type, and reads good answers to their end, without which each poll
// would need a new connection.
type politeTransport struct{ next http.RoundTripper }

// maxErrorBody bounds, in bytes, what is read of a failed answer.
const maxErrorBody = 4 << 10

// statusError is an answer that is neither success nor about credentials.
type statusError struct {
	code       int
	retryAfter string
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the server answered %d %s", e.code, http.StatusText(e.code))
	if e.retryAfter != "" {
		text += ", retry after " + e.retryAfter
	}
	return text
}

func (e *statusError) temporary() bool {
	return e.code >= 500 || e.code == http.StatusTooManyRequests || e.code == http.StatusRequestTimeout
}

func (p *politeTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := p.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = &drainedBody{res.Body}
	switch {
	case res.StatusCode < 400, res.StatusCode == http.StatusUnauthorized,
		res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusNotFound:
		if res.StatusCode >= 300 {
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(res.Body, maxErrorBody), res.Body}
		}
		return res, nil
	}
	_ = res.Body.Close()
	return nil, &statusError{code: res.StatusCode, retryAfter: res.Header.Get("Retry-After")}
}

type drainedBody struct{ io.ReadCloser }

func (b *drainedBody) Close() error {
	_, _ = io.CopyN(io.Discard, b.ReadCloser, maxErrorBody) // more is not worth waiting for
	return b.ReadCloser.Close()
}
