package main

import (
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/runner"
)

// patience is how many passes may fail in turn: the first ones may meet what a dead runner left.
const patience = 5

// flagged is a unit that Mooring held for a person, and the words it had for it.
type flagged struct{ unit, why string }

// converge takes passes until there is nothing to do, saying yes to whatever waits, and answers what waited. What fails
// otherwise ends the round. With a server running the passes are its own.
func (w *world) converge() []flagged {
	var flags []flagged
	deadline, fruitless := time.Now().Add(limit), 0
	for {
		runs, code := w.sync()
		if len(runs) == 0 && code == 0 {
			return flags
		}
		fruitless++
		for _, run := range runs {
			units, why := waiting(run)
			if len(units) == 0 {
				continue
			}
			for _, u := range units {
				flags = append(flags, flagged{u, why})
				w.approve(run, u)
				fruitless = 0
			}
		}
		if code == 1 && fruitless > patience {
			w.failf("%d passes failed one after the other; the last: %s", fruitless, summary(runs))
		}
		if time.Now().After(deadline) {
			w.failf("it does not converge within %s; the last pass, exit %d: %s", limit, code, summary(runs))
		}
	}
}

// approve says yes to a unit. To one that was interrupted that asks for a new plan, which applies nothing; when the new
// plan is approved, what happens again in the unit happens by a person's word.
func (w *world) approve(run runner.Run, unit string) {
	u := run.Unit(unit)
	if u != nil && u.Status == runner.Held && afterInterruption(u.Reason) {
		w.mark(strings.TrimPrefix(unit, "ws/"), eventApproved)
	}
	if r := w.run("approve", run.ID, unit, "--by", "chaos"); r.code != 0 {
		w.failf("approve %s %s: %s", run.ID, unit, r)
	}
}

// afterInterruption tells that a plan waits because of an apply whose end nobody saw.
func afterInterruption(reason string) bool { return strings.Contains(reason, "interrupted") }

// unflagged ends the round when a unit was flagged although nothing of it may be: its effects had begun and went on.
func (w *world) unflagged(flags []flagged) (early int) {
	for _, f := range flags {
		ws := strings.TrimPrefix(f.unit, "ws/")
		if slices.ContainsFunc(w.lines(), func(l line) bool { return l.workspace == ws && l.generation == w.now() && l.event == eventStart }) {
			w.failf("a runner's death interrupted an apply that should have gone on: %s", f.why)
		}
		early++
	}
	return early
}

// recorded ends the round unless the history says of every workspace that a commit's generation was applied, once.
func (w *world) recorded(commit string) {
	applied := map[string]int{}
	for _, run := range w.history() {
		if run.Commit != commit {
			continue
		}
		for _, u := range run.Units {
			if u.Status == runner.Applied {
				applied[u.ID]++
			}
		}
	}
	for _, m := range w.modules {
		if n := applied["ws/"+m.workspace]; n != 1 {
			w.failf("the history has %d runs that applied ws/%s at %.7s, want 1: %s", n, m.workspace, commit, summary(w.history()))
		}
	}
}

func summary(runs []runner.Run) string {
	var b strings.Builder
	for _, r := range runs {
		b.WriteString("\n    " + r.ID + " " + string(r.Status) + " " + r.Error)
		for _, u := range r.Units {
			b.WriteString(" · " + u.ID + " " + string(u.Status) + " " + clip(u.Error+u.Reason))
		}
	}
	return b.String()
}
