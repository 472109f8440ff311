package runner

import (
	"maps"
	"slices"

	"github.com/mooring-iac/mooring/workspace"
)

// mode says what a pass is for.
type mode int

const (
	polled  mode = iota // a poll: a moved branch and what people decided
	retried             // a poll after a failure that may pass by itself
	asked               // a person asked: failed units too
)

// choose returns the ids of the units that a pass takes: those the commit
// affects when compared with what each last converged on, those whose failure is
// to be tried again, and all dependants of both. moved tells that the branch has
// a new head, back which units are taken of an old one as if it were new, applies that plans are applied now: what was only planned before
// is then taken. changed answers which units are affected directly by what differs
// between what it was read from and the head.
func choose(g *workspace.Graph, known map[string]*memory, m mode, moved bool, back map[string]bool, applies bool, changed func(since reading) map[string]bool) []string {
	take := map[string]bool{}
	for _, u := range g.Units {
		if k := known[u.ID]; wanted(u.ID, k, m, moved || back[u.ID], changed) || applies && k != nil && k.Taken != nil && k.Taken.Status == Planned {
			take[u.ID] = true
		}
	}
	for _, id := range slices.Collect(maps.Keys(take)) {
		needOutputs(g, known, id, take)
	}
	if !moved {
		dropStuck(g, known, take)
	}
	news := map[string]bool{}
	for _, id := range g.WithDependants(slices.DeleteFunc(slices.Collect(maps.Keys(back)), func(id string) bool { return !take[id] })) {
		news[id] = true
	}
	return slices.DeleteFunc(g.WithDependants(slices.Collect(maps.Keys(take))), func(id string) bool {
		// On an unmoved branch an upstream that is tried again brings no news for a
		// dependant that had its turn.
		k := known[id]
		return !moved && !news[id] && !take[id] && k != nil && (k.Taken == nil || !retryable(k.Taken.Status))
	})
}

// needOutputs takes the upstreams whose outputs a unit refers to and that nobody
// has kept, because nobody referred to them when they last ran.
func needOutputs(g *workspace.Graph, known map[string]*memory, id string, take map[string]bool) {
	for _, up := range g.Upstream(id) {
		if k := known[up]; k != nil && k.Kind == KindWorkspace && k.Outputs == nil && k.Taken == nil && !take[up] && consumed(g, up) {
			take[up] = true
		}
	}
}

// dropStuck leaves out skipped units whose upstream is not tried again: they would
// only be skipped once more.
func dropStuck(g *workspace.Graph, known map[string]*memory, take map[string]bool) {
	for _, id := range g.Order() {
		if k := known[id]; !take[id] || k == nil || k.Taken == nil || k.Taken.Status != Skipped {
			continue
		}
		for _, up := range g.Upstream(id) {
			k := known[up]
			if !take[up] && k != nil && k.Taken != nil && (k.Taken.Status == Failed || k.Taken.Status == Skipped || k.Taken.Status == Interrupted) {
				delete(take, id)
			}
		}
	}
}

func wanted(id string, k *memory, m mode, moved bool, changed func(reading) map[string]bool) bool {
	switch {
	case k == nil || k.Taken == nil && k.Converged == "":
		return true // never seen
	case k.Taken == nil:
		return moved && changed(k.reading())[id]
	}
	switch k.Taken.Status {
	case Failed:
		// A failed apply may have changed something: it is not tried again by itself.
		return moved || m == asked || m == retried && !k.Taken.Began
	case Skipped:
		return moved || m == asked || m == retried
	}
	// Held, deferred, planned, discarded, interrupted: only news for the unit counts.
	return moved && changed(k.Taken.reading())[id]
}

func retryable(s Status) bool { return s == Failed || s == Skipped || s == Deferred }
