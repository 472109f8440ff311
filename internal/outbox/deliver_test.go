package outbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// clock stands still until somebody waits: then it is that much later at once.
type clock struct {
	now    time.Time
	waited []time.Duration
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.waited = append(c.waited, d)
	c.now = c.now.Add(d)
	tick := make(chan time.Time, 1)
	tick <- c.now
	return tick
}

// run delivers until nothing waits any more.
func run(t *testing.T, d *Deliverer) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d.Store = endless{d.Store, d.Queue, cancel}
	return d.Run(ctx)
}

// endless ends the delivery when its queue is empty.
type endless struct {
	Store
	queue string
	end   func()
}

func (e endless) View(f func(*bbolt.Tx) error) error {
	return e.Store.View(func(tx *bbolt.Tx) error {
		all, next, err := Due(tx, e.queue, noon.AddDate(1, 0, 0))
		if err == nil && len(all) == 0 && next.IsZero() {
			e.end()
		}
		return errors.Join(err, f(tx))
	})
}

var errDown = errors.New("502")

type limit struct{ until time.Time }

func (l limit) Error() string      { return "429" }
func (l limit) RetryAt() time.Time { return l.until }

func TestDeliversInOrder(t *testing.T) {
	db := fresh(t)
	for i := range 5 {
		put(t, db, "q", fmt.Sprint("k", 9-i), "x")
	}
	put(t, db, "other", "k", "x")
	var sent []string
	c := &clock{now: noon}
	d := &Deliverer{Store: db, Queue: "q", Now: c.Now, After: c.After, Send: func(_ context.Context, it Item) error {
		sent = append(sent, it.Key)
		return nil
	}}
	if err := run(t, d); err != nil {
		t.Fatal(err)
	}
	if want := []string{"k9", "k8", "k7", "k6", "k5"}; !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	if all, _ := due(t, db, "other", noon); len(all) != 1 {
		t.Errorf("another queue was emptied: %v", all)
	}
}

// One that is refused waits, longer each time, and the others go past it; in the
// end it is given up, and that is said.
func TestRefusedItemBlocksNobody(t *testing.T) {
	db := fresh(t)
	put(t, db, "q", "bad", "x")
	put(t, db, "q", "good", "x")
	var sent, gaveUp []string
	var pauses []time.Duration
	c := &clock{now: noon}
	d := &Deliverer{
		Store: db, Queue: "q", Now: c.Now, After: c.After, Tries: 12,
		Send: func(_ context.Context, it Item) error {
			sent = append(sent, it.Key)
			if it.Key == "bad" {
				return errors.New("422 body is too long")
			}
			return nil
		},
		GaveUp: func(it Item, err error) { gaveUp = append(gaveUp, fmt.Sprint(it.Key, " ", it.Tries, " ", err)) },
		Failed: func(_ Item, _ error, until time.Time) { pauses = append(pauses, until.Sub(c.now)) },
	}
	if err := run(t, d); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 13 || sent[0] != "bad" || sent[1] != "good" || sent[2] != "bad" {
		t.Errorf("sent %v", sent)
	}
	if want := []string{"bad 11 422 body is too long"}; !slices.Equal(gaveUp, want) {
		t.Errorf("given up: %q, want %q", gaveUp, want)
	}
	for i, p := range pauses {
		full := min(time.Second<<i, 5*time.Minute)
		if p < full/2 || p > full {
			t.Errorf("pause %d is %s, want %s to %s", i, p, full/2, full)
		}
	}
	if len(pauses) != 11 {
		t.Errorf("%d pauses, want 11", len(pauses))
	}
}

// While the other side is away nothing is sent but one try after each pause, and
// no item loses a try by it.
func TestQueueStandsStillWhileTheOtherSideIsAway(t *testing.T) {
	db := fresh(t)
	for _, key := range []string{"a", "b", "c"} {
		put(t, db, "q", key, "x")
	}
	c := &clock{now: noon}
	var sent []string
	back := noon.Add(20 * time.Minute)
	d := &Deliverer{
		Store: db, Queue: "q", Now: c.Now, After: c.After, Tries: 2,
		Unavailable: func(err error) bool { return errors.Is(err, errDown) },
		GaveUp:      func(it Item, err error) { t.Errorf("%s was given up: %v", it.Key, err) },
		Send: func(_ context.Context, it Item) error {
			if c.now.Before(back) {
				sent = append(sent, "try "+it.Key)
				all, _ := due(t, db, "q", c.now)
				if len(sent) > 1 && (all[0].Tries != 0 || all[0].LastError != "post: 502") {
					t.Errorf("waiting: %+v", all[0])
				}
				return fmt.Errorf("post: %w", errDown)
			}
			sent = append(sent, it.Key)
			return nil
		},
	}
	if err := run(t, d); err != nil {
		t.Fatal(err)
	}
	n := len(sent)
	if n < 3+40 || n > 3+90 || !slices.Equal(sent[n-3:], []string{"a", "b", "c"}) {
		t.Errorf("sent %v", sent)
	}
	for _, s := range sent[:n-3] {
		if s != "try a" {
			t.Errorf("%q while the other side was away", s)
		}
	}
}

func TestOtherSideSaysWhenToComeBack(t *testing.T) {
	tests := []struct {
		name    string
		retryAt time.Time
		want    time.Duration
	}{
		{"in ten minutes", noon.Add(10 * time.Minute), 10 * time.Minute},
		{"in the past", noon.Add(-time.Hour), time.Second},
		{"in the year 9999", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Hour},
	}
	for _, tt := range tests {
		db := fresh(t)
		put(t, db, "q", "a", "x")
		c := &clock{now: noon}
		tries := 0
		d := &Deliverer{Store: db, Queue: "q", Now: c.Now, After: c.After, Send: func(context.Context, Item) error {
			if tries++; tries == 1 {
				return fmt.Errorf("post: %w", limit{tt.retryAt})
			}
			return nil
		}}
		if err := run(t, d); err != nil {
			t.Fatal(err)
		}
		if tries != 2 || len(c.waited) != 1 || c.waited[0] != tt.want {
			t.Errorf("%s: %d tries after %v, want one pause of %s", tt.name, tries, c.waited, tt.want)
		}
	}
}

