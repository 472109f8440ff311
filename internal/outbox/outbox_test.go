package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func database(t *testing.T, path string) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				return err
			}
			return nil
		})
		if err != nil && !errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			t.Errorf("the database is inconsistent after the test: %v", err)
		}
		_ = db.Close() // closed already by a test that has opened it again
	})
	return db
}

func fresh(t *testing.T) *bbolt.DB { return database(t, filepath.Join(t.TempDir(), "db")) }

func update(t *testing.T, db *bbolt.DB, f func(tx *bbolt.Tx) error) {
	t.Helper()
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, db *bbolt.DB, queue, key, text string) {
	t.Helper()
	update(t, db, func(tx *bbolt.Tx) error {
		return Put(tx, noon, Item{Queue: queue, Key: key, Body: fmt.Appendf(nil, "%q", text)})
	})
}

func due(t *testing.T, db *bbolt.DB, queue string, now time.Time) (all []Item, next time.Time) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) (err error) { all, next, err = Due(tx, queue, now); return err })
	if err != nil {
		t.Fatal(err)
	}
	return all, next
}

// said are the keys and bodies of items.
func said(all []Item) []string {
	out := []string{}
	for _, it := range all {
		out = append(out, it.Key+"="+string(it.Body))
	}
	return out
}

func TestNewerTextTakesThePlaceOfTheOlder(t *testing.T) {
	db := fresh(t)
	put(t, db, "infra", "comment 7", "old")
	put(t, db, "infra", "status", "pending")
	put(t, db, "inf", "comment 7", "another queue's")
	all, _ := due(t, db, "infra", noon)
	older := all[0]
	update(t, db, func(tx *bbolt.Tx) error { return Retry(tx, older, noon.Add(time.Hour), "422") })
	update(t, db, func(tx *bbolt.Tx) error {
		return Put(tx, noon.Add(time.Minute), Item{Queue: "infra", Key: "comment 7", Body: json.RawMessage(`"new"`), Tries: 4, LastError: "x"})
	})
	all, next := due(t, db, "infra", noon.Add(time.Minute))
	if diff := cmp.Diff([]string{`comment 7="new"`, `status="pending"`}, said(all)); diff != "" || !next.IsZero() {
		t.Fatalf("due (-want +got), next %s:\n%s", next, diff)
	}
	if got := all[0]; got.Tries != 0 || got.LastError != "" || got.Seq == older.Seq || !got.Made.Equal(noon) {
		t.Errorf("the newer one = %+v; want it without tries, its own Seq, waiting since noon", got)
	}
	// What belongs to the older one no longer matters.
	update(t, db, func(tx *bbolt.Tx) error {
		return errors.Join(Done(tx, older), Retry(tx, older, noon.Add(time.Hour), "late"))
	})
	if again, _ := due(t, db, "infra", noon); !cmp.Equal(all, again) {
		t.Errorf("after the older one's end: %v, want %v", again, all)
	}
}

func TestRetryWaitsInItsPlace(t *testing.T) {
	db := fresh(t)
	for _, key := range []string{"a", "b", "c"} {
		put(t, db, "q", key, "x")
	}
	all, _ := due(t, db, "q", noon)
	update(t, db, func(tx *bbolt.Tx) error {
		return errors.Join(Retry(tx, all[0], noon.Add(2*time.Minute), "boom"), Retry(tx, all[1], noon.Add(time.Minute), "boom"))
	})
	now, next := due(t, db, "q", noon)
	if got := said(now); !slices.Equal(got, []string{`c="x"`}) || !next.Equal(noon.Add(time.Minute)) {
		t.Errorf("due at noon: %v, next %s", got, next)
	}
	now, next = due(t, db, "q", noon.Add(2*time.Minute))
	if got := said(now); !slices.Equal(got, []string{`a="x"`, `b="x"`, `c="x"`}) || !next.IsZero() {
		t.Errorf("due later: %v, next %s", got, next)
	}
	if now[0].Tries != 1 || now[0].LastError != "boom" {
		t.Errorf("the one that was tried = %+v", now[0])
	}
}

