package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/workspace"
)

// begin makes the run of an apply: the plans that were reviewed become those that wait
// for it, as a person's yes makes those of a held run.
func (a *pullApply) begin(graph *workspace.Graph, before func(id string) *workspace.Unit) (*execution, error) {
	r, repo, plan := a.v.r, a.v.repo, a.p.Plan
	shown, err := getRun(a.tx, plan.Run)
	if err != nil {
		return nil, err
	}
	kept, err := reviewedPlans(a.tx, a.p.Repository, a.p.ID)
	if err != nil {
		return nil, err
	}
	known, err := memories(a.tx, a.p.Repository)
	if err != nil {
		return nil, err
	}
	run := &Run{
		Repository: a.p.Repository, Commit: plan.Head, Trigger: OnPullRequest, PullRequest: a.p.number(), Branch: a.p.Seen.HeadRef, Base: plan.Base, Tree: plan.Commit,
		Status: Running, Started: r.opts.Now(), Subject: a.p.Seen.Title, Author: a.p.Seen.Author.Login, Units: []UnitResult{},
	}
	x := &execution{r: r, repo: repo, run: run, graph: graph, tasks: map[string]task{}, known: known, locked: a.p.ID, applies: true}
	for _, u := range shown.Units {
		k := kept[u.ID]
		if u.Status != Planned || k == nil || u.Kind == KindWorkspace && k.File == "" || len(a.units) > 0 && !slices.Contains(a.units, u.ID) {
			continue
		}
		t := task{unit: graph.Unit(u.ID), approved: true, removal: u.Removal, brought: a.p.ID, reviewed: k, agreed: true, yes: a.yes, met: true}
		if u.Removal {
			t.unit, t.from = before(u.ID), plan.Base
		}
		if t.unit == nil {
			return nil, fmt.Errorf("%s is not in what was planned", u.ID)
		}
		u.Status, u.Notes = Queued, withNotes(u.Notes, fmt.Sprintf("apply asked for by %s (user %d) in %s", a.by.Login, a.by.ID, a.p.ID))
		run.Units = append(run.Units, u)
		x.tasks[u.ID] = t
	}
	if err := createRun(a.tx, run); err != nil {
		return nil, err
	}
	if tree := run.files(); !slices.Contains(a.p.Trees, tree) {
		a.p.Trees = append(a.p.Trees, tree)
	}
	waited := make([]*memory, 0, len(x.tasks))
	for id := range x.tasks {
		waited = append(waited, x.known[id])
	}
	if err := r.supersede(a.tx, waited, run.ID); err != nil {
		return nil, err
	}
	for id, t := range x.tasks {
		if err := x.promote(a.tx, id, t); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// promote makes a plan that was reviewed the one that waits for the unit's apply: from
// here on it is the memory's, and burned when its apply begins.
func (x *execution) promote(tx *bbolt.Tx, id string, t task) error {
	m := x.memory(id)
	dropPlan(tx, m)
	held := t.reviewed.heldPlan
	held.Bound.Commit = x.commit() // the same files may have come by another commit: everything else is compared
	if t.removal {
		held.Bound.Commit = t.from
	}
	m.Plan = &held
	if t.removal && m.Departed == nil {
		m.Departed = &departed{Why: "destroy", From: t.from}
	}
	// What was reviewed stays known until it is applied: a plan that has to be made again is compared with it.
	said := *t.reviewed
	said.File = ""
	if err := putReviewed(tx, x.run.Repository, &said); err != nil {
		return err
	}
	return putMemory(tx, m)
}

// carry applies in the background; it ends with ctx as every apply does, within its
// grace.
func (v *reviewer) carry(ctx context.Context, id string, x *execution) {
	mine := &planning{head: x.run.Commit, base: x.run.Base, apply: true, cancel: func(error) {}, done: make(chan struct{})}
	v.mu.Lock()
	v.running[id] = mine
	v.mu.Unlock()
	v.wg.Go(func() {
		defer close(mine.done)
		defer v.hint()
		defer v.ended(id, mine)
		if err := x.execute(ctx); err != nil {
			if errors.Is(err, errHandedOver) {
				return
			}
			v.r.opts.Log.Error("an apply before the merge is not recorded", "repository", v.repo.cfg.Name, "pull_request", id, "run", x.run.ID, "error", err)
			return
		}
		if err := v.applied(id, x.run); err != nil {
			v.r.opts.Log.Error("what an apply before the merge came to cannot be told", "repository", v.repo.cfg.Name, "pull_request", id, "run", x.run.ID, "error", err)
		}
	})
}

// midApply tells that a pull request is being applied before its merge, here or by the
// supervisors that an earlier Mooring left.
func (v *reviewer) midApply(p *pull) bool {
	if v.applying(p.ID) {
		return true
	}
	going := false
	err := v.r.journal.view(func(tx *bbolt.Tx) error {
		going = v.beforeMerge() && beingApplied(tx, p)
		return nil
	})
	return err == nil && going
}

// ended takes what is over out of what is under way.
func (v *reviewer) ended(id string, mine *planning) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.running[id] == mine {
		delete(v.running, id)
	}
}

// applied acts on the end of an apply, once: it has what is left planned now, and asks
// for the merge where nothing is.
func (v *reviewer) applied(id string, run *Run) error {
	defer v.tell()
	return v.r.changePull(v.repo.cfg.Name, id, func(tx *bbolt.Tx, p *pull) error {
		if p.Applied != run.ID || p.Settled == run.ID {
			return nil
		}
		p.Settled = run.ID
		shown, err := getRun(tx, runOf(p))
		if errors.Is(err, ErrNoRun) {
			return v.announce(tx, p) // collected long since
		}
		if err != nil {
			return err
		}
		whole := true
		for _, u := range shown.Units {
			now := u.Status
			if a := run.Unit(u.ID); a != nil {
				now = a.Status
			}
			whole = whole && (now == Applied || now == Unchanged)
		}
		switch {
		case p.Ended:
		case !whole && run.Status == Applied:
			p.Again = "what it waited for is applied"
		case !whole:
			// A failed apply leaves a plan that is no longer true: a new one shows what is left.
			p.Again = "the apply came to " + string(run.Status)
		case v.cfg.Merge != "":
			m := forge.MergeRequest{Number: p.number(), Head: p.Plan.Head, Method: v.cfg.Merge}
			if err := v.r.put(tx, p.Repository, "merge "+p.ID, note{Pull: p.ID, Merge: &m}); err != nil {
				return err
			}
		}
		return v.announce(tx, p)
	})
}

// unsettledApplies does what follows from the ends of applies that a Mooring before this one
// began, and did not live to see.
func (v *reviewer) unsettledApplies(known []*pull) (failed error) {
	for _, p := range known {
		if !v.beforeMerge() || p.Ended || p.Applied == "" || p.Settled == p.Applied || v.midApply(p) {
			continue
		}
		run, err := v.r.Show(p.Applied)
		if errors.Is(err, ErrNoRun) {
			continue
		}
		if err == nil {
			err = v.applied(p.ID, &run)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// abandon lets the branch have its say again about units that a pull request applied
// and that never were merged: the next pass plans them from the branch.
func (r *Runner) abandon(tx *bbolt.Tx, p *pull) (some bool, err error) {
	for _, id := range p.Ahead {
		run, err := getRun(tx, id)
		if errors.Is(err, ErrNoRun) {
			continue // so long ago that the branch has been planned since
		}
		if err != nil {
			return some, err
		}
		for _, u := range run.Units {
			m, err := getMemory(tx, p.Repository, u.ID)
			if err != nil {
				return some, err
			}
			if m.Kind == "" || m.Converged != run.files() && (m.Taken == nil || m.Taken.Run != run.ID) || m.Unseen {
				continue
			}
			m.Taken = &taken{Run: run.ID, Commit: run.files(), Base: run.Base, Status: Skipped}
			if err := putMemory(tx, m); err != nil {
				return some, err
			}
			some = true
		}
	}
	return some, nil
}

// takenBy tells that a pull request was the last to apply a unit, or to try.
func (m *memory) takenBy(p *pull) bool { return slices.Contains(p.Trees, m.commit()) }

// commit is the one that the unit was last taken at.
func (m *memory) commit() string {
	if m.Taken != nil {
		return m.Taken.Commit
	}
	return m.Converged
}
