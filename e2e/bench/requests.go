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
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		r.all.Add(1)
		if req.Method != http.MethodGet && req.URL.Query().Get("dryRun") == "" {
			r.writes.Add(1)
		}
		return next.RoundTrip(req)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