// What was recorded and what is told of it are there together or not at all.
func TestRollbackTellsNothing(t *testing.T) {
	db := fresh(t)
	boom := errors.New("the result could not be written")
	err := db.Update(func(tx *bbolt.Tx) error {
		return errors.Join(Put(tx, noon, Item{Queue: "q", Key: "k"}), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if all, next := due(t, db, "q", noon); len(all) != 0 || !next.IsZero() {
		t.Errorf("due = %v, next %s", all, next)
	}
}

func TestItemsNeedNamesAndABodyThatIsJSON(t *testing.T) {
	db := fresh(t)
	for _, it := range []Item{{Key: "k"}, {Queue: "q"}, {Queue: "q", Key: "k", Body: json.RawMessage("{")}} {
		if err := db.Update(func(tx *bbolt.Tx) error { return Put(tx, noon, it) }); err == nil {
			t.Errorf("%+v was taken", it)
		}
	}
	for _, f := range []func(tx *bbolt.Tx) error{
		func(tx *bbolt.Tx) error { return Done(tx, Item{Queue: "q", Key: "k"}) },
		func(tx *bbolt.Tx) error { return Retry(tx, Item{Queue: "q", Key: "k"}, noon, "") },
		func(tx *bbolt.Tx) error { return Drop(tx, "q", func(Item) bool { return true }) },
	} {
		if err := db.Update(f); err != nil {
			t.Errorf("of nothing: %v", err)
		}
	}
}

// A random walk beside a plain list: they never disagree.
func TestOutboxFollowsAModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "db")
	db := database(t, path)
	var model []Item // in the order of their places
	lastSeq := uint64(0)
	undone := errors.New("rolled back")
	for step := range 1000 {
		now := noon.Add(time.Duration(step) * time.Second)
		queue, key := fmt.Sprint("q", rnd.IntN(3)), fmt.Sprint("k", rnd.IntN(6))
		at := slices.IndexFunc(model, func(it Item) bool { return it.Queue == queue && it.Key == key })
		handle := Item{Queue: queue, Key: key}
		if at >= 0 {
			handle = model[at]
		}
		if stale := rnd.IntN(4) == 0; stale {
			handle.Seq, at = 0, -1
		}
		next := slices.Clone(model)
		var f func(tx *bbolt.Tx) error
		switch op := rnd.IntN(8); op {
		case 0, 1, 2:
			it := Item{Queue: queue, Key: key, Body: fmt.Appendf(nil, "%d", step)}
			if rnd.IntN(3) == 0 {
				it.NotBefore = now.Add(time.Duration(rnd.IntN(60)) * time.Second)
			}
			f = func(tx *bbolt.Tx) error { return Put(tx, now, it) }
			it.Made = now
			if i := slices.IndexFunc(model, func(m Item) bool { return m.Queue == queue && m.Key == key }); i >= 0 {
				it.Made = model[i].Made
				next[i] = it
			} else {
				next = append(next, it)
			}
		case 3, 4:
			f = func(tx *bbolt.Tx) error { return Done(tx, handle) }
			if at >= 0 {
				next = slices.Delete(next, at, at+1)
			}
		case 5:
			until := now.Add(time.Duration(rnd.IntN(30)) * time.Second)
			f = func(tx *bbolt.Tx) error { return Retry(tx, handle, until, "no") }
			if at >= 0 {
				next[at].Tries++
				next[at].NotBefore, next[at].LastError = until, "no"
			}
		case 6:
			match := func(it Item) bool { return it.Key < key }
			f = func(tx *bbolt.Tx) error { return Drop(tx, queue, match) }
			next = slices.DeleteFunc(next, func(it Item) bool { return it.Queue == queue && match(it) })
		case 7:
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = database(t, path)
			continue
		}
		rollback := rnd.IntN(5) == 0
		err := db.Update(func(tx *bbolt.Tx) error {
			if err := f(tx); err != nil || !rollback {
				return err
			}
			return undone
		})
		if err != nil && !errors.Is(err, undone) {
			t.Fatalf("step %d: %v", step, err)
		}
		if !rollback {
			model = next
		}
		lastSeq = compare(t, db, model, step, now, lastSeq)
	}
}

// compare lets the model learn the numbers that were given, and checks that they
// only grow.
func compare(t *testing.T, db *bbolt.DB, model []Item, step int, now time.Time, lastSeq uint64) uint64 {
	t.Helper()
	highest := lastSeq
	var all []Item
	if err := db.View(func(tx *bbolt.Tx) (err error) { all, err = List(tx); return err }); err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
	for i := range model {
		for _, got := range all {
			if got.Queue != model[i].Queue || got.Key != model[i].Key {
				continue
			}
			if model[i].Seq == 0 {
				if got.Seq <= lastSeq {
					t.Fatalf("step %d: %+v has a number that was given before; the last was %d", step, got, lastSeq)
				}
				model[i].Seq = got.Seq
			}
			highest = max(highest, got.Seq)
		}
	}
	count := 0
	for _, queue := range []string{"q0", "q1", "q2"} {
		want := []Item{}
		var wantNext time.Time
		for _, it := range model {
			switch {
			case it.Queue != queue:
			case !it.NotBefore.After(now):
				want = append(want, it)
			case wantNext.IsZero() || it.NotBefore.Before(wantNext):
				wantNext = it.NotBefore
			}
			if it.Queue == queue {
				if !cmp.Equal(all[count], it) {
					t.Fatalf("step %d: List has %+v at %d, want %+v", step, all[count], count, it)
				}
				count++
			}
		}
		got, next := due(t, db, queue, now)
		if diff := cmp.Diff(want, append([]Item{}, got...)); diff != "" || !next.Equal(wantNext) {
			t.Fatalf("step %d: due of %s (-want +got), next %s, want %s:\n%s", step, queue, next, wantNext, diff)
		}
	}
	if count != len(all) {
		t.Fatalf("step %d: %d items, %d in the model", step, len(all), count)
	}
	return highest
}
