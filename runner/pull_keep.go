package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// planStands is how long a plan of a unit stands while pushes leave the unit alone: a
// review that goes on for days shows what is true today.
const planStands = time.Hour

// keepOthers leaves out the units whose last plan stands: those that a person did not
// ask to be planned again, and those that a newer push leaves alone.
func (x *reviewRun) keepOthers(ctx context.Context) error {
	last := x.pull.Plan
	if last == nil || !last.Done || last.Run == "" {
		return nil
	}
	asked := len(x.pull.Only) > 0 && last.Commit == x.plan.Commit
	pushed := x.pull.Again == "" && last.Head != x.plan.Head && last.Base == x.plan.Base && x.pull.Applied == "" && x.pull.Before == ""
	again := x.graph.WithDependants(x.pull.Only)
	if pushed {
		var ok bool
		if again, ok = x.pushedTo(ctx, last); !ok {
			return nil
		}
	}
	if !asked && !pushed || last.Rules != x.plan.Rules {
		return nil
	}
	var run *Run
	var plans map[string]*reviewed
	err := x.r.journal.view(func(tx *bbolt.Tx) (err error) {
		if run, err = getRun(tx, last.Run); err == nil {
			plans, err = reviewedPlans(tx, x.pull.Repository, x.pull.ID)
		}
		return err
	})
	if errors.Is(err, ErrNoRun) {
		return nil // collected: everything is planned
	}
	if err != nil {
		return fmt.Errorf("read the last plan of %s: %w", x.pull.ID, err)
	}
	keep := map[string]*UnitResult{}
	for _, u := range x.run.Units {
		old := run.Unit(u.ID)
		stands := old != nil && (old.Status == Planned || old.Status == Unchanged) && old.Removal == u.Removal && !slices.Contains(again, u.ID) && !slices.Contains(x.pull.Only, u.ID)
		if k := plans[u.ID]; k == nil || old != nil && old.Kind == KindWorkspace && old.Status == Planned && k.File == "" {
			continue // its plan is gone, or something else has taken it
		}
		if stands && (asked || x.stands(old, plans[u.ID])) {
			keep[u.ID] = old
		}
	}
	x.dropRead(keep)
	for i, u := range x.run.Units {
		if old := keep[u.ID]; old != nil {
			x.run.Units[i] = *old
			delete(x.tasks, u.ID)
		}
	}
	if pushed && len(keep) > 0 {
		x.run.Notes = append(x.run.Notes, fmt.Sprintf("the last push leaves %s alone: what is said of that was planned before it", count(len(keep), "unit")))
	}
	return nil
}

// pushedTo are the units that differ between what was planned last and now, with their
// dependants; false where that cannot be told.
func (x *reviewRun) pushedTo(ctx context.Context, last *pullPlan) ([]string, bool) {
	paths, err := x.repo.mirror.Changes(last.Commit, x.plan.Commit)
	if err != nil {
		return nil, false
	}
	before, err := x.repo.scan(ctx, reading{last.Commit, last.Base})
	if err != nil {
		return nil, false
	}
	return x.graph.Affected(paths, before), true
}

// stands tells whether a plan that was made for an earlier head would be made again as
// it is: by this process, which has the same configuration, not long ago, and from the
// state that is the last one known. What a cluster says is asked every time.
func (x *reviewRun) stands(old *UnitResult, k *reviewed) bool {
	if k == nil || old.Kind != KindWorkspace || k.Volatile || old.Started == nil || old.Started.Before(x.v.began) || x.r.opts.Now().Sub(*old.Started) > planStands {
		return false
	}
	if old.Status == Planned && k.File == "" {
		return false // something else has taken it
	}
	state := x.recall(old.ID).State
	if state == (stateMemory{}) { // it was never applied
		state.Identity = k.Bound.State.Identity
	}
	return k.Bound.State == state
}

// dropRead takes out of keep what a unit that is planned again reads before it is
// applied: such a value is known only to the run that planned it.
func (x *reviewRun) dropRead(keep map[string]*UnitResult) {
	for dropped := true; dropped; {
		dropped = false
		for id, u := range keep {
			if len(u.Outputs) > 0 && slices.ContainsFunc(x.graph.Downstream(id), func(down string) bool { _, planned := x.tasks[down]; return planned && keep[down] == nil }) {
				delete(keep, id)
				dropped = true
			}
		}
	}
}
