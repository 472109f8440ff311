package control

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/mooring-iac/mooring/runner"
)

// Server answers clients from an Operations.
type Server struct {
	Operations Operations
	Hub        *Hub // where the events of its streams come from
	Sentinels  Sentinels
	Version    string

	mu      sync.Mutex // guards closing, and that no work begins after it is set
	closing bool
	work    sync.WaitGroup // operations that go on after their client has left
}

// maxRequest bounds a request's body: a decision with some thousand unit ids.
const maxRequest = 1 << 20

// Serve answers until ctx ends, then waits for what still runs. Work that a
// client began is the server's: it gets the context work, goes on when the
// client leaves, and is told to stop when work ends. A server that drains ends
// work first and ctx last, so that questions are answered meanwhile.
func (s *Server) Serve(ctx, work context.Context, l net.Listener) error {
	token := ""
	if own, ok := l.(*listener); ok {
		token = own.token
	}
	srv := &http.Server{
		Handler:           s.guard(token, s.handler(work)),
		ReadHeaderTimeout: 10 * time.Second,
	}
	// An HTTP server that is stopped before it began does not close its listener.
	// Closing one twice only fails.
	defer func() { _ = l.Close() }()
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.work.Wait()
	// The answers of that work are on their way: give them a moment.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("control socket: %w", err)
	}
	return srv.Close()
}

// begin runs f beside the request, unless the server is closing.
func (s *Server) begin(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.work.Go(f)
	return true
}

// guard lets in who knows the token, and nobody where there is none.
func (s *Server) guard(token string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(versionHeader, s.Version)
		said := r.Header.Get(tokenHeader)
		if token == "" || subtle.ConstantTimeCompare([]byte(said), []byte(token)) != 1 {
			w.WriteHeader(http.StatusForbidden)
			s.write(w, message[any]{End: true, Error: &failure{Text: "the request does not have the token of this server: ask with a mooring that can read its data directory"}})
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (s *Server) handler(ctx context.Context) http.Handler {
	mux, o := http.NewServeMux(), s.Operations
	s.handleWork(ctx, mux)
	post(s, mux, "cancel", o.Cancel) // also while the server drains: that may be what it waits for
	post(s, mux, "unlock", o.Unlock)
	post(s, mux, "forget", func(ctx context.Context, t Target) (any, error) { return nil, o.Forget(ctx, t) })
	post(s, mux, "drifts", o.Drifts)
	post(s, mux, "acknowledge", o.Acknowledge)
	get(s, mux, "states", func(ctx context.Context, _ url.Values) (any, error) { return o.States(ctx) })
	get(s, mux, "locks", func(ctx context.Context, _ url.Values) (any, error) { return o.Locks(ctx) })
	get(s, mux, "run", func(ctx context.Context, q url.Values) (any, error) { return o.Run(ctx, q.Get("id")) })
	get(s, mux, "runs", func(ctx context.Context, q url.Values) (any, error) {
		limit, _ := strconv.Atoi(q.Get("limit")) // absent is 0: all
		pull, _ := strconv.Atoi(q.Get("pull"))   // as above
		return o.Runs(ctx, Query{Repository: q.Get("repository"), Limit: limit, Waiting: q.Get("waiting") == "true", Pull: pull, Branch: q.Get("branch")})
	})
	mux.HandleFunc("GET "+prefix+"log", s.log)
	return mux
}

// handleWork answers what takes long: it goes on when the client leaves, and ends with ctx.
func (s *Server) handleWork(ctx context.Context, mux *http.ServeMux) {
	o := s.Operations
	streamed(ctx, s, mux, "sync", func(t Target) string { return t.Repository }, func(ctx context.Context, t Target) (any, error) { return o.Sync(ctx, t.Repository) })
	streamed(ctx, s, mux, "scan", func(c Scan) string { return c.Repository }, func(ctx context.Context, c Scan) (any, error) { return o.Scan(ctx, c) })
	streamed(ctx, s, mux, "decide", func(Decision) string { return "" }, func(ctx context.Context, d Decision) (any, error) { return o.Decide(ctx, d) })
	streamed(ctx, s, mux, "destroy", func(t Target) string { return t.Repository }, func(ctx context.Context, t Target) (any, error) { return o.Destroy(ctx, t) })
	streamed(ctx, s, mux, "collect", func(runner.CollectOptions) string { return "" }, func(ctx context.Context, c runner.CollectOptions) (any, error) { return o.Collect(ctx, c) })
	streamed(ctx, s, mux, "push-state", func(t Target) string { return t.Repository }, func(ctx context.Context, t Target) (any, error) { return o.PushState(ctx, t) })
	streamed(ctx, s, mux, "unlock-state", func(l StateLock) string { return l.Repository }, func(ctx context.Context, l StateLock) (any, error) { return nil, o.UnlockState(ctx, l) })
}

// post answers a request that carries a value.
func post[In, Out any](s *Server, mux *http.ServeMux, name string, do func(context.Context, In) (Out, error)) {
	mux.HandleFunc("POST "+prefix+name, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if s.read(w, r, &in) {
			out, err := do(r.Context(), in)
			s.answer(w, out, err)
		}
	})
}

// get answers a request that carries a query.
func get(s *Server, mux *http.ServeMux, name string, do func(context.Context, url.Values) (any, error)) {
	mux.HandleFunc("GET "+prefix+name, func(w http.ResponseWriter, r *http.Request) {
		out, err := do(r.Context(), r.URL.Query())
		s.answer(w, out, err)
	})
}

// streamed answers a request with the events of a repository, "" for all, and then the result.
func streamed[In any](ctx context.Context, s *Server, mux *http.ServeMux, name string, repository func(In) string, do func(context.Context, In) (any, error)) {
	mux.HandleFunc("POST "+prefix+name, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if s.read(w, r, &in) {
			stream(ctx, s, w, r, repository(in), func(ctx context.Context) (any, error) { return do(ctx, in) })
		}
	})
}

