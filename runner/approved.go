package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// keep remembers a plan that waits for a person. The file is sealed and outlives
// the session.
func (w *workspaceRun) keep(ctx context.Context, p *terraform.Plan, now stateMemory) (func(*memory), error) {
	old := w.x.recall(w.t.unit.ID).Plan
	bound, err := w.binding()
	if err != nil {
		return nil, err
	}
	bound.State = now
	held := &heldPlan{Bound: bound, Destroy: w.t.removal, Made: w.x.r.opts.Now()}
	if p.Changes {
		if held.File, err = p.Keep(ctx); err != nil {
			return nil, err
		}
		held.Digest = p.Digest
	}
	return func(m *memory) {
		if old != nil && old.File != held.File {
			removeFile(old.File)
		}
		m.Plan = held
	}, nil
}

// freeLeftLock frees the state lock that a scan may have left which gave way and had to be killed: an apply that meets it
// would fail, and its plan be burned. A plan finds it, and is not used.
func (w *workspaceRun) freeLeftLock(ctx context.Context) error {
	if !w.x.wasDisturbed(w.t.unit.ID) {
		return nil
	}
	if err := w.s.Init(ctx, w.out); err != nil {
		return err
	}
	_, err := w.makePlan(ctx)
	return err
}

// applyApproved applies the saved plan that a person said yes to, and no other.
// Where the world has moved since, a new plan is made and waits.
func (w *workspaceRun) applyApproved(ctx context.Context) (outcome, error) {
	held := w.x.recall(w.t.unit.ID).Plan
	if w.x.locked != "" && (held == nil || held.File == "" || held.Destroy != w.t.removal) {
		return outcome{}, fmt.Errorf("the plan that was reviewed is gone: %w", terraform.ErrStalePlan)
	}
	if held == nil { // interrupted work: the person asked for a new plan
		return w.plan(ctx)
	}
	if held.Destroy != w.t.removal { // a yes to a change is none to an end
		removeFile(held.File)
		return w.plan(ctx)
	}
	if held.File == "" { // nothing to apply: the person accepted the state as it is
		w.x.accept(w.t.unit.ID, held.Bound.State)
		return w.plan(ctx)
	}
	if k := w.t.reviewed; w.x.locked != "" && k != nil && k.Volatile {
		return w.applyAnew(ctx)
	}
	if err := w.freeLeftLock(ctx); err != nil {
		return outcome{}, err
	}
	o, err := w.applyHeld(ctx, held)
	if !errors.Is(err, terraform.ErrStalePlan) && !errors.Is(err, terraform.ErrPlan) {
		return o, err
	}
	if w.x.locked != "" { // it is the pull request's to be planned again, and looked at
		return o, err
	}
	why := err.Error()
	if moved := (*StalePlanError)(nil); !errors.As(err, &moved) && errors.As(err, new(*terraform.CommandError)) {
		why = "the state moved since the plan was made" // Terraform's own judgement, in more words
	}
	removeFile(held.File)
	if err := w.x.forgo(w.t.unit.ID, held.Digest); err != nil {
		return o, err
	}
	w.x.unsay(w.t.unit.ID, reviewedNote(w.t.brought))
	w.t.approved = false // the yes was one to that plan: what is applied now passes by itself
	o, err = w.plan(ctx)
	if o.Status == Held {
		o.Reason = fmt.Sprintf("%s, so a new plan was made: %s", why, o.Reason)
	}
	return o, err
}

// applyAnew makes a plan again whose files may be gone by now, and applies it where it
// is the one that was reviewed.
func (w *workspaceRun) applyAnew(ctx context.Context) (outcome, error) {
	w.t.approved = false // the saved plan is not used: what is applied passes by what it says
	o, err := w.plan(ctx)
	if err == nil && o.Status == Held {
		return outcome{}, &StalePlanError{Moved: []string{"what it would do"}}
	}
	return o, err
}

// applyHeld applies a held plan where everything that it was made from still holds.
// Errors: *StalePlanError, terraform.ErrStalePlan, terraform.ErrPlan: nothing was
// applied.
func (w *workspaceRun) applyHeld(ctx context.Context, held *heldPlan) (outcome, error) {
	now, err := w.binding()
	if err != nil {
		return outcome{}, err
	}
	if moved := held.Bound.moved(now); len(moved) > 0 {
		return outcome{}, &StalePlanError{Moved: moved}
	}
	if why, err := w.unstored(); why != "" || err != nil {
		return outcome{}, errors.Join(err, &StalePlanError{Moved: []string{"the state"}})
	}
	w.phase(PhaseInit)
	if err := w.s.Init(ctx, w.out); err != nil {
		return outcome{}, err
	}
	plan, err := w.s.LoadPlan(ctx, held.File, held.Digest)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{UnitResult: *w.x.result(w.t.unit.ID)}
	o.Reason, o.Error = "", ""
	return w.apply(ctx, o, plan, held.Bound.State)
}

// forgo takes back the intent of an apply that Terraform refused before it changed
// anything, so that another plan may be applied in its place.
func (x *execution) forgo(id, digest string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.memory(id)
	if m.Intent == nil || m.Intent.Digest != digest {
		return nil
	}
	next := *m
	next.Intent = nil
	err := x.r.journal.update(func(tx *bbolt.Tx) error { return putMemory(tx, &next) })
	if err == nil {
		*m = next
	}
	return err
}

// unsay takes back a note that is no longer true.
func (x *execution) unsay(id, note string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.run.Unit(id)
	u.Notes = slices.DeleteFunc(slices.Clone(u.Notes), func(n string) bool { return n == note })
}

// accept takes a state that does not continue the last one as the one to go on
// from: a person said so.
func (x *execution) accept(id string, s stateMemory) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.memory(id)
	m.State, m.Plan = s, nil
}
