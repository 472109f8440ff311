package locks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, &bbolt.Options{NoSync: true})
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
		if err != nil {
			t.Errorf("the database is inconsistent after the test: %v", err)
		}
		db.Close()
	})
	return db
}

func key(dir string) Key {
	return Key{Host: "git.example.com", Repository: "acme/infra", Kind: "workspace", Dir: dir, Workspace: "default"}
}

func TestSecondTakerIsToldWhomToAsk(t *testing.T) {
	db := open(t)
	err := db.Update(func(tx *bbolt.Tx) error {
		return Acquire(tx, key("infra/network"), Holder{Unit: "infra/network", Repository: "infra", Run: "r12", Reason: "apply of 1a2b3c4", Since: noon})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return Acquire(tx, key("infra/network"), Holder{Unit: "infra/network", Repository: "infra", Run: "r13", Since: noon.Add(time.Hour)})
	})
	var held *HeldError
	if !errors.As(err, &held) || !errors.Is(err, ErrHeld) {
		t.Fatalf("second taker got %v, want a HeldError", err)
	}
	want := "lock infra/network: held by r12 (apply of 1a2b3c4) since 2026-03-01T12:00:00Z"
	if err.Error() != want {
		t.Errorf("error = %q, want %q", err, want)
	}
}

func TestSameRunTakesItsLockAgain(t *testing.T) {
	db := open(t)
	for _, since := range []time.Time{noon, noon.Add(time.Hour)} {
		err := db.Update(func(tx *bbolt.Tx) error {
			return Acquire(tx, key("a"), Holder{Unit: "a", Run: "r1", Since: since})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	db.View(func(tx *bbolt.Tx) error {
		h, ok, err := Get(tx, key("a"))
		if err != nil || !ok || !h.Since.Equal(noon) {
			t.Errorf("holder = %+v, %v, %v; want it since noon", h, ok, err)
		}
		return nil
	})
}

func TestOnlyTheHolderReleases(t *testing.T) {
	db := open(t)
	db.Update(func(tx *bbolt.Tx) error { return Acquire(tx, key("a"), Holder{Unit: "a", Run: "r1", Since: noon}) })
	err := db.Update(func(tx *bbolt.Tx) error { return Release(tx, key("a"), "r2") })
	if !errors.Is(err, ErrNotHeld) {
		t.Fatalf("another run's release = %v, want ErrNotHeld", err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return Release(tx, key("a"), "r1") }); err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := Break(tx, key("a")); return err })
	if !errors.Is(err, ErrNotHeld) {
		t.Errorf("breaking a free lock = %v, want ErrNotHeld", err)
	}
}

// A lock whose transaction is rolled back was never taken.
func TestRollbackLeavesNoGhost(t *testing.T) {
	db := open(t)
	boom := errors.New("intent could not be written")
	err := db.Update(func(tx *bbolt.Tx) error {
		if err := Acquire(tx, key("a"), Holder{Unit: "a", Run: "r1", Since: noon}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	db.View(func(tx *bbolt.Tx) error {
		all, err := List(tx)
		if err != nil || len(all) != 0 {
			t.Errorf("locks = %v, %v; want none", all, err)
		}
		return nil
	})
}

func TestKeysCannotCollide(t *testing.T) {
	keys := []Key{
		{Host: "a", Repository: "b/c", Kind: "workspace", Dir: "d", Workspace: "e"},
		{Host: "a/b", Repository: "c", Kind: "workspace", Dir: "d", Workspace: "e"},
		{Host: "a", Repository: "b", Kind: "workspace", Dir: "c/d", Workspace: "e"},
		{Host: "a", Repository: "b/c", Kind: "workspace", Dir: "d/e", Workspace: ""},
		{Host: "a", Repository: "b/c", Kind: "workspace", Dir: "d\x00e", Workspace: ""},
		{Host: "a", Repository: "b/c", Kind: "manifests", Dir: "d", Workspace: "e"},
		{Host: "", Repository: "", Kind: "", Dir: "", Workspace: ""},
	}
	seen := map[string]Key{}
	for _, k := range keys {
		b := k.bytes()
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%+v and %+v are one key", k, other)
		}
		seen[string(b)] = k
		back, err := parseKey(b)
		if err != nil || back != k {
			t.Errorf("parse(bytes(%+v)) = %+v, %v", k, back, err)
		}
		for n := range b {
			if got, err := parseKey(b[:n]); err == nil {
				t.Errorf("a key cut at %d reads as %+v", n, got)
			}
		}
	}
}

func TestOneOfManyTakersWins(t *testing.T) {
	db := open(t)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			err := db.Update(func(tx *bbolt.Tx) error {
				return Acquire(tx, key("a"), Holder{Unit: "a", Run: fmt.Sprint("r", i), Since: noon})
			})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, ErrHeld) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d takers won, want 1", won.Load())
	}
}

// A random walk beside a plain map: they never disagree.
func TestLocksFollowAModel(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	db := open(t)
	model := map[string]string{}
	for step := range 10_000 {
		dir, run := fmt.Sprint("d", rnd.IntN(5)), fmt.Sprint("r", rnd.IntN(4))
		op := rnd.IntN(3)
		tx, err := db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		holder, taken := model[dir]
		switch op {
		case 0:
			err = Acquire(tx, key(dir), Holder{Unit: dir, Run: run, Since: noon})
			if (err == nil) != (!taken || holder == run) {
				t.Fatalf("step %d: acquire %s for %s with holder %q: %v", step, dir, run, holder, err)
			}
			if err == nil {
				model[dir] = run
			}
		case 1:
			err = Release(tx, key(dir), run)
			if (err == nil) != (taken && holder == run) {
				t.Fatalf("step %d: release %s by %s with holder %q: %v", step, dir, run, holder, err)
			}
			if err == nil {
				delete(model, dir)
			}
		case 2:
			h, err := Break(tx, key(dir))
			if (err == nil) != taken || h.Run != holder {
				t.Fatalf("step %d: break %s with holder %q: %+v, %v", step, dir, holder, h, err)
			}
			delete(model, dir)
		}
		all, err := List(tx)
		if err != nil || len(all) != len(model) {
			t.Fatalf("step %d: %d locks, %d in the model, %v", step, len(all), len(model), err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}
