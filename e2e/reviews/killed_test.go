package reviews

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/program"
)

// heldAnswer lets one request through to Gitea and keeps its answer until Mooring is dead.
type heldAnswer struct {
	taken chan struct{} // closed when Gitea has done it
	dead  chan struct{}
}

// holdAnswer keeps the answer of the next request that fits.
func (w *world) holdAnswer(fits func(*asked) bool) *heldAnswer {
	h := &heldAnswer{taken: make(chan struct{}), dead: make(chan struct{})}
	first := make(chan struct{}, 1)
	first <- struct{}{}
	w.proxy.faults(nil, func(a *asked) *fault {
		if !a.Taken || !fits(a) {
			return nil
		}
		select {
		case <-first:
		default:
			return nil
		}
		close(h.taken)
		<-h.dead
		return &fault{Drop: true}
	})
	return h
}

// killAt kills Mooring when Gitea has done what Mooring does not know it has, and starts it again.
func (w *world) killAt(h *heldAnswer, what string) {
	w.t.Helper()
	defer close(h.dead)
	select {
	case <-h.taken:
	case <-time.After(time.Minute):
		w.t.Fatalf("waited in vain for %s:\n%s", what, program.Tail(w.mooring.Said()))
	}
	w.kill()
	w.proxy.faults(nil, nil)
}

func post(part string) func(*asked) bool {
	return func(a *asked) bool { return a.Method == http.MethodPost && strings.Contains(a.Path, part) }
}

func TestKilledBetweenAPostAndItsAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setting{})
	w.serve()
	steps := []struct {
		what string
		fits func(*asked) bool
		word string // typed in the pull request
	}{
		{"the report's post", post("/comments"), ""},
		{"a status", post("/statuses/"), ""},
		{"an answer", post("/comments"), "mooring help"},
		{"a reaction", post("/reactions"), "mooring hlep"},
		{"an edit of the report", func(a *asked) bool { return a.Method == http.MethodPatch }, "mooring plan"},
	}
	times := counts(len(steps), 20)
	for i := range times {
		step := steps[i%len(steps)]
		files := map[string]string{fmt.Sprintf("docs/%d.md", i): "Words\n"}
		want := expected{report: []string{"no unit is affected"}, status: map[string]string{"mooring/plan": "success"}}
		if step.word == "mooring plan" {
			files = map[string]string{fmt.Sprintf("u%d/main.tf", i): w.module(fmt.Sprintf("u%d one", i))}
			want.report = []string{"1 to add"}
		}
		var h *heldAnswer
		var pull *gitea.Pull
		if step.word == "" {
			h = w.holdAnswer(step.fits)
			pull = w.propose(fmt.Sprintf("topic-%d", i), files)
		} else {
			pull = w.propose(fmt.Sprintf("topic-%d", i), files)
			w.converged(time.Minute, map[*gitea.Pull]expected{pull: want})
			h = w.holdAnswer(step.fits)
			comment := pull.Comment(w.author, step.word)
			if step.word != "mooring plan" {
				want.answers = 1
			}
			defer func() {
				if eyes := pull.Reactions(comment)["eyes"]; len(eyes) != 1 {
					t.Errorf("%s: reactions %q to the command", step.what, eyes)
				}
			}()
		}
		w.killAt(h, step.what)
		w.serve()
		took := w.converged(time.Minute, map[*gitea.Pull]expected{pull: want})
		t.Logf("killed at %s: one of everything %s after the start", step.what, took.Round(time.Millisecond))
	}
}