func TestNewerTextWhileTheOlderIsSent(t *testing.T) {
	db := fresh(t)
	put(t, db, "q", "comment", "old")
	c := &clock{now: noon}
	var sent []string
	d := &Deliverer{Store: db, Queue: "q", Now: c.Now, After: c.After, Send: func(_ context.Context, it Item) error {
		if sent = append(sent, string(it.Body)); len(sent) == 1 {
			put(t, db, "q", "comment", "new")
		}
		return nil
	}}
	if err := run(t, d); err != nil {
		t.Fatal(err)
	}
	if want := []string{`"old"`, `"new"`}; !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
}

func TestWakeAndEnd(t *testing.T) {
	db := fresh(t)
	wake := make(chan struct{}, 1)
	sent := make(chan string, 1)
	ctx, cancel := context.WithCancel(context.Background())
	d := &Deliverer{Store: db, Queue: "q", Wake: wake, Send: func(_ context.Context, it Item) error { sent <- it.Key; return nil }}
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	for _, key := range []string{"a", "b"} {
		put(t, db, "q", key, "x")
		wake <- struct{}{}
		if got := <-sent; got != key {
			t.Errorf("sent %s, want %s", got, key)
		}
	}
	close(wake) // whoever puts is gone: nothing turns in circles, and the end still ends it
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

// A send that is cut off by the end is not the item's fault, and one that hangs is
// the other side's.
func TestStoppedSendIsNoRefusal(t *testing.T) {
	db := fresh(t)
	put(t, db, "q", "a", "x")
	ctx, cancel := context.WithCancel(context.Background())
	d := &Deliverer{Store: db, Queue: "q", Tries: 1, Now: func() time.Time { return noon },
		GaveUp: func(Item, error) { t.Error("given up") },
		Send:   func(ctx context.Context, _ Item) error { cancel(); <-ctx.Done(); return ctx.Err() }}
	if err := d.Run(ctx); err != nil {
		t.Fatal(err)
	}
	all, _ := due(t, db, "q", noon)
	if len(all) != 1 || all[0].Tries != 0 || all[0].LastError != "" {
		t.Errorf("after the stop: %+v", all)
	}
	d.Timeout = time.Nanosecond
	d.Send = func(ctx context.Context, _ Item) error { <-ctx.Done(); return fmt.Errorf("post: %w", ctx.Err()) }
	if _, _, err := d.step(context.Background()); err != nil {
		t.Fatal(err)
	}
	if all, _ := due(t, db, "q", noon); len(all) != 1 || all[0].Tries != 0 || !strings.Contains(all[0].LastError, "deadline") {
		t.Errorf("after a hang: %+v", all)
	}
}

// mortal is a store whose process dies before the given write, and after it.
type mortal struct {
	Store
	writes *int
}

var errDead = errors.New("killed")

func (m mortal) Update(f func(*bbolt.Tx) error) error {
	if *m.writes--; *m.writes < 0 {
		return errDead
	}
	return m.Store.Update(f)
}

// The process is killed between a send and the note of it, at every point: nothing
// is lost, each is sent again at most once for a kill, and what the other side has
// is what was put last.
func TestKilledBetweenSendAndDone(t *testing.T) {
	const items = 4
	for point := range items + 1 {
		path := filepath.Join(t.TempDir(), "db")
		db := database(t, path)
		for i := range items {
			put(t, db, "q", fmt.Sprint(i), "x")
		}
		var sent []string
		posted := map[string]bool{} // the other side, that finds what was posted before
		c := &clock{now: noon}
		deliverer := func(s Store) *Deliverer {
			return &Deliverer{Store: s, Queue: "q", Now: c.Now, After: c.After, Send: func(_ context.Context, it Item) error {
				sent = append(sent, it.Key)
				posted[it.Key] = true
				return nil
			}}
		}
		left := point
		err := run(t, deliverer(mortal{db, &left}))
		if died := point < items; died != errors.Is(err, errDead) {
			t.Fatalf("point %d: %v", point, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = database(t, path)
		if err := run(t, deliverer(db)); err != nil {
			t.Fatal(err)
		}
		want := []string{"0", "1", "2", "3"}
		if point < items {
			want = slices.Insert(want, point, want[point])
		}
		if !slices.Equal(sent, want) || len(posted) != items {
			t.Errorf("killed at %d: sent %v, want %v", point, sent, want)
		}
		if all, next := due(t, db, "q", noon); len(all) != 0 || !next.IsZero() {
			t.Errorf("killed at %d: left over: %v", point, all)
		}
	}
}

// Given up is said before it is written down: said twice at the worst, never not.
func TestKilledWhileGivingUp(t *testing.T) {
	db := fresh(t)
	put(t, db, "q", "a", "x")
	said, left := 0, 0
	d := &Deliverer{Store: mortal{db, &left}, Queue: "q", Tries: 1, Now: func() time.Time { return noon },
		Send: func(context.Context, Item) error { return errors.New("410") }, GaveUp: func(Item, error) { said++ }}
	if err := d.Run(context.Background()); !errors.Is(err, errDead) || said != 1 {
		t.Fatalf("%v, said %d times", err, said)
	}
	d.Store = db
	if err := run(t, d); err != nil || said != 2 {
		t.Errorf("%v, said %d times", err, said)
	}
}