func (s *Server) log(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	text, err := s.Operations.Log(r.Context(), q.Get("id"), q.Get("unit"))
	if err != nil {
		s.answer(w, nil, err)
		return
	}
	defer text.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	// A client that has left needs no answer, and a log that breaks off is cut
	// where it does: the status is sent already.
	_, _ = io.Copy(w, text)
}

func (s *Server) read(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(v); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		s.write(w, message[any]{End: true, Error: &failure{Text: fmt.Sprintf("read the request: %v", err)}})
		return false
	}
	return true
}

func (s *Server) answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	s.write(w, message[any]{End: true, Value: value, Error: s.Sentinels.failure(err)})
}

// write sends one line. Its error means that the client has left, which ends
// nothing here.
func (s *Server) write(w http.ResponseWriter, m message[any]) {
	_ = json.NewEncoder(w).Encode(m)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// stream runs work that outlives the request, and sends events until its result.
func stream(ctx context.Context, s *Server, w http.ResponseWriter, r *http.Request, repository string, work func(context.Context) (any, error)) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	events, stop := s.Hub.Watch()
	defer stop()
	result := make(chan message[any], 1)
	begun := ctx.Err() == nil && s.begin(func() {
		value, err := work(ctx)
		result <- message[any]{End: true, Value: value, Error: s.Sentinels.failure(err)}
	})
	if !begun {
		s.write(w, message[any]{End: true, Error: &failure{Text: "the server is stopping: ask again when it runs"}})
		return
	}
	pass := func(e runner.Event) {
		if repository == "" || e.Repository == repository {
			s.write(w, message[any]{Event: &e})
		}
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-events:
			pass(e)
		case last := <-result:
			for len(events) > 0 {
				pass(<-events)
			}
			s.write(w, last)
			return
		}
	}
}
