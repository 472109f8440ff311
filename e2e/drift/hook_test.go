package drift

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// hook receives what Mooring tells, refuses what is not signed as it must be, and keeps each message once, by id.
type hook struct {
	*httptest.Server
	t      *testing.T
	secret string

	mu    sync.Mutex // guards all below
	ids   []string   // in the order of their first arrival
	told  map[string]message
	tries map[string]int // by id
	held  chan struct{}  // where it is not nil, the next one is not answered before it is closed
	came  chan struct{}  // closed when that one is there
}

// message is what the tests read of one.
type message struct {
	Key, Event, State, Unit, Title, Severity string
	Lines                                    []string
}

func (m message) String() string { return fmt.Sprintf("%s %s %s", m.Event, m.State, m.Unit) }

func newHook(t *testing.T, secret string) *hook {
	h := &hook{t: t, secret: secret, told: map[string]message{}, tries: map[string]int{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		h.Server.CloseClientConnections()
		h.Server.Close()
	})
	return h
}

func (h *hook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who sent it is dead
	}
	id, stamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write([]byte(id + "." + stamp + "." + string(body)))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute || !hmac.Equal([]byte(want), []byte(r.Header.Get("webhook-signature"))) {
		h.t.Errorf("a message is not signed as it must be: id %q, timestamp %q", id, stamp)
		rw.WriteHeader(http.StatusUnauthorized)
		return
	}
	var call struct{ Messages []message }
	if err := json.Unmarshal(body, &call); err != nil || len(call.Messages) != 1 {
		h.t.Errorf("message %s is none: %v: %s", id, err, body)
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	m := call.Messages[0]
	h.mu.Lock()
	h.tries[id]++
	if was, again := h.told[id]; again && was.Key != m.Key {
		h.t.Errorf("id %s told %s, and now %s", id, was.Key, m.Key)
	} else if !again {
		h.ids, h.told[id] = append(h.ids, id), m
	}
	var held, came chan struct{}
	if h.tries[id] == 1 { // one that comes again is of an earlier kill
		held, came, h.held, h.came = h.held, h.came, nil, nil
	}
	h.mu.Unlock()
	if held != nil {
		close(came)
		<-held
	}
}

// holdNext lets the next message that was not there before arrive and keeps its answer until release is called.
func (h *hook) holdNext() (came <-chan struct{}, release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held, there := make(chan struct{}), make(chan struct{})
	h.held, h.came = held, there
	return there, sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.held == held {
			h.held, h.came = nil, nil
		}
		close(held)
	})
}

// messages are what was told, each once, in order.
func (h *hook) messages() (all []message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range h.ids {
		all = append(all, h.told[id])
	}
	return all
}

// heard is what was told about some events, in short.
func (h *hook) heard(events ...string) (all []string) {
	for _, m := range h.messages() {
		if slices.Contains(events, m.Event) {
			all = append(all, m.String())
		}
	}
	return all
}

// again is how often a message came that had come before.
func (h *hook) again() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, tries := range h.tries {
		n += tries - 1
	}
	return n
}
