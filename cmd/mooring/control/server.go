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
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+prefix+"sync", func(w http.ResponseWriter, r *http.Request) {
		var t Target
		if s.read(w, r, &t) {
			stream(ctx, s, w, r, t.Repository, func(ctx context.Context) (any, error) { return s.Operations.Sync(ctx, t.Repository) })
		}
	})
	mux.HandleFunc("POST "+prefix+"decide", func(w http.ResponseWriter, r *http.Request) {
		var d Decision
		if s.read(w, r, &d) {
			stream(ctx, s, w, r, "", func(ctx context.Context) (any, error) { return s.Operations.Decide(ctx, d) })
		}
	})
	mux.HandleFunc("POST "+prefix+"destroy", func(w http.ResponseWriter, r *http.Request) {
		var t Target
		if s.read(w, r, &t) {
			stream(ctx, s, w, r, t.Repository, func(ctx context.Context) (any, error) { return s.Operations.Destroy(ctx, t) })
		}
	})
	mux.HandleFunc("POST "+prefix+"collect", func(w http.ResponseWriter, r *http.Request) {
		var o runner.CollectOptions
		if s.read(w, r, &o) {
			stream(ctx, s, w, r, "", func(ctx context.Context) (any, error) { return s.Operations.Collect(ctx, o) })
		}
	})
	mux.HandleFunc("POST "+prefix+"cancel", func(w http.ResponseWriter, r *http.Request) {
		var c Cancel
		if s.read(w, r, &c) { // also while the server drains: that may be what it waits for
			run, err := s.Operations.Cancel(r.Context(), c)
			s.answer(w, run, err)
		}
	})
	mux.HandleFunc("GET "+prefix+"states", func(w http.ResponseWriter, r *http.Request) {
		all, err := s.Operations.States(r.Context())
		s.answer(w, all, err)
	})
	mux.HandleFunc("POST "+prefix+"push-state", func(w http.ResponseWriter, r *http.Request) {
		var t Target
		if s.read(w, r, &t) {
			stream(ctx, s, w, r, t.Repository, func(ctx context.Context) (any, error) { return s.Operations.PushState(ctx, t) })
		}
	})
	mux.HandleFunc("POST "+prefix+"unlock-state", func(w http.ResponseWriter, r *http.Request) {
		var l StateLock
		if s.read(w, r, &l) {
			stream(ctx, s, w, r, l.Repository, func(ctx context.Context) (any, error) { return nil, s.Operations.UnlockState(ctx, l) })
		}
	})
	mux.HandleFunc("POST "+prefix+"unlock", func(w http.ResponseWriter, r *http.Request) {
		var t Target
		if s.read(w, r, &t) {
			l, err := s.Operations.Unlock(r.Context(), t)
			s.answer(w, l, err)
		}
	})
	mux.HandleFunc("POST "+prefix+"forget", func(w http.ResponseWriter, r *http.Request) {
		var t Target
		if s.read(w, r, &t) {
			s.answer(w, nil, s.Operations.Forget(r.Context(), t))
		}
	})
	mux.HandleFunc("GET "+prefix+"runs", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		limit, _ := strconv.Atoi(q.Get("limit")) // absent is 0: all
		pull, _ := strconv.Atoi(q.Get("pull"))   // as above
		runs, err := s.Operations.Runs(r.Context(), Query{Repository: q.Get("repository"), Limit: limit, Waiting: q.Get("waiting") == "true", Pull: pull, Branch: q.Get("branch")})
		s.answer(w, runs, err)
	})
	mux.HandleFunc("GET "+prefix+"run", func(w http.ResponseWriter, r *http.Request) {
		run, err := s.Operations.Run(r.Context(), r.URL.Query().Get("id"))
		s.answer(w, run, err)
	})
	mux.HandleFunc("GET "+prefix+"locks", func(w http.ResponseWriter, r *http.Request) {
		all, err := s.Operations.Locks(r.Context())
		s.answer(w, all, err)
	})
	mux.HandleFunc("GET "+prefix+"log", s.log)
	return mux
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
