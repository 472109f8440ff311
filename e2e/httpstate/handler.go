package httpstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Request is one request about a state, answered or not.
type Request struct {
	Method    string
	Path      string
	LockID    string // of a write, its ?ID=; of LOCK and UNLOCK, the body's; "" in the UNLOCK of a force-unlock
	Serial    uint64 // of a write, that of its state
	Lineage   string // of a write
	Instances int    // of a write, resource instances in its state
	Status    int    // of the answer; 0 while, or because, there is none
	Fault     How    // "" when no fault hit it
}

// Handler is the server's handler. It may be used by many goroutines. Use [NewHandler].
type Handler struct {
	mu       sync.Mutex // guards all below
	states   map[string][]State
	locks    map[string]Lock
	requests []*Request
	faults   []*planted
	released chan struct{}
	arrived  func(Request)
	answers  func(Request)
}

// NewHandler returns a handler without states, locks or faults.
func NewHandler() *Handler {
	return &Handler{states: map[string][]State{}, locks: map[string]Lock{}, released: make(chan struct{})}
}

// OnArrival has f called with each request about a state before anything comes of it. The request waits for f.
func (h *Handler) OnArrival(f func(Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrived = f
}

// BeforeAnswer has f called with each request after it took effect and before its client knows. The request waits for f.
// It is not called for one that a fault answers.
func (h *Handler) BeforeAnswer(f func(Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = f
}

// Requests returns what was asked since the start or the last [Handler.ResetRequests], in order of arrival. A client
// that has its answer finds its request here, status included.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := make([]Request, len(h.requests))
	for i, r := range h.requests {
		seen[i] = *r
	}
	return seen
}

// ResetRequests forgets the requests seen so far.
func (h *Handler) ResetRequests() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = nil
}

// ServeHTTP answers a client of the backend, or, below /_, a test in another process:
//
//	GET    /_faults       the faults that stand, with what each has seen
//	POST   /_faults       Inject: one Fault as JSON, in the names of its fields
//	DELETE /_faults       Heal
//	POST   /_release      Release
//	GET    /_requests     Requests; DELETE forgets them
//	GET    /_locks/PATH   the lock of the state /PATH, 404 when it is free; PUT plants one, DELETE frees it
//	GET    /_states/PATH  the state /PATH without a trace in /_requests; PUT plants one, DELETE removes it
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/_") {
		h.control(w, r, body)
		return
	}
	seen := describe(r, body)
	h.mu.Lock()
	h.requests = append(h.requests, &seen)
	now, arrived := seen, h.arrived
	h.mu.Unlock()
	if arrived != nil {
		arrived(now)
	}
	fault, released := h.struck(now)
	if fault == nil {
		h.reply(w, &seen, h.answer(now, body))
		return
	}
	h.mu.Lock()
	seen.Fault = fault.How
	if fault.How == "" {
		seen.Fault = Answer
	}
	h.mu.Unlock()
	var done *reply
	if fault.Done {
		answer := h.answer(now, body)
		done = &answer
	}
	switch fault.How {
	case Cut:
		panic(http.ErrAbortHandler)
	case Hang:
		select {
		case <-released:
		case <-r.Context().Done():
		}
		if r.Context().Err() != nil { // also where it was released as well: select would choose by chance
			panic(http.ErrAbortHandler)
		}
		if done == nil {
			answer := h.answer(now, body)
			done = &answer
		}
		h.reply(w, &seen, *done)
	default:
		h.send(w, &seen, fault.reply(now.Method))
	}
}

// reply is an answer before it is sent.
type reply struct {
	status int
	body   []byte
}

func refuse(status int, format string, args ...any) reply {
	return reply{status, fmt.Appendf(nil, format+"\n", args...)}
}

// held is the answer to who does not hold the lock that another does.
func held(status int, by Lock) reply {
	body, err := json.Marshal(by)
	if err != nil {
		panic(err) // strings alone
	}
	return reply{status, body}
}

func (f Fault) reply(method string) reply {
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	if method == "LOCK" && (status == http.StatusConflict || status == http.StatusLocked) {
		return held(status, Lock{ID: "00000000-0000-0000-0000-00000000fa17", Operation: "OperationTypeApply", Who: "fault@httpstate"})
	}
	return refuse(status, "a fault that was asked for")
}

// reply sends an answer after telling the test of it.
func (h *Handler) reply(w http.ResponseWriter, seen *Request, a reply) {
	h.mu.Lock()
	now, tell := *seen, h.answers
	h.mu.Unlock()
	if tell != nil {
		now.Status = a.status
		tell(now)
	}
	h.send(w, seen, a)
}

func (h *Handler) send(w http.ResponseWriter, seen *Request, a reply) {
	h.mu.Lock()
	seen.Status = a.status
	h.mu.Unlock()
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that left learns nothing
}

// describe reads from a request what tests ask about it.
func describe(r *http.Request, body []byte) Request {
	seen := Request{Method: r.Method, Path: r.URL.Path}
	switch r.Method {
	case http.MethodPost:
		seen.LockID = r.URL.Query().Get("ID")
		s, _ := parseState(body) // the answer says what is wrong with it
		seen.Serial, seen.Lineage, seen.Instances = s.Serial, s.Lineage, s.Instances
	case "LOCK", "UNLOCK":
		l, _ := parseLock(body)
		seen.LockID = l.ID
	}
	return seen
}

func parseLock(body []byte) (Lock, error) {
	var l Lock
	if err := json.Unmarshal(body, &l); err != nil {
		return Lock{}, fmt.Errorf("read lock: %w", err)
	}
	if l.ID == "" {
		return l, errors.New("read lock: it has no ID")
	}
	return l, nil
}
