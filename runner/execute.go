package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/workspace"
)

// task is what is to be done with one unit in a run.
type task struct {
	unit     *workspace.Unit
	approved bool     // a person said yes to what waits
	decision verdict  // of an approved one: goes back where the unit does not begin
	was      Status   // before this run took it further; "" in a new run
	heals    bool     // a drift scan asked for it: the unit's commit was converged before
	removal  bool     // the branch no longer has it: destroy it
	from     string   // of a removal: the last commit that had it
	after    []string // of a removal: the units that must be gone before it

	brought  string    // the pull request that what is new of it came from; "" is a direct push
	reviewed *reviewed // the plan of it that people saw there; nil is none
	agreed   bool      // somebody else than the author said yes to that plan
	yes      []yes     // of all who did
	met      bool      // they are all whom the rules ask for
}

// execution takes the tasks of one run through their units.
type execution struct {
	r     *Runner
	repo  *repository
	run   *Run
	graph *workspace.Graph
	tasks map[string]task

	ahead   upstreamOutputs // what units refer to of others, where that is not what is known of them
	locked  string          // the pull request that holds the units' locks before this run and after it; "" is none
	applies bool            // plans that pass the gate are applied

	checkouts mirrorCheckouts
	changed   []string // the files that a pull request changes; nil of a run of the branch

	ruled sync.Once // guards by
	by    judge     // the rules of the run, once somebody has asked for them

	mu        sync.Mutex         // guards run and what follows
	known     map[string]*memory // of the repository's units, as recorded
	disturbed map[string]bool    // units whose scan had to be killed: their state may be locked
	looked    map[string]bool    // units that are only looked at: what is known of them is who holds their lock's to write
}

// outcome is how a unit ended, before it is recorded.
type outcome struct {
	UnitResult
	// remember writes what the next run must know into the unit's memory. Taken is
	// set from the status by record.
	remember func(m *memory)
	began    bool // an apply had started
	gone     bool // the unit exists no more: its memory goes
	// interrupted says of an apply whose end nobody saw what is known; "" of every other.
	interrupted string
	// close ends what the unit's run still has, once its end is recorded: until then the run directory is what a Mooring
	// that finds it after a kill has to go by. nil where there is nothing. With recorded false it leaves that in place.
	close func(recorded bool)
}

// hide takes secrets out of everything that is said of a unit.
func (o *outcome) hide(r *redact.Redactor) {
	o.Error, o.Reason, o.interrupted = r.Text(o.Error), r.Text(o.Reason), r.Text(o.interrupted)
	for i, n := range o.Notes {
		o.Notes[i] = r.Text(n)
	}
}

// execute takes every task, in the order of the graph, and records the run. It
// fails only where the journal does; what fails in a unit is in its result.
func (x *execution) execute(ctx context.Context) error {
	began := x.r.opts.Now()
	ctx, done := x.r.cancellable(ctx, x.run.ID)
	defer done()
	x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Phase: PhaseBegin, Text: x.run.Subject, Units: len(x.tasks)})
	defer x.checkouts.release()

	var failed error
	results := walk(ctx, x.steps(), x.r.slots, func(id string) Status {
		status, err := x.take(ctx, id)
		if err != nil {
			x.mu.Lock()
			failed = errors.Join(failed, err)
			x.mu.Unlock()
			return Failed
		}
		return status
	})

	x.mu.Lock()
	defer x.mu.Unlock()
	if failed == nil {
		failed = x.putBack(ctx, results)
	}
	if failed != nil {
		// The journal does not say how the units ended. The run stays a running one,
		// so that the next start puts it right.
		return failed
	}
	end := x.r.opts.Now()
	x.run.Finished = &end
	x.run.Notes = append(x.run.Notes, x.checkouts.notes...)
	x.run.Seconds += seconds(end.Sub(began))
	if by := cancelledBy(ctx); by != "" {
		x.run.Cancelled = by
	}
	x.run.Settle()
	err := x.r.journal.update(func(tx *bbolt.Tx) error {
		return errors.Join(putRun(tx, x.run), x.r.tellPulls(tx, x.repo, x.run), x.r.tellRun(tx, x.run))
	})
	if err != nil {
		return err
	}
	x.r.counters.run(x.run)
	x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Phase: PhaseEnd, Status: x.run.Status})
	return nil
}

