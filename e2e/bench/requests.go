package main

import (
	"net/http"
	"sync/atomic"
)

// requests counts what is sent to an API server.
type requests struct{ all, writes atomic.Int64 }

func (r *requests) reset() { r.all.Store(0); r.writes.Store(0) }

// wrap is a transport that counts; a dry-run is no write.
func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return &counting{requests: r, next: next}
}

type counting struct {
	requests *requests
	next     http.RoundTripper
}

func (c *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	c.requests.all.Add(1)
	if req.Method != http.MethodGet && req.URL.Query().Get("dryRun") == "" {
		c.requests.writes.Add(1)
	}
	return c.next.RoundTrip(req)
}

// WrappedRoundTripper lets idle connections be closed.
func (c *counting) WrappedRoundTripper() http.RoundTripper { return c.next }
