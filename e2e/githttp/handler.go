package githttp

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"strings"
	"sync"
)

// Request is one request that the handler saw, answered or not.
type Request struct {
	Method     string
	Repository string // path of the repository below the root, without leading slash: "infra.git"
	Service    string // "git-upload-pack", "git-receive-pack", or "" for dumb http
	Refs       bool   // asks for refs only: GET …/info/refs
	User       string // user name of basic auth, when there was one
	Status     int    // status of the answer; 0 while there is none
}

// Handler serves the bare repositories below a directory. It may be used by many goroutines. Use [NewHandler].
type Handler struct {
	backend *cgi.Handler

	mu         sync.Mutex // guards all below
	token      string
	failStatus int
	failLeft   int
	requests   []*Request
}

// NewHandler returns a handler for the bare repositories below root. Anybody may fetch and push until
// [Handler.RequireToken] is called. It fails when git is not installed.
func NewHandler(root string) (*Handler, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("serve git over http: %w", err)
	}
	return &Handler{backend: &cgi.Handler{
		Path: git,
		Args: []string{"http-backend"},
		Root: "/",
		Dir:  root,
		Env: append(hermetic(root),
			"GIT_PROJECT_ROOT="+root,
			"GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_COUNT=2",
			"GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
			"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
		),
	}}, nil
}

// RequireToken makes every later request carry basic auth whose password is token, whatever its user name.
// The empty token opens the server again.
func (h *Handler) RequireToken(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.token = token
}

// FailNext answers the next n requests with status and nothing else. It replaces an earlier call.
func (h *Handler) FailNext(n, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failLeft, h.failStatus = n, status
}

// Requests returns what was asked since the start or the last [Handler.ResetRequests], in order of arrival. A client
// that has its answer finds its request here, status included.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := make([]Request, len(h.requests))
	for i, request := range h.requests {
		seen[i] = *request
	}
	return seen
}

// ResetRequests forgets the requests seen so far.
func (h *Handler) ResetRequests() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = nil
}

// ServeHTTP answers one request of a Git client.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := describe(r)
	h.mu.Lock()
	h.requests = append(h.requests, &seen)
	h.mu.Unlock()
	answer := &statusWriter{ResponseWriter: w, told: func(status int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		seen.Status = status
	}}
	h.answer(answer, r)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) {
	if status := h.injected(); status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	if !h.authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "a token is needed", http.StatusUnauthorized)
		return
	}
	// CGI passes a body of known length only, and git sends a large push in chunks.
	if r.ContentLength < 0 {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	}
	h.backend.ServeHTTP(w, r)
}

// injected takes one of the failures that were asked for and returns its status, 0 when none is left.
func (h *Handler) injected() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failLeft <= 0 {
		return 0
	}
	h.failLeft--
	return h.failStatus
}

func (h *Handler) authorized(r *http.Request) bool {
	h.mu.Lock()
	token := h.token
	h.mu.Unlock()
	if token == "" {
		return true
	}
	_, password, _ := r.BasicAuth()
	return subtle.ConstantTimeCompare([]byte(password), []byte(token)) == 1
}

// describe reads from the URL which repository and service a request is about.
func describe(r *http.Request) Request {
	user, _, _ := r.BasicAuth()
	seen := Request{Method: r.Method, User: user}
	path := strings.TrimPrefix(r.URL.Path, "/")
	for _, service := range []string{"git-upload-pack", "git-receive-pack"} {
		if repository, ok := strings.CutSuffix(path, "/"+service); ok {
			seen.Repository, seen.Service = repository, service
			return seen
		}
	}
	if repository, ok := strings.CutSuffix(path, "/info/refs"); ok {
		seen.Repository, seen.Service, seen.Refs = repository, r.URL.Query().Get("service"), true
		return seen
	}
	seen.Repository = path
	return seen
}

// statusWriter tells the status of an answer before the client can see it.
type statusWriter struct {
	http.ResponseWriter
	told func(status int)
	once sync.Once
}

func (w *statusWriter) WriteHeader(status int) {
	w.once.Do(func() { w.told(status) })
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(content []byte) (int, error) {
	w.once.Do(func() { w.told(http.StatusOK) })
	return w.ResponseWriter.Write(content)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