// putBack records the units that did not begin because Mooring was stopped: as
// they were where they waited, else for the next pass to take. The caller holds mu.
func (x *execution) putBack(ctx context.Context, ended map[string]Status) error {
	if len(ended) == len(x.tasks) {
		return nil
	}
	return x.r.journal.update(func(tx *bbolt.Tx) error {
		for id, t := range x.tasks {
			if _, ok := ended[id]; ok {
				continue
			}
			u, m := x.run.Unit(id), x.memory(id)
			if x.locked != "" { // the pull request's own plan says what is left
				u.Status, u.Reason = Superseded, cmp.Or(cancelledBy(ctx), "Mooring was stopped")+" before it began: what is left is planned again"
				dropPlan(tx, m)
				if err := errors.Join(putResult(tx, x.run.ID, *u), putMemory(tx, m)); err != nil {
					return err
				}
				continue
			}
			u.Status = t.was
			if by := cancelledBy(ctx); by != "" {
				u.Status, u.Reason = Discarded, by+" before it began"
				dropPlan(tx, m)
				m.Taken = &taken{Run: x.run.ID, Commit: x.commit(), Base: x.run.Base, Status: Discarded, Removal: t.removal}
			} else if t.was == "" {
				u.Status, u.Reason = Skipped, "Mooring was stopped before it began: the next pass takes it"
				m.Taken = &taken{Run: x.run.ID, Commit: x.commit(), Base: x.run.Base, Status: Skipped, Removal: t.removal}
			}
			if t.approved && cancelledBy(ctx) == "" {
				if err := putVerdict(tx, t.decision); err != nil {
					return err
				}
			}
			if err := errors.Join(putResult(tx, x.run.ID, *u), putMemory(tx, m)); err != nil {
				return err
			}
		}
		return nil
	})
}

// take brings one unit to its end: lock, work, record and unlock.
func (x *execution) take(ctx context.Context, id string) (Status, error) {
	t := x.tasks[id]
	started := x.r.opts.Now()
	if status, why := x.standsBack(t); status != "" {
		o := outcome{}
		if status == Held {
			o.UnitResult = *x.result(id) // what it would do still stands
		}
		o.Status, o.Reason = status, why
		return status, x.record(t, o, started, false)
	}
	if err := x.begin(t, started); err != nil {
		if !errors.Is(err, locks.ErrHeld) {
			return Failed, err
		}
		return Failed, x.record(t, outcome{UnitResult: UnitResult{Status: Failed, Error: err.Error()}}, started, false)
	}
	var o outcome
	var err error
	if Kind(t.unit.Kind) == KindManifests {
		o, err = x.manifests(ctx, t)
	} else {
		o, err = x.workspace(ctx, t)
	}
	recorded := false
	if o.close != nil {
		defer func() { o.close(recorded) }()
	}
	switch by := cancelledBy(ctx); {
	case errors.Is(err, terraform.ErrHandedOver):
		return Running, errHandedOver // its end is for the next Mooring to record
	case o.interrupted != "":
		o.Status, o.Error = Interrupted, o.interrupted
	case err != nil && by != "" && !o.began:
		o.Status, o.Reason = Discarded, by
	case err != nil:
		o.Status, o.Error = Failed, err.Error()
	}
	err = x.record(t, o, started, true)
	recorded = err == nil
	return o.Status, err
}

// standsBack tells whether the unit cannot be taken because of its upstreams or
// because its own files cannot be read.
func (x *execution) standsBack(t task) (Status, string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if t.removal {
		for _, a := range t.after {
			if m, ok := x.known[a]; ok && t.approved && m.Departed != nil && m.Departed.Why != "orphaned" {
				return Held, fmt.Sprintf("its dependant %s must be gone first", a)
			}
		}
		return "", ""
	}
	upstream := map[string]Status{}
	for _, a := range x.graph.Upstream(t.unit.ID) {
		upstream[a] = x.standing(a)
	}
	return blocked(upstream)
}

// standing is how a unit stands: in this run, or as the last one left it.
func (x *execution) standing(id string) Status {
	if _, ok := x.tasks[id]; ok {
		if u := x.run.Unit(id); u != nil && u.Status != Queued && u.Status != Running {
			return u.Status
		}
	}
	m := x.known[id]
	switch {
	case m == nil:
		return ""
	case m.stands():
		return Unchanged
	case m.Taken != nil:
		return m.Taken.Status
	}
	return ""
}

// begin takes the unit's lock and says that it runs, in one transaction. A scan of the unit gives way.
func (x *execution) begin(t task, now time.Time) error {
	if err := x.beginLocked(t, now); err != nil {
		return err
	}
	x.disturb(t)
	return nil
}

func (x *execution) beginLocked(t task, now time.Time) error {
	id := t.unit.ID
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.run.Unit(id)
	u.Status, u.Started, u.Reason, u.Error = Running, &now, "", ""
	result := *u
	return x.r.journal.update(func(tx *bbolt.Tx) error {
		err := locks.Acquire(tx, x.r.lockKey(x.repo, t.unit), locks.Holder{
			Unit: id, Repository: x.run.Repository, Run: x.holder(),
			Reason: fmt.Sprintf("%s of %s", x.run.Trigger, short(x.run.Commit)), Since: now,
		})
		if err != nil && !x.mayLookOnly(err) {
			return err
		}
		if err != nil {
			if x.looked == nil {
				x.looked = map[string]bool{}
			}
			x.looked[id] = true
		} else if err := x.refresh(tx, t); err != nil {
			return err
		}
		return putResult(tx, x.run.ID, result)
	})
}

