package notify

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func titled(key, title string) Message {
	m := message(key)
	m.Title = title
	return m
}

func TestADriftIsToldOnce(t *testing.T) {
	r, c := newReceiver(t), newClock()
	db := fresh(t)
	n := notifier(t, db, c, Config{Channels: []Channel{r.channel("hook")}})
	stop := running(t, n)
	for range 20 {
		put(t, n, titled("new", "New"))
	}
	eventually(t, "the first message", r.came, func() bool { return waiting(t, n) == 0 })
	put(t, n, titled("new", "New")) // after it has left the outbox
	put(t, n, titled("changed", "Changed"))
	eventually(t, "the second message", r.came, func() bool { return waiting(t, n) == 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	n = notifier(t, db, c, n.o.Config)
	stop = running(t, n)
	put(t, n, titled("changed", "Changed")) // and after a restart
	put(t, n, titled("resolved", "Resolved"))
	eventually(t, "the third message", r.came, func() bool { return waiting(t, n) == 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"New", "Changed", "Resolved"}; !slices.Equal(r.titles(), want) || r.requests() != 3 {
		t.Errorf("told %v in %d requests, want %v", r.titles(), r.requests(), want)
	}
}

// The process is killed before every write of a story, and goes on: each message is told
// exactly once to a receiver that drops doubles, and none is lost.
func TestKilledBetweenAnyTwoStepsItIsToldExactlyOnce(t *testing.T) {
	for _, digest := range []time.Duration{0, time.Hour} {
		for point := range 12 {
			t.Run(fmt.Sprintf("digest %s, write %d", digest, point), func(t *testing.T) {
				r, c := newReceiver(t), newClock()
				hook := r.channel("hook")
				hook.Digest = digest
				conf := Config{Channels: []Channel{hook}}
				path := filepath.Join(t.TempDir(), "db")
				db := database(t, path)
				left, killed := point, false
				story := func(store mortal) error {
					n := notifier(t, store, c, conf)
					for _, key := range []string{"new", "changed", "resolved"} {
						if err := store.Update(func(tx *bbolt.Tx) error { return n.Put(tx, titled(key, key)) }); err != nil {
							return err
						}
					}
					c.advance(digest)
					stop := running(t, n)
					eventually(t, "all are told", r.came, func() bool {
						store.mu.Lock()
						dead := *store.writes < 0
						store.mu.Unlock()
						return dead || waiting(t, n) == 0
					})
					return stop()
				}
				if err := story(mortal{db, &left, new(sync.Mutex)}); err != nil {
					if !errors.Is(err, errDead) {
						t.Fatal(err)
					}
					killed = true
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				db = database(t, path)
				left = 1000
				if err := story(mortal{db, &left, new(sync.Mutex)}); err != nil {
					t.Fatal(err)
				}
				count := map[string]int{}
				for _, call := range r.calls {
					for _, m := range call.Messages {
						count[m.Key]++
					}
				}
				for _, key := range []string{"new", "changed", "resolved"} {
					if count[key] != 1 {
						t.Errorf("%s was told %d times (killed: %v)", key, count[key], killed)
					}
				}
				if over := r.requests() - len(r.calls); over > 1 {
					t.Errorf("%d requests were doubled by one kill", over)
				}
			})
		}
	}
}

func TestAPutThatIsRolledBackTellsNothing(t *testing.T) {
	r, c := newReceiver(t), newClock()
	n := notifier(t, fresh(t), c, Config{Channels: []Channel{r.channel("hook")}})
	errNo := errors.New("no")
	err := n.o.Store.Update(func(tx *bbolt.Tx) error {
		if err := n.Put(tx, message("k")); err != nil {
			t.Error(err)
		}
		return errNo
	})
	if !errors.Is(err, errNo) || waiting(t, n) != 0 {
		t.Errorf("%v, and %d wait", err, waiting(t, n))
	}
	put(t, n, message("k"))
	if waiting(t, n) != 1 {
		t.Error("what was rolled back counts as told")
	}
}

// One channel is down: the others go on, hear of it once, and once that it is well again;
// what was to be told by it is told then.
func TestADeadChannelIsToldToTheOthersOnce(t *testing.T) {
	sick, good, c := newReceiver(t), newReceiver(t), newClock()
	db := fresh(t)
	n := notifier(t, db, c, Config{Channels: []Channel{sick.channel("sick"), good.channel("good")}})
	stop := running(t, n)
	sick.fail(true)
	put(t, n, titled("one", "One"))
	eventually(t, "the other channel is told", good.came, func() bool { return len(good.titles()) == 1 })
	health := func() ChannelHealth {
		all, err := n.Health()
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	eventually(t, "it is seen to fail", sick.came, func() bool { return !health().Since.IsZero() })
	eventually(t, "it is dead", sick.came, func() bool {
		c.advance(10 * time.Second)
		return health().Dead
	})
	if now := c.Now(); now.Sub(noon) < deadAfter {
		t.Errorf("dead after %s already", now.Sub(noon))
	}
	h := health()
	if !h.Since.Equal(noon) || !strings.Contains(h.Error, "502") || h.Waiting != 1 {
		t.Errorf("health: %+v", h)
	}
	eventually(t, "the others hear of it", good.came, func() bool { return len(good.titles()) == 2 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	n = notifier(t, db, c, n.o.Config) // a restart forgets nothing of it
	stop = running(t, n)
	eventually(t, "it is dead after a restart", sick.came, func() bool { return health().Dead })
	sick.fail(false)
	eventually(t, "it is well", sick.came, func() bool {
		c.advance(time.Minute)
		return health().Since.IsZero()
	})
	eventually(t, "all is told", good.came, func() bool { return waiting(t, n) == 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"One"}; !slices.Equal(sick.titles(), want) {
		t.Errorf("the sick one: %q, want %q", sick.titles(), want)
	}
	if want := []string{"One", "[critical] Channel sick is dead", "Channel sick is well again"}; !slices.Equal(good.titles(), want) {
		t.Errorf("the good one: %q, want %q", good.titles(), want)
	}
}

func TestAChannelThatIsTakenAwayTakesWhatWaitsWithIt(t *testing.T) {
	r, c := newReceiver(t), newClock()
	db := fresh(t)
	put(t, notifier(t, db, c, Config{Channels: []Channel{r.channel("old"), r.channel("new")}}), message("k"))
	n := notifier(t, db, c, Config{Channels: []Channel{r.channel("new")}})
	stop := running(t, n)
	eventually(t, "the other is told", r.came, func() bool { return waiting(t, n) == 0 })
	if err := stop(); err != nil || r.requests() != 1 {
		t.Errorf("%v, %d requests, want one", err, r.requests())
	}
	err := db.View(func(tx *bbolt.Tx) error {
		if written(tx, toldNotes, "old") != nil {
			t.Error("what the old one was told is kept")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestToldKeysAreForgottenByAge(t *testing.T) {
	r, c := newReceiver(t), newClock()
	n := notifier(t, fresh(t), c, Config{Channels: []Channel{r.channel("hook")}})
	put(t, n, message("old"))
	c.advance(toldFor / 2)
	put(t, n, message("newer"))
	c.advance(toldFor/2 + time.Second)
	if err := n.prune(); err != nil {
		t.Fatal(err)
	}
	err := n.o.Store.View(func(tx *bbolt.Tx) error {
		b := written(tx, toldNotes, "hook")
		if b.Get([]byte("old")) != nil || b.Get([]byte("newer")) == nil {
			t.Error("the old key is kept, or the newer is not")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRoutesChooseChannels(t *testing.T) {
	channels := []Channel{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	drift := Message{Event: Drift, Severity: Warning, Repository: "infra", Unit: "live/prod/net"}
	tests := []struct {
		name   string
		routes []Route
		m      Message
		want   string
	}{
		{"no route, a warning", nil, drift, "a b c"},
		{"no route, an information", nil, Message{Event: Drift}, ""},
		{"no route, something applied", nil, Message{Event: Applied, Severity: Critical}, ""},
		{"each once, in the file's order", []Route{{Channels: []string{"c", "a"}}, {Channels: []string{"a"}}}, drift, "a c"},
		{"a unit below", []Route{{Channels: []string{"b"}, Units: []string{"live/**"}}}, drift, "b"},
		{"one star is one level", []Route{{Channels: []string{"b"}, Units: []string{"live/*"}}}, drift, ""},
		{"another repository", []Route{{Channels: []string{"b"}, Repositories: []string{"apps*"}}}, drift, ""},
		{"not severe enough", []Route{{Channels: []string{"b"}, Severity: Critical}}, drift, ""},
		{"another event", []Route{{Channels: []string{"b"}, Events: []Event{Failed, Held}}}, drift, ""},
		{"everything fits", []Route{{Channels: []string{"b"}, Repositories: []string{"in*"}, Units: []string{"x", "**"}, Severity: Warning, Events: []Event{Drift}}}, drift, "b"},
	}
	for _, tt := range tests {
		got := strings.Join(Config{Channels: channels, Routes: tt.routes}.matching(tt.m), " ")
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
