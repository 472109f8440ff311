package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// passed is one request that a relay has passed on and that was answered with success.
type passed struct {
	header       http.Header
	method, path string
	body         string
	came, done   time.Time // when its header was there, and when the answer was
}

// relay stands before a server on loopback, passes on at once whatever comes, and tells of it.
type relay struct {
	*httptest.Server

	mu      sync.Mutex
	all     []passed
	changed chan struct{} // closed and replaced when all grows
}

func newRelay(to string) (*relay, error) {
	target, err := url.Parse(to)
	if err != nil {
		return nil, fmt.Errorf("relay to %s: %w", to, err)
	}
	r := &relay{changed: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 16},
	}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p := passed{header: req.Header.Clone(), method: req.Method, path: req.URL.Path, came: time.Now()}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.body = string(body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		said := &answered{ResponseWriter: w}
		proxy.ServeHTTP(said, req)
		p.done = time.Now()
		if said.status < 300 {
			r.tell(p)
		}
	}))
	return r, nil
}

// answered remembers the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) { a.status = status; a.ResponseWriter.WriteHeader(status) }

// Unwrap lets the proxy flush.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (r *relay) tell(p passed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, p)
	close(r.changed)
	r.changed = make(chan struct{})
}

// forget drops what was passed on up to now.
func (r *relay) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = nil
}

func (r *relay) now() ([]passed, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]passed(nil), r.all...), r.changed
}

// await returns the first request since forget that is what is looked for.
func (r *relay) await(what string, is func(passed) bool) (passed, error) {
	deadline := time.After(5 * time.Minute)
	for {
		all, changed := r.now()
		for _, p := range all {
			if is(p) {
				return p, nil
			}
		}
		select {
		case <-changed:
		case <-deadline:
			return passed{}, fmt.Errorf("waited 5 minutes in vain for %s", what)
		}
	}
}
