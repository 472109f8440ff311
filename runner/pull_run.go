package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// reviewRun plans the units of a pull request. What is known of the units is read and
// not written: nothing of the branch changes by a plan.
type reviewRun struct {
	*execution
	v    *reviewer
	pull *pull
	plan *pullPlan

	before *workspace.Graph // of the branch
	uses   usesBetween

	planned map[string]map[string]workspace.Output // guarded by execution.mu; by unit: what its outputs will be, known or not
}

// execute plans every unit, upstreams first, and records the run.
func (x *reviewRun) execute(ctx context.Context) error {
	began := x.r.opts.Now()
	ctx, done := x.r.cancellable(ctx, x.run.ID)
	defer done()
	x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Phase: PhaseBegin, Text: x.run.Subject, Units: len(x.tasks)})
	defer x.checkouts.release()
	x.readUpstreams(ctx)
	var failed error
	walk(ctx, x.steps(), x.r.slots, func(id string) Status {
		status, err := x.unit(ctx, id)
		if err != nil {
			x.mu.Lock()
			failed = errors.Join(failed, err)
			x.mu.Unlock()
		}
		return status
	})
	if failed != nil {
		return failed
	}
	return x.finish(ctx, seconds(x.r.opts.Now().Sub(began)))
}

// finish records how the plan ended, and with it what is to be said of it.
func (x *reviewRun) finish(ctx context.Context, took float64) error {
	end := x.r.opts.Now()
	x.run.Finished, x.run.Seconds = &end, took
	x.run.Notes = append(x.run.Notes, x.checkouts.notes...)
	why := ""
	if ctx.Err() != nil {
		why = "Mooring was stopped: the next start plans it again"
		if by := endedBy(ctx); by != "" {
			why, x.run.Cancelled = by, by
		}
	}
	err := x.r.changePull(x.run.Repository, x.pull.ID, func(tx *bbolt.Tx, p *pull) error {
		for i := range x.run.Units {
			if u := &x.run.Units[i]; u.Status == Queued || u.Status == Running {
				u.Status, u.Reason = Superseded, why
				if err := putResult(tx, x.run.ID, *u); err != nil {
					return err
				}
			}
		}
		x.run.Settle()
		if err := putRun(tx, x.run); err != nil {
			return err
		}
		if p.Plan == nil || p.Plan.Run != x.run.ID || ctx.Err() != nil && endedBy(ctx) == "" {
			return nil // another plan took its place, or the next start makes one
		}
		all, err := reviewedPlans(tx, p.Repository, p.ID)
		if err != nil {
			return err
		}
		p.Plan.Done = true
		p.Plan.Content = x.contents(all)
		p.Left = needsOf(slices.Collect(maps.Values(all)))
		if len(p.Left) > 0 {
			p.Fresh = end // the next look counts who said yes to the same before
		}
		if cancelledBy(ctx) != "" {
			p.Stop = p.Plan.Head // until somebody asks again; what overtook a plan makes its own
		}
		return x.v.announce(tx, p)
	})
	if err != nil {
		return err
	}
	x.v.tell()
	x.r.counters.run(x.run)
	x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Phase: PhaseEnd, Status: x.run.Status})
	return nil
}

// endedBy says who ended a context: a person, or what overtook the plan.
func endedBy(ctx context.Context) string {
	if by := cancelledBy(ctx); by != "" {
		return by
	}
	var c *cancelled
	if errors.As(context.Cause(ctx), &c) {
		return c.Error()
	}
	return ""
}

// unit plans one unit and records it.
func (x *reviewRun) unit(ctx context.Context, id string) (Status, error) {
	t := x.tasks[id]
	started := x.r.opts.Now()
	if err := x.say(id, func(u *UnitResult) { u.Status, u.Started = Running, &started }, nil); err != nil {
		return Failed, err
	}
	x.disturb(t)
	var o outcome
	var v *reviewed
	var err error
	if status, why := x.standsBack(t); status != "" {
		o.Status, o.Reason = status, why
	} else if Kind(t.unit.Kind) == KindManifests {
		o, v, err = x.manifests(ctx, t)
	} else {
		o, v, err = x.workspace(ctx, t)
	}
	switch {
	case ctx.Err() != nil:
		return Superseded, nil // finish says it
	case errors.Is(err, errNotKnown), errors.Is(err, workspace.ErrInputsUnknown), errors.Is(err, k8s.ErrUnknownValue):
		o.Status, o.Reason = Deferred, err.Error()
	case err != nil:
		o.Status, o.Error = Failed, err.Error()
	}
	if v == nil {
		v = &reviewed{}
	}
	v.Unit, v.Pull, v.Run, v.Status, v.Removal = id, x.pull.ID, x.run.ID, o.Status, t.removal
	o.ID, o.Kind, o.Removal = id, Kind(t.unit.Kind), t.removal
	o.Started, o.Seconds = &started, seconds(x.r.opts.Now().Sub(started))
	err = x.say(id, func(u *UnitResult) { *u = o.UnitResult }, v)
	x.r.counters.unit(&o.UnitResult)
	x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Unit: id, Phase: PhaseDone, Status: o.Status, Text: joined(o.Error, o.Reason), Add: o.Add, Change: o.Change, Destroy: o.Destroy})
	return o.Status, err
}

// say changes the result of a unit and records it, with its plan where it has one.
func (x *reviewRun) say(id string, change func(*UnitResult), v *reviewed) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.run.Unit(id)
	change(u)
	return x.r.journal.update(func(tx *bbolt.Tx) error {
		if v != nil {
			if err := putReviewed(tx, x.run.Repository, v); err != nil {
				return err
			}
		}
		return putResult(tx, x.run.ID, *u)
	})
}

// standsBack tells whether a unit cannot be planned because of its upstreams: one of
// them has no plan, or what the unit reads of it is not there before an apply.
func (x *reviewRun) standsBack(t task) (Status, string) {
	if t.removal {
		return "", ""
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, up := range x.graph.Upstream(t.unit.ID) {
		if u := x.run.Unit(up); u != nil && (u.Status == Failed || u.Status == Skipped) {
			return Skipped, up + " " + saidOf(u.Status)
		} else if u != nil && u.Status == Held {
			return Deferred, up + " waits for a person before it is planned"
		}
	}
	for _, e := range x.graph.Edges {
		if e.To != t.unit.ID || e.Why != "remote_state" {
			continue
		}
		if u := x.run.Unit(e.From); u != nil && (u.Status == Deferred || u.Status == Planned && len(u.Outputs) > 0) {
			return Deferred, fmt.Sprintf("it reads the state of %s, whose outputs change only when that is applied", e.From)
		}
	}
	return "", ""
}

// afterPlans gives a unit the outputs of another one as they will be once this pull
// request is applied.
func (x *reviewRun) afterPlans(id string) (map[string]workspace.Output, bool) {
	x.mu.Lock()
	outs, ok := x.planned[id]
	x.mu.Unlock()
	if ok {
		return outs, true
	}
	return x.remembered(id)
}
