package reviews

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/runner"
)

// SIGTERM with plans under way ends within the grace, and the next start makes the plans.
func TestStoppedWithPlansUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{webhooks: true, grace: "20s"})
	w.serve()
	want := map[*gitea.Pull]expected{}
	done := expected{report: []string{"1 to add"}, status: map[string]string{"mooring/plan": "success", "mooring/policy": "success"}}
	for range counts(2, 6) {
		_, since := w.proxy.requests(0)
		branch := "topic-" + string(rune('a'+len(want)))
		pull := w.propose(branch, map[string]string{branch + "/main.tf": w.module(branch + " one")})
		want[pull] = done
		w.await(30*time.Second, "a plan to be under way", func() string {
			all, _ := w.proxy.requests(since)
			for _, a := range all {
				if post("/statuses/")(&a) {
					return ""
				}
			}
			return "no status was set"
		})
		took := w.drain(20 * time.Second)
		t.Logf("drained with a plan under way within %s", took.Round(time.Millisecond))
		w.serve()
		w.converged(time.Minute, want)
	}
	if held := w.locks(); len(held) > 0 {
		t.Errorf("locks are left: %q", held)
	}
}

// One `mooring sync` looks, plans and tells, as a server does over time; a pull request that waits for its merge is
// nothing that waits for a person of the branch.
func TestSyncReviewsToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{})
	sync := func() (int, []runner.Run) {
		t.Helper()
		code, out, errs := w.run("sync", "-q", "-o", "json")
		var list struct {
			Runs  []runner.Run
			Error string
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil || list.Error != "" {
			t.Fatalf("sync: exit %d, %v %s\n%s%s", code, err, list.Error, out, errs)
		}
		return code, list.Runs
	}
	sync()
	good := w.propose("good", map[string]string{"good/main.tf": w.module("good one")})
	broken := w.propose("broken", map[string]string{"broken/main.tf": "resource \"terraform_data\" \"x\" {\n  input = missing.value\n}\n"})
	code, runs := sync()
	for pull, want := range map[*gitea.Pull]expected{
		good:   {report: []string{"1 to add"}, status: map[string]string{"mooring/plan": "success"}},
		broken: {report: []string{"failed"}, status: map[string]string{"mooring/plan": "failure"}},
	} {
		if why := w.lacks(pull, want); why != "" {
			t.Error(why)
		}
	}
	if code != 0 {
		t.Errorf("exit %d with pull requests that are planned, one of which does not work", code)
	}
	planned := map[int]runner.Status{}
	for _, run := range runs {
		if run.Trigger == runner.OnPullRequest {
			planned[run.PullRequest] = run.Status
		}
	}
	if len(runs) != 2 || planned[good.Number] != runner.Planned || planned[broken.Number] != runner.Failed {
		t.Errorf("sync printed %d runs: %v", len(runs), planned)
	}
	if code, runs := sync(); code != 0 || len(runs) != 0 {
		t.Errorf("a second sync: exit %d, %d runs", code, len(runs))
	}
	good.Approve(w.reviewer)
	good.Merge(w.author, "merge")
	if code, runs := sync(); code != 0 || len(runs) != 1 || runs[0].Status != runner.Applied {
		t.Errorf("the sync after the merge: exit %d, %+v", code, runs)
	}
	if n := w.applied("good one"); n != 1 {
		t.Errorf("applied %d times", n)
	}
	sync() // what the apply came to is told by the same sync, or the next
	if why := w.lacks(good, expected{report: []string{"Applied"}, status: map[string]string{"mooring/apply": "success"}}); why != "" {
		t.Error(why)
	}
}
