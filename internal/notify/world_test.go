package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/outbox"
)

const hookSecret = "a secret of the receiver's"

// clock stands still but for those who wait: the time of the first of them comes when
// the test lets it.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiter
	changed chan struct{}
}

type waiter struct {
	until time.Time
	tick  chan time.Time
}

func newClock() *clock { return &clock{now: noon, changed: make(chan struct{}, 1)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := waiter{c.now.Add(d), make(chan time.Time, 1)}
	if d <= 0 {
		w.tick <- c.now
		return w.tick
	}
	c.waiting = append(c.waiting, w)
	nudge(c.changed)
	return w.tick
}

// sets reports whether somebody waits for no longer than d.
func (c *clock) sets(d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.waiting, func(w waiter) bool { return !w.until.After(c.now.Add(d)) })
}

// advance goes to a time and wakes those who waited for it.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waiting = slices.DeleteFunc(c.waiting, func(w waiter) bool {
		if w.until.After(c.now) {
			return false
		}
		w.tick <- c.now
		return true
	})
}

// receiver is a web hook's other side: it checks each call and counts ids.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
	ids   map[string]int
	fails bool
	came  chan struct{}
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{ids: map[string]int{}, came: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Errorf("read a call: %v", err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		defer nudge(r.came)
		if r.fails {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		id, stamp := req.Header.Get("Webhook-Id"), req.Header.Get("Webhook-Timestamp")
		if want := "v1," + sign([]byte(hookSecret), id, stamp, body); req.Header.Get("Webhook-Signature") != want {
			t.Errorf("signature %q, want %q", req.Header.Get("Webhook-Signature"), want)
		}
		if _, err := strconv.ParseInt(stamp, 10, 64); err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with timestamp %q and headers %v", req.Method, stamp, req.Header)
		}
		var c call
		if err := json.Unmarshal(body, &c); err != nil {
			t.Errorf("a call is no JSON: %v", err)
		}
		if r.ids[id]++; r.ids[id] == 1 { // a receiver drops doubles
			r.calls = append(r.calls, c)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) channel(name string) Channel {
	return Channel{Name: name, Webhook: &Webhook{URL: r.URL, Secret: hookSecret}}
}

// titles are what arrived, in order, doubles dropped.
func (r *receiver) titles() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	titles := []string{}
	for _, c := range r.calls {
		titles = append(titles, c.Title)
	}
	return titles
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, times := range r.ids {
		n += times
	}
	return n
}

func (r *receiver) fail(fails bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fails = fails
}

func database(t *testing.T, path string) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func fresh(t *testing.T) *bbolt.DB { return database(t, filepath.Join(t.TempDir(), "db")) }

func notifier(t *testing.T, store outbox.Store, c *clock, conf Config) *Notifier {
	t.Helper()
	n, err := New(Options{Config: conf, Store: store, Now: c.Now, After: c.After})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func put(t *testing.T, n *Notifier, m Message) {
	t.Helper()
	if err := n.o.Store.Update(func(tx *bbolt.Tx) error { return n.Put(tx, m) }); err != nil {
		t.Fatal(err)
	}
}

// running runs a notifier until the test ends, or until stop is called.
func running(t *testing.T, n *Notifier) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() }) // a test that minds has asked before
	return stop
}

// eventually waits for what another goroutine brings about; each signal looks again.
func eventually(t *testing.T, what string, signal <-chan struct{}, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-signal:
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not after twenty seconds: %s", what)
		}
	}
}

// mortal is a store whose process dies before the given write.
type mortal struct {
	outbox.Store
	writes *int
	mu     *sync.Mutex
}

var errDead = errors.New("killed")

func (m mortal) Update(f func(*bbolt.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if *m.writes--; *m.writes < 0 {
		return errDead
	}
	return m.Store.Update(f)
}

func waiting(t *testing.T, n *Notifier) int {
	t.Helper()
	all, err := n.Health()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, h := range all {
		sum += h.Waiting
	}
	return sum
}
