package reviews

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// asked is one request that Mooring made of its forge.
type asked struct {
	At       time.Time // when it came
	Answered time.Time // when its answer was sent; zero while there is none
	Method   string
	Path     string // below /api/v1 of the API; with the query
	Git      bool
	Status   int  // that Mooring was told; 0 is none, its connection was cut
	Taken    bool // Gitea has done it
	Matched  bool // it was conditional
	Until    time.Time
}

// fault is what becomes of a request instead of an honest answer.
type fault struct {
	Status int
	Header http.Header
	Body   string
	Drop   bool      // no answer: the connection is cut
	Until  time.Time // the answer asks to be left alone until then
}

// proxy stands between Mooring and Gitea, for its API and for git, and remembers what was asked.
type proxy struct {
	URL string

	backend *url.URL
	git     *httputil.ReverseProxy
	client  *http.Client

	mu  sync.Mutex // guards what follows
	all []*asked
	// before may answer in Gitea's place; after is told what Gitea has answered, and may cut the answer off. Both may wait.
	before func(*asked) *fault
	after  func(*asked) *fault
	etags  bool // tell ETags and answer 304, as GitHub and GitLab do
}

func newProxy(t *testing.T, backend string) *proxy {
	t.Helper()
	u, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{backend: u, git: httputil.NewSingleHostReverseProxy(u), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	p.git.FlushInterval = -1
	p.git.ErrorLog = log.New(io.Discard, "", 0) // Mooring is killed in the middle of requests
	listener := httptest.NewServer(p)
	t.Cleanup(listener.Close)
	p.URL = listener.URL
	return p
}

const apiPath = "/api/v1/"

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &asked{At: time.Now(), Method: r.Method, Matched: r.Header.Get("If-None-Match") != ""}
	if path, ok := strings.CutPrefix(r.URL.RequestURI(), apiPath); ok {
		a.Path = path
	} else {
		a.Path, a.Git = r.URL.RequestURI(), true
	}
	p.mu.Lock()
	p.all = append(p.all, a)
	before, after := p.before, p.after
	p.mu.Unlock()
	if before != nil {
		if f := before(a); f != nil {
			p.refuse(w, a, f)
			return
		}
	}
	if a.Git {
		p.git.ServeHTTP(w, r)
		p.answered(a, http.StatusOK, time.Time{})
		return
	}
	p.api(w, r, a, after)
}

// api asks Gitea and passes its answer on whole, or not at all.
func (p *proxy) api(w http.ResponseWriter, r *http.Request, a *asked, after func(*asked) *fault) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // who asked is gone
	}
	// Gitea does what it was asked also where the answer reaches nobody.
	req, err := http.NewRequest(r.Method, p.backend.String()+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Header = r.Header.Clone()
	resp, err := p.client.Do(req)
	if err != nil {
		p.refuse(w, a, &fault{Status: http.StatusBadGateway})
		return
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		p.refuse(w, a, &fault{Status: http.StatusBadGateway})
		return
	}
	p.mu.Lock()
	a.Taken, a.Status = resp.StatusCode < 300, resp.StatusCode
	etags := p.etags
	p.mu.Unlock()
	if after != nil {
		if f := after(a); f != nil {
			p.refuse(w, a, f)
			return
		}
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	status := resp.StatusCode
	if etags && r.Method == http.MethodGet && status == http.StatusOK {
		tag := etagOf(content)
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.Header().Del("Content-Length")
			status, content = http.StatusNotModified, nil
		}
	}
	p.answered(a, status, time.Time{})
	w.WriteHeader(status)
	_, _ = w.Write(content) // who has left needs no answer
}

func (p *proxy) refuse(w http.ResponseWriter, a *asked, f *fault) {
	if f.Drop {
		p.answered(a, 0, time.Time{})
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	p.answered(a, f.Status, f.Until)
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body) // who has left needs no answer
}

func (p *proxy) answered(a *asked, status int, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.Answered, a.Status, a.Until = time.Now(), status, until
}

// faults sets what becomes of requests from now on; nil is what should.
func (p *proxy) faults(before, after func(*asked) *fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.after = before, after
}

func (p *proxy) tellETags() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.etags = true
}

// requests are those since the n-th, and how many there are.
func (p *proxy) requests(since int) ([]asked, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]asked, 0, len(p.all)-since)
	for _, a := range p.all[since:] {
		all = append(all, *a)
	}
	return all, len(p.all)
}

// tooEarly are the requests of the API that came although an answer before them had asked to be left alone. One that was on
// its way while that answer was is none.
func tooEarly(all []asked) (early []asked) {
	const onItsWay = 20 * time.Millisecond
	for _, limit := range all {
		if limit.Until.IsZero() {
			continue
		}
		for _, a := range all {
			if !a.Git && a.At.After(limit.Answered.Add(onItsWay)) && a.At.Before(limit.Until) {
				early = append(early, a)
			}
		}
	}
	return early
}