// refresh reads what is known of a unit again, now that it is locked: where pull
// requests are applied before they are merged, one of them may have applied it since
// the pass began.
func (x *execution) refresh(tx *bbolt.Tx, t task) error {
	if x.repo.cfg.Apply != BeforeMerge || x.locked != "" || tx.Bucket(unitsBucket).Get(unitKey(x.run.Repository, t.unit.ID)) == nil {
		return nil
	}
	m, err := getMemory(tx, x.run.Repository, t.unit.ID)
	if err == nil {
		x.known[t.unit.ID] = m
	}
	return err
}

// holder is who holds the locks of the units that are under way.
func (x *execution) holder() string {
	if x.locked != "" {
		return x.locked
	}
	return x.run.ID
}

// mayLookOnly tells that a lock is a pull request's, and that nothing is applied here:
// who only plans disturbs nobody.
func (x *execution) mayLookOnly(err error) bool {
	var held *locks.HeldError
	return errors.As(err, &held) && IsPull(held.Holder.Run) && !x.applies
}

// commit is the one whose files are taken.
func (x *execution) commit() string {
	return x.run.files()
}

// record writes how the unit ended and lets go of its lock, in one transaction.
func (x *execution) record(t task, o outcome, started time.Time, locked bool) error {
	id := t.unit.ID
	o.ID, o.Kind, o.Removal = id, Kind(t.unit.Kind), t.removal
	o.Started, o.Seconds = &started, seconds(x.r.opts.Now().Sub(started))

	x.mu.Lock()
	defer x.mu.Unlock()
	look := x.looked[id]
	m := x.memory(id)
	if !look {
		m.Intent = nil
		m.took(x.run, &o, t.from)
	}
	// Who approved is in the earlier notes, and stays for good.
	o.Notes = withNotes(x.run.Unit(id).Notes, o.Notes...)
	o.Policy = x.run.Unit(id).Policy.then(o.Policy)
	*x.run.Unit(id) = o.UnitResult
	err := x.r.journal.update(func(tx *bbolt.Tx) error {
		if look {
			return putResult(tx, x.run.ID, o.UnitResult)
		}
		if locked && x.locked == "" {
			// A person may have broken the lock meanwhile: that is no failure of the unit.
			if err := locks.Release(tx, x.r.lockKey(x.repo, t.unit), x.run.ID); err != nil && !errors.Is(err, locks.ErrNotHeld) {
				return err
			}
		}
		switch {
		case o.gone:
			if err := forget(tx, x.run.Repository, id, x.r.opts.Now()); err != nil {
				return err
			}
			delete(x.known, id)
		default:
			if err := putMemory(tx, m); err != nil {
				return err
			}
		}
		if !o.gone && !x.run.Review {
			if err := converged(tx, x.run, id, o.Status, x.r.opts.Now()); err != nil {
				return err
			}
		}
		return putResult(tx, x.run.ID, o.UnitResult)
	})
	if o.gone && !look && o.Kind == KindWorkspace {
		// Warm directories of a unit that is no more; what stays is only in the way.
		if err := x.r.home.Forget(x.run.Repository, workspaceKey(t.unit)); err != nil {
			x.r.opts.Log.Warn("cannot clear away after a unit that is gone", "unit", id, "error", err)
		}
	}
	x.r.counters.unit(&o.UnitResult)
	text := o.Error
	if text == "" {
		text = o.Reason
	}
	x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Unit: id, Phase: PhaseDone, Status: o.Status, Text: text, Add: o.Add, Change: o.Change, Destroy: o.Destroy})
	return err
}

// took writes how a unit ended into what is known of it. from is, of a removal, the
// last commit that had the unit.
func (m *memory) took(run *Run, o *outcome, from string) {
	switch o.Status {
	case Applied, Unchanged:
		m.Converged, m.Base, m.Taken, m.Unseen = run.files(), run.Base, nil, false
	default:
		m.Unseen = m.Unseen || o.Status == Interrupted
		m.Taken = &taken{Run: run.ID, Commit: run.files(), Base: run.Base, Status: o.Status, Began: o.began, Cut: o.Status == Interrupted, Removal: o.Removal}
	}
	if o.Removal {
		m.Departed = &departed{Why: "destroy", From: from}
	}
	if o.remember != nil {
		o.remember(m)
	}
}

// memory returns what is known of a unit; the caller holds mu.
func (x *execution) memory(id string) *memory {
	m := x.known[id]
	if m == nil {
		m = &memory{Repository: x.run.Repository, ID: id}
		x.known[id] = m
	}
	if t, ok := x.tasks[id]; ok {
		u := t.unit
		m.Kind, m.Dir, m.Workspace, m.Path, m.Cluster, m.Place = Kind(u.Kind), u.Dir, u.Workspace, u.Path, u.Cluster, u.StateIdentity()
		if m.Kind == KindWorkspace {
			m.Key = workspaceKey(u)
		}
	}
	return m
}

// withNotes adds what is not there yet.
func withNotes(notes []string, more ...string) []string {
	for _, n := range more {
		if !slices.Contains(notes, n) {
			notes = append(notes[:len(notes):len(notes)], n)
		}
	}
	return notes
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

func removeFile(path string) {
	if path != "" {
		// A plan file that stays behind is collected with the workspace's others.
		_ = os.Remove(path)
	}
}
