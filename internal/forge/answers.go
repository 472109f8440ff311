package forge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const (
	maxAnswers = 256     // kept
	maxKept    = 1 << 20 // bytes of an answer that is kept
	maxKeptAll = 16 << 20
)

// answers are those that came with an ETag. Asking with it again costs nothing of a
// budget where nothing has changed. The oldest go when there are too many.
type answers struct {
	mu    sync.Mutex
	by    map[string]*answer
	order []string // of by, oldest first
	size  int
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// condition makes a read conditional where its last answer is known.
func (s *answers) condition(req *http.Request) *answer {
	if req.Method != http.MethodGet || req.Header.Get("If-None-Match") != "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.by[key(req)]
	if a != nil {
		req.Header.Set("If-None-Match", a.header.Get("ETag"))
	}
	return a
}

func (s *answers) keep(req *http.Request, a *answer) {
	if req.Method != http.MethodGet || a.status != http.StatusOK || a.header.Get("ETag") == "" || len(a.body) > maxKept {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key(req))
	for len(s.order) > 0 && (len(s.order) >= maxAnswers || s.size+len(a.body) > maxKeptAll) {
		s.drop(s.order[0])
	}
	if s.by == nil {
		s.by = map[string]*answer{}
	}
	s.by[key(req)] = a
	s.order = append(s.order, key(req))
	s.size += len(a.body)
}

// drop is called with mu held.
func (s *answers) drop(k string) {
	a := s.by[k]
	if a == nil {
		return
	}
	s.size -= len(a.body)
	delete(s.by, k)
	for i := range s.order {
		if s.order[i] == k {
			s.order = append(s.order[:i:i], s.order[i+1:]...)
			return
		}
	}
}

func key(req *http.Request) string {
	return req.Header.Get("Accept") + " " + req.URL.String()
}

// response is the answer as if it had just come. Its header is a copy: clients may
// write into it.
func (a *answer) response(req *http.Request) *http.Response {
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}
}
