package drift

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/httpstate"
	"github.com/mooring-iac/mooring/e2e/program"
	"github.com/mooring-iac/mooring/runner"
)

// Whoever holds a state is left alone: the scan is tried again, and never goes past the lock.
func TestALockedStateIsSkippedAndTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{files: func(w *world) map[string]string {
		return map[string]string{"mooring.hcl": everySecond, "a/main.tf": w.states.Backend("/a") + "resource \"terraform_data\" \"a\" {\n  input = \"one\"\n}\n"}
	}})
	w.sync(0)
	w.edit("/a", "one", "two")
	w.states.SetLock("/a", httpstate.Lock{ID: "11111111-2222-3333-4444-555555555555", Operation: "OperationTypeApply", Who: "ada@laptop", Created: time.Now()})
	run := w.scan(0, "drift")
	if u := run.Unit("a"); u.Status != runner.Skipped || !strings.Contains(u.Reason, "ada@laptop") {
		t.Errorf("a locked unit is %s: %s%s", u.Status, u.Reason, u.Error)
	}
	w.states.ResetRequests()
	w.serve()
	w.await(time.Minute, "three tries", func() string {
		n := 0
		for _, r := range w.states.Requests() {
			if r.Method == "LOCK" && r.Status == http.StatusLocked {
				n++
			}
		}
		if n < 3 {
			return fmt.Sprintf("%d were made; Mooring says\n%s", n, program.Tail(w.mooring.Said()))
		}
		return ""
	})
	if got := w.hook.heard("drift", "failed", "operator"); len(got) != 0 {
		t.Errorf("told of %q while somebody held the state", got)
	}
	if l, locked := w.states.Lock("/a"); !locked || l.Who != "ada@laptop" {
		t.Errorf("the lock is %+v, %v", l, locked)
	}
	w.states.SetLock("/a", httpstate.Lock{})
	w.await(time.Minute, "the drift to be told", func() string {
		if got := w.hook.heard("drift"); !slices.Equal(got, []string{"drift new a"}) {
			return fmt.Sprintf("told of %q; Mooring says\n%s", got, program.Tail(w.mooring.Said()))
		}
		return ""
	})
}

// A scan that takes for ever is in nobody's way: a commit is applied while the state's server keeps the scan waiting.
func TestAnApplyDoesNotWaitForAScan(t *testing.T) {

	t.Parallel()
	module := func(w *world, value string) map[string]string {
		return map[string]string{"a/main.tf": w.states.Backend("/a") + fmt.Sprintf("resource \"terraform_data\" \"a\" {\n  input = %q\n}\n", value)}
	}
	w := newWorld(t, setting{files: func(w *world) map[string]string {
		files := module(w, "one")
		files["mooring.hcl"] = everySecond
		return files
	}})
	w.sync(0)
	w.states.ResetRequests()
	w.states.Inject(httpstate.Fault{Method: http.MethodGet, Path: "/a", Count: 1, How: httpstate.Hang})
	w.serve()
	hangs := func() int {
		return slices.IndexFunc(w.states.Requests(), func(r httpstate.Request) bool { return r.Fault == httpstate.Hang })
	}
	w.await(time.Minute, "a scan to wait for the state", func() string {
		if hangs() < 0 {
			return program.Tail(w.mooring.Said())
		}
		return ""
	})
	before := len(w.states.Requests())
	began := time.Now()
	w.repo.Write("Change it", module(w, "two"))
	w.await(20*time.Second, "the apply to begin", func() string {
		for _, r := range w.states.Requests()[before:] {
			if r.Method == http.MethodGet || r.Method == "LOCK" {
				return ""
			}
		}
		return program.Tail(w.mooring.Said())
	})
	t.Logf("Terraform of the run began %s after the commit, polled every 300ms", time.Since(began).Round(time.Millisecond))
	w.await(time.Minute, "the commit to be applied", func() string {
		if !strings.Contains(string(w.states.State("/a").Raw), `"two"`) {
			return program.Tail(w.mooring.Said())
		}
		return ""
	})
	if got := w.hook.heard("drift", "failed", "held", "operator"); len(got) != 0 {
		t.Errorf("told of %q", got)
	}
}
