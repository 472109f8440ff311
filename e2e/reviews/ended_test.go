package reviews

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/runner"
)

// A pull request may be closed or merged while Mooring is at any point of its work: the points are the requests that
// Mooring makes after it was opened.
func TestClosedOrMergedDuringARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{apply: "before_merge", webhooks: true})
	w.serve()
	points := counts([]int{1, 4, 8, 12}, []int{1, 2, 3, 4, 6, 8, 10, 12, 15, 18})
	for i, point := range points {
		for _, way := range []string{"closed", "merged"} {
			if !full() && (i%2 == 0) != (way == "closed") {
				continue
			}
			_, since := w.proxy.requests(0)
			unit := fmt.Sprintf("%s-%d", way, i)
			pull := w.propose(unit, map[string]string{unit + "/main.tf": w.module(unit + " one")})
			w.await(20*time.Second, "Mooring's work", func() string {
				if all, _ := w.proxy.requests(since); len(all) >= point {
					return ""
				}
				return "too few requests"
			})
			if way == "closed" {
				pull.Close(w.author)
			} else {
				pull.Merge(w.author, "squash")
			}
			took := w.await(10*time.Second, "no lock and final statuses after "+unit, func() string {
				for context, s := range w.repo.Statuses(pull.State().Head) {
					if s.State == "pending" {
						return context + " is pending: " + s.Description
					}
				}
				return strings.Join(w.locks(), ", ")
			})
			t.Logf("%s after %d requests: settled after %s", way, point, took.Round(time.Millisecond))
			if way == "merged" { // nobody has said that it is to be applied: it is planned, and that is all
				w.await(time.Minute, "the plan of what was merged", func() string {
					all := w.runs()
					for _, run := range all {
						if u := run.Unit(unit); run.Trigger != runner.OnPullRequest && u != nil && u.Status == runner.Planned {
							return ""
						}
					}
					return fmt.Sprintf("%d runs, effects %q", len(all), w.lines())
				})
			}
			if w.applied(unit+" one") > 0 {
				t.Errorf("%s was applied although it was %s", unit, way)
			}
		}
	}
	// Nothing comes back later.
	last := w.propose("last", map[string]string{"README.md": "Other words\n"})
	w.converged(time.Minute, map[*gitea.Pull]expected{last: {report: []string{"no unit is affected"}}})
	if held := w.locks(); len(held) > 0 {
		t.Errorf("locks are left: %q", held)
	}
}
