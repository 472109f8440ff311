package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/locks"
)

// adopted is an apply that an earlier Mooring began and that its supervisor carries on.
type adopted struct {
	repository, run, unit string
	intent                *intent
	left                  terraform.Leftover
}

// errHandedOver ends an execution whose applies go on without this process: its run
// stays a running one.
var errHandedOver = errors.New("applies go on in their supervisors")

// recover puts right what a Mooring that was killed left behind. An apply that goes
// on is adopted and keeps its lock; one that has ended meanwhile is recorded; one
// whose end nobody saw is called interrupted. Whatever had not begun to change
// anything is taken again by the next pass.
func (r *Runner) recover() error {
	var begun []adopted
	err := r.journal.view(func(tx *bbolt.Tx) error {
		runs, err := openRuns(tx)
		if err != nil {
			return err
		}
		for _, run := range runs {
			for _, u := range run.Units {
				if u.Status != Running {
					continue
				}
				m, err := getMemory(tx, run.Repository, u.ID)
				if err != nil {
					return err
				}
				if m.Intent != nil && m.Intent.Run == run.ID {
					begun = append(begun, adopted{repository: run.Repository, run: run.ID, unit: u.ID, intent: m.Intent})
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	keep := map[string]bool{} // run directories that are still needed
	alive := map[[2]string]bool{}
	var ended []adopted
	unseen := map[[2]string]string{} // why nobody saw the end
	for _, a := range begun {
		at := [2]string{a.run, a.unit}
		if a.left, err = r.look(a.intent); err != nil {
			return err
		}
		switch {
		case a.left.Alive:
			alive[at] = true
			r.adopted = append(r.adopted, a)
		case a.left.Ended() && a.left.Digest() == a.intent.Digest:
			alive[at] = true // until it is recorded
			ended = append(ended, a)
		default:
			unseen[at] = both(a.left.Problem, a.left.Known())
		}
		if a.left.Dir != "" {
			keep[a.left.Dir] = alive[at]
		}
	}
	if err := r.journal.update(func(tx *bbolt.Tx) error { return r.recoverRuns(tx, alive, unseen) }); err != nil {
		return err
	}
	for _, a := range ended {
		if err := r.settle(a, a.left, ""); err != nil {
			return fmt.Errorf("record how %s of %s ended: %w", a.unit, a.run, err)
		}
		delete(keep, a.left.Dir)
		r.recorded = append(r.recorded, a)
	}
	return r.home.SweepRuns(keep)
}

// look finds the run directory of an apply. One that is gone is not alive, and has
// no result.
func (r *Runner) look(i *intent) (terraform.Leftover, error) {
	if i.Dir == "" || i.Dir != filepath.Base(i.Dir) {
		return terraform.Leftover{}, nil // an older Mooring's
	}
	left, err := r.home.Look(filepath.Join(r.opts.DataDir, "run", i.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return terraform.Leftover{Problem: "its run directory is gone"}, nil
	}
	return left, err
}

// recoverRuns writes down how the units of the runs that were cut short stand. Locks
// are released but for those of applies that go on.
func (r *Runner) recoverRuns(tx *bbolt.Tx, alive map[[2]string]bool, unseen map[[2]string]string) error {
	held, err := locks.List(tx)
	if err != nil {
		return err
	}
	for _, l := range held {
		if alive[[2]string{l.Run, l.Unit}] || r.heldByPull(tx, l) {
			continue
		}
		if _, err := locks.Break(tx, l.Key); err != nil {
			return err
		}
	}
	runs, err := openRuns(tx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.Status != Running && run.Status != Queued {
			continue
		}
		if err := r.recoverRun(tx, run, alive, unseen); err != nil {
			return fmt.Errorf("recover %s: %w", run.ID, err)
		}
	}
	return nil
}

func (r *Runner) recoverRun(tx *bbolt.Tx, run *Run, alive map[[2]string]bool, unseen map[[2]string]string) error {
	for i := range run.Units {
		u := &run.Units[i]
		if u.Status != Running && u.Status != Queued || alive[[2]string{run.ID, u.ID}] {
			continue
		}
		if run.Trigger == OnDrift { // it touched nothing, and nothing is known by it
			u.Status, u.Reason = Superseded, "Mooring ended before it was looked at: the next scan does"
			if err := putResult(tx, run.ID, *u); err != nil {
				return err
			}
			continue
		}
		m, err := getMemory(tx, run.Repository, u.ID)
		if err != nil {
			return err
		}
		switch {
		case u.Status == Running && m.Intent != nil && m.Intent.Run == run.ID:
			known := unseen[[2]string{run.ID, u.ID}]
			u.Status, u.Error = Interrupted, both(m.Intent.unseen(), known)
			m.Intent = nil
			m.Taken = &taken{Run: run.ID, Commit: run.files(), Base: run.Base, Status: Interrupted, Began: true, Cut: true, Removal: u.Removal}
			m.Unseen = true
		case run.Trigger == OnPullRequest: // nothing of the branch was taken
			u.Status, u.Reason = Superseded, "Mooring ended before it was done: it is planned again"
			if err := putResult(tx, run.ID, *u); err != nil {
				return err
			}
			if p, err := getPull(tx, run.Repository, pullID(run.PullRequest)); err == nil && p.Applied == run.ID && m.Plan != nil {
				dropPlan(tx, m) // what was about to be applied
				if err := putMemory(tx, m); err != nil {
					return err
				}
			}
			continue
		case u.Status == Running:
			u.Status, u.Error = Failed, "Mooring ended before anything was changed: the next pass takes it again"
			m.Taken = &taken{Run: run.ID, Commit: run.files(), Base: run.Base, Status: Failed, Cut: true, Removal: u.Removal}
		default:
			u.Status, u.Reason = Skipped, "Mooring ended before it began: the next pass takes it again"
			m.Taken = &taken{Run: run.ID, Commit: run.files(), Base: run.Base, Status: Skipped, Removal: u.Removal}
		}
		if m.Kind != "" { // a unit that was never taken needs no memory to be taken
			if err := putMemory(tx, m); err != nil {
				return err
			}
		}
		if err := putResult(tx, run.ID, *u); err != nil {
			return err
		}
	}
	run.Settle()
	if run.Status != Running {
		end := r.opts.Now()
		run.Finished = &end
	}
	if err := putRun(tx, run); err != nil {
		return err
	}
	if repo, err := r.repository(run.Repository); err == nil && run.Finished != nil {
		return r.tellPulls(tx, repo, run)
	}
	return nil
}

// follow watches the adopted applies of a repository to their ends, so that the pass
// that follows finds them recorded. The caller holds the pass.
func (r *Runner) follow(ctx context.Context, repository string) (made []string, err error) {
	r.mu.Lock()
	var mine []adopted
	for _, a := range r.adopted {
		if a.repository == repository {
			mine = append(mine, a)
		}
	}
	// What had ended by the time that this Mooring started was taken further, too.
	r.recorded = slices.DeleteFunc(r.recorded, func(a adopted) bool {
		if a.repository == repository {
			made = append(made, a.run)
		}
		return a.repository == repository
	})
	r.mu.Unlock()
	if len(mine) == 0 {
		return made, nil
	}
	errs := make(chan error, len(mine))
	for _, a := range mine {
		r.opts.Log.Info("an apply went on without Mooring; following it", "unit", a.unit, "run", a.run, "repository", repository)
		go func() { errs <- r.followOne(ctx, a) }()
		made = append(made, a.run)
	}
	for range mine {
		err = errors.Join(err, <-errs)
	}
	return made, err
}

func (r *Runner) followOne(ctx context.Context, a adopted) error {
	ctx, done := r.cancellable(ctx, a.run)
	defer done()
	linger, cancel := r.lingering(ctx, true)
	defer cancel()
	log, err := r.logFile(a.run, a.unit)
	if err != nil {
		return err
	}
	r.emit(Event{Repository: a.repository, Run: a.run, Unit: a.unit, Phase: PhaseApply, Text: "goes on"})
	left, err := r.home.Follow(linger, a.left, log, r.linesOf(a.repository, a.run, a.unit))
	if err != nil {
		return err
	}
	return r.settle(a, left, cancelledBy(ctx))
}

// settle records how an adopted apply ended, as the run that began it would have.
// by says who cancelled it; "" is nobody.
func (r *Runner) settle(a adopted, left terraform.Leftover, by string) error {
	o := r.outcomeOf(a, left)
	var key string
	var run *Run
	err := r.journal.update(func(tx *bbolt.Tx) (err error) {
		run, key, err = r.recordAdopted(tx, a, o, by)
		return err
	})
	if err != nil {
		return err
	}
	r.Hint(a.repository, false) // a pull request may be merged now
	r.leave(a)
	r.counters.unit(&o.UnitResult)
	r.emit(Event{Repository: a.repository, Run: a.run, Unit: a.unit, Phase: PhaseDone, Status: o.Status, Text: joined(o.Error, o.Reason), Add: o.Add, Change: o.Change, Destroy: o.Destroy})
	if run.Status != Running {
		r.emit(Event{Repository: a.repository, Run: a.run, Phase: PhaseEnd, Status: run.Status})
	}
	if o.gone && key != "" {
		if err := r.home.Forget(a.repository, key); err != nil {
			r.opts.Log.Warn("cannot clear away after a unit that is gone", "unit", a.unit, "error", err)
		}
	}
	if left.Dir == "" {
		return nil
	}
	if err := r.home.Clear(left); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// outcomeOf is how an adopted apply ended, in the words of the run that began it.
func (r *Runner) outcomeOf(a adopted, left terraform.Leftover) *outcome {
	hide := redact.New(r.serverSecrets()...)
	o := outcome{UnitResult: a.intent.Result}
	o.ID, o.Kind, o.Removal, o.Status = a.unit, KindWorkspace, a.intent.Removal, Running
	applied, notes, err := r.home.Outcome(left, a.intent.Tool)
	if err != nil && errors.Is(err, terraform.ErrLost) {
		err = fmt.Errorf("%w: %s", err, both(left.Problem, left.Known()))
	}
	o, err = r.afterApply(o, a.intent, applied, err, hide)
	o.Notes = append(withNotes(o.Notes, notes...), "it went on without Mooring for a while")
	switch {
	case o.interrupted != "":
		o.Status, o.Error = Interrupted, o.interrupted
	case err != nil:
		o.Status, o.Error = Failed, err.Error()
	}
	o.hide(hide)
	began := a.intent.Started
	o.Started, o.Seconds = &began, seconds(left.Took())
	return &o
}

// recordAdopted writes how an adopted apply ended, unless that was written before, and
// lets go of its lock. It returns the run and what the unit's warm directories are named for.
func (r *Runner) recordAdopted(tx *bbolt.Tx, a adopted, o *outcome, by string) (*Run, string, error) {
	m, err := getMemory(tx, a.repository, a.unit)
	if err != nil {
		return nil, "", err
	}
	key := m.Key
	run, err := getRun(tx, a.run)
	if err != nil {
		return nil, key, err
	}
	u := run.Unit(a.unit)
	if u == nil || u.Status != Running || m.Intent == nil || m.Intent.Digest != a.intent.Digest {
		return run, key, nil // recorded already
	}
	m.Intent = nil
	m.took(run, o, a.intent.From)
	o.Notes = withNotes(u.Notes, o.Notes...)
	*u = o.UnitResult
	if err := breakLocks(tx, a.run, a.unit); err != nil {
		return run, key, err
	}
	if o.gone {
		err = forget(tx, a.repository, a.unit, r.opts.Now())
	} else {
		err = putMemory(tx, m)
	}
	if !o.gone {
		err = errors.Join(err, converged(tx, run, a.unit, o.Status, r.opts.Now()))
	}
	if err := errors.Join(err, putResult(tx, run.ID, *u)); err != nil {
		return run, key, err
	}
	if by != "" {
		run.Cancelled = by
	}
	run.Settle()
	if run.Status != Running {
		end := r.opts.Now()
		run.Finished, run.Seconds = &end, seconds(end.Sub(run.Started))
	}
	if err := putRun(tx, run); err != nil {
		return run, key, err
	}
	if repo, err := r.repository(a.repository); err == nil && run.Status != Running {
		return run, key, errors.Join(r.tellPulls(tx, repo, run), r.tellRun(tx, run))
	}
	return run, key, nil
}

// breakLocks lets go of what a run holds for a unit.
func breakLocks(tx *bbolt.Tx, run, unit string) error {
	held, err := locks.List(tx)
	if err != nil {
		return err
	}
	for _, l := range held {
		if l.Run != run || l.Unit != unit {
			continue
		}
		if _, err := locks.Break(tx, l.Key); err != nil {
			return err
		}
	}
	return nil
}

// leave takes an apply off the list of those that are followed.
func (r *Runner) leave(a adopted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopted = slices.DeleteFunc(r.adopted, func(b adopted) bool { return b.run == a.run && b.unit == a.unit })
}

// both puts two things that are known beside each other.
func both(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
