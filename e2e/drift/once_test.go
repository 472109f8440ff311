package drift

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/program"
)

// everySecond has Mooring scan each unit once a second, found clean or not.
const everySecond = "drift {\n  every   = \"1s\"\n  backoff = 1\n}\n"

// chance draws moments; the seed is printed, and MOORING_DRIFT_SEED gives it back.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MOORING_DRIFT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("MOORING_DRIFT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// shake kills Mooring n times, each at a drawn moment after its start, and starts it again.
func (w *world) shake(rng *rand.Rand, n int) {
	w.t.Helper()
	for range n {
		moment := time.NewTimer(time.Duration(rng.Int64N(int64(1500 * time.Millisecond))))
		select {
		case <-moment.C:
		case <-w.mooring.Ended: // kill says so
		}
		w.kill()
		w.start()
	}
}

// killAtNext does something that people are told of, kills Mooring when the message is there and before Mooring knows
// that it is, starts it again, and waits until it has told it once more.
func (w *world) killAtNext(what string, do func()) {
	w.t.Helper()
	again := w.hook.again()
	came, release := w.hook.holdNext()
	defer release()
	do()
	select {
	case <-came:
	case <-time.After(time.Minute):
		w.t.Fatalf("waited in vain for the message that %s:\n%s", what, program.Tail(w.mooring.Said()))
	}
	w.kill()
	release()
	w.start()
	w.await(time.Minute, "the message to come again that "+what, func() string {
		if w.hook.again() == again {
			return program.Tail(w.mooring.Said())
		}
		return ""
	})
}

// Twenty scans of one drift are one alert; it changes: one more; it is gone: one that says so. The server is killed all
// the while.
func TestADriftIsToldOnceHoweverOftenMooringIsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{files: func(w *world) map[string]string {
		return map[string]string{"mooring.hcl": everySecond, "a/main.tf": w.states.Backend("/a") + "resource \"terraform_data\" \"a\" {\n  input = \"one\"\n}\n"}
	}})
	rng := chance(t)
	w.sync(0)
	w.scan(0, "drift") // what others make of a state is told from what the first scan saw
	w.serve()
	var want []string
	for _, step := range []struct{ old, new, news string }{
		{"one", "two", "drift new a"},
		{"two", "three", "drift changed a"},
		{"three", "one", "drift resolved a"},
	} {
		w.killAtNext("says "+step.news, func() { w.edit("/a", step.old, step.new) })
		want = append(want, step.news)
		w.states.ResetRequests()
		w.shake(rng, 5)
		scans := 5
		if step.news == "drift new a" {
			scans = 20
		}
		w.await(time.Minute, fmt.Sprintf("%d scans", scans), func() string {
			if n := w.scans("/a"); n < scans {
				return fmt.Sprintf("%d were made; Mooring says\n%s", n, program.Tail(w.mooring.Said()))
			}
			return ""
		})
		if got := w.hook.heard("drift"); !slices.Equal(got, want) {
			t.Fatalf("told of %q, want %q", got, want)
		}
	}
	t.Logf("killed %d times; %d messages came again under their ids", w.starts-1, w.hook.again())
	w.stop()
	if all := w.drifts("history"); len(all) != 1 || all[0].Ended == nil || all[0].EndedBy != "outside" {
		t.Errorf("history has %+v", all)
	}
	if got := w.hook.heard("failed", "held", "operator"); len(got) != 0 {
		t.Errorf("told of what never was: %q", got)
	}
}

// What was applied, what failed and what waits is told once as well.
func TestWhatRunsComeToIsToldOnce(t *testing.T) {
	t.Parallel()
	module := func(w *world, body string) map[string]string {
		return map[string]string{"a/main.tf": w.states.Backend("/a") + body}
	}
	resource := "resource \"terraform_data\" \"a\" {\n  input = \"one\"\n}\n"
	w := newWorld(t, setting{files: func(w *world) map[string]string { return module(w, resource) }})
	rng := chance(t)
	w.killAtNext("it was applied", func() { w.start() })
	w.shake(rng, 2)
	w.killAtNext("it failed", func() {
		w.repo.Write("Break it", module(w, "resource \"terraform_data\" \"a\" {\n  input = \"one\"\n  lifecycle {\n    precondition {\n      condition     = self.input == \"two\"\n      error_message = \"never\"\n    }\n  }\n}\n"))
	})
	w.shake(rng, 2)
	w.killAtNext("it waits", func() { w.repo.Write("Remove it", module(w, "")) })
	w.shake(rng, 2)
	w.await(time.Minute, "Mooring to serve", func() string {
		if code, out, errs := w.run("runs"); code != 0 {
			return out + errs
		}
		return ""
	})
	w.stop()
	if got, want := w.hook.heard("applied", "failed", "held", "drift", "operator"), []string{"applied  ", "failed  a", "held  a"}; !slices.Equal(got, want) {
		t.Errorf("told of %q, want %q", got, want)
	}
}
