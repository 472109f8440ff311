package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/policies"
)

// workspace plans one workspace and applies the plan where the gate allows it.
// The caller holds its lock.
func (x *execution) workspace(ctx context.Context, t task) (o outcome, failed error) {
	if t.unit.Err != nil {
		return outcome{}, t.unit.Err
	}
	commit := x.commit()
	if t.removal {
		commit = t.from
	}
	tree, err := x.checkouts.get(ctx, x.repo, commit)
	if err != nil {
		return outcome{}, err
	}
	spec, err := x.spec(ctx, t, tree.Dir)
	if err != nil {
		return outcome{}, err
	}
	hide := redact.New(spec.Secrets...)
	defer func() { o.hide(hide); failed = hide.Error(failed) }()
	rules := x.rules(ctx) // before a supervisor is there to wait for it
	s, err := x.r.home.Open(ctx, spec)
	if err != nil {
		return outcome{}, err
	}
	end := func(recorded bool) {
		if !recorded {
			s.Leave()
		}
		// What it could not clear away is cleared by the next start.
		_ = s.Close()
	}
	w := &workspaceRun{x: x, t: t, s: s, spec: spec, commit: commit, hide: hide, out: x.lines(t.unit.ID), rules: rules}
	if t.approved && x.applies {
		o, failed = w.applyApproved(ctx)
	} else {
		o, failed = w.plan(ctx)
	}
	o.close = end
	return o, failed
}

// workspaceRun is one workspace under way.
type workspaceRun struct {
	x      *execution
	t      task
	s      *terraform.Session
	spec   terraform.Spec
	commit string // whose files these are
	hide   *redact.Redactor
	out    io.Writer // lines for those who watch; the log is the session's
	rules  judge
	notes  []string
}

// plan makes a plan and takes it as far as the gate lets it.
func (w *workspaceRun) plan(ctx context.Context) (outcome, error) {
	if why, err := w.unstored(); why != "" || err != nil {
		return outcome{UnitResult: UnitResult{Status: Held, Reason: why}, remember: func(m *memory) { m.Plan = nil }}, err
	}
	w.phase(PhaseInit)
	if err := w.s.Init(ctx, w.out); err != nil {
		return outcome{}, err
	}
	w.phase(PhasePlan)
	p, err := w.makePlan(ctx)
	if err != nil {
		return outcome{}, err
	}
	w.hide.Add(p.Secrets()...)
	o := outcome{}
	describe(&o.UnitResult, p)
	now := stateMemory{Identity: w.t.unit.StateIdentity(), Lineage: p.State.Lineage, Serial: p.State.Serial, Resources: p.State.Resources}

	if err := w.showReviewers(p); err != nil {
		return o, err
	}
	hold, direct := w.hold(p, now)
	if p.Changes {
		asked := w.judge(ctx, p, &o.UnitResult)
		hold = joined(hold, asked)
	}
	o.Notes = append(w.s.Notes(), w.notes...)
	switch {
	case o.Policy != nil && o.Policy.Verdict.Denied():
		return o, deniedError(o.Policy.Verdict)
	case !w.x.applies && p.Changes:
		o.Status = Planned
		return o, nil
	case hold != "" && (p.Changes || !direct):
		o.Status, o.Reason = Held, hold
		o.remember, err = w.keep(ctx, p, now)
		return o, err
	case !p.Changes:
		return w.unchanged(o, p, now)
	}
	return w.apply(ctx, o, p, now)
}

// judge asks the rules of the run, and says whose yes is missing, or "".
func (w *workspaceRun) judge(ctx context.Context, p *terraform.Plan, u *UnitResult) string {
	if !w.rules.asks() {
		return "" // nor are the facts gathered, which takes looking into history
	}
	v := hideFindings(w.rules.plan(ctx, p.JSON, w.x.facts(w.t)), w.hide)
	if u.Policy = policyResult(v); u.Policy == nil {
		return ""
	}
	k := w.t.reviewed
	if w.t.met && k != nil && k.Verdict != nil && k.Verdict.Digest == v.Digest && k.Content != "" && w.x.r.planContent(p.JSON) == k.Content {
		u.Policy.Needs, u.Policy.Approvals = nil, w.t.approvals() // by the review of this very plan, by the same rules
	}
	return asksFor(v, u.Policy.Needs)
}

// makePlan plans, and frees the state lock that a run of ours left behind when it
// was killed: nobody else would, and only we can know that its holder is dead.
func (w *workspaceRun) makePlan(ctx context.Context) (*terraform.Plan, error) {
	opts := terraform.PlanOptions{Destroy: w.t.removal, NoLockWait: w.x.mayBeLocked(w.t.unit.ID)}
	p, err := w.s.Plan(ctx, w.out, opts)
	var lock *terraform.StateLockError
	if !errors.As(err, &lock) {
		return p, err
	}
	if w.s.OwnRun(lock) != "" {
		if err := w.s.FreeStateLock(ctx, lock); err != nil {
			return nil, err
		}
	} else if !opts.NoLockWait {
		return nil, err
	}
	return w.s.Plan(ctx, w.out, terraform.PlanOptions{Destroy: w.t.removal})
}

// unstored says that a state waits to be pushed: every plan would be one against a
// state that is known to be old.
func (w *workspaceRun) unstored() (string, error) {
	kept, err := w.x.r.home.Unstored(w.x.run.Repository, w.spec.Key)
	if err != nil || len(kept) == 0 {
		return "", err
	}
	return fmt.Sprintf("the state of an earlier apply could not be stored in its backend and is kept here since %s: `mooring state push %s` first", kept[0].Kept.UTC().Format("2006-01-02 15:04:05 MST"), w.t.unit.ID), nil
}

// hold says why the plan has to wait for a person, or "". direct tells that the
// reason is about the changes of the plan: a plan of none passes.
func (w *workspaceRun) hold(p *terraform.Plan, now stateMemory) (why string, direct bool) {
	m := w.x.recall(w.t.unit.ID)
	if d := discontinuity(m.State, now); d != "" {
		if m.Unseen {
			d = "the last apply was interrupted, and " + d
		}
		return d + ": approve to go on from the state as it is now", false
	}
	if m.Unseen {
		return "the last apply was interrupted: look at this plan before it is applied", true
	}
	if why, settled := w.againstReview(p); settled {
		if why == "" {
			w.notes = append(w.notes, fmt.Sprintf("approved by %s in %s; planned again, and nothing in the plan differs", w.t.approvedBy(), w.t.brought))
		}
		return why, true
	}
	if w.t.removal {
		return "the branch no longer has it: this plan destroys what it made", true
	}
	if w.x.repo.cfg.HoldDirect && w.t.brought == "" && !w.t.heals {
		return "direct pushes are held", true
	}
	if w.t.heals {
		if why := w.x.since(w.t.unit, w.spec.Variables); why != "" {
			return why + ": an apply would do more than heal what drifted", true
		}
	}
	level, lowered := policies.Within(w.x.repo.cfg.AutoApply, policies.Level(w.t.unit.AutoApply))
	if lowered {
		w.notes = append(w.notes, fmt.Sprintf("auto_apply = %q is looser than the server allows: %q holds", w.t.unit.AutoApply, level))
	}
	if w.t.heals {
		level = healLevel(level)
	}
	d := policies.Gate(level, p.JSON)
	if d.Allowed {
		return "", true
	}
	return strings.Join(d.Reasons, ", "), true
}

// unchanged ends a workspace whose plan changes nothing.
func (w *workspaceRun) unchanged(o outcome, p *terraform.Plan, now stateMemory) (outcome, error) {
	o.Status = Unchanged
	kept, err := w.sealAll(p.State.Outputs)
	if err != nil {
		return o, err
	}
	took, err := w.x.upstreamOf(w.t.unit, w.spec.Variables)
	if err != nil {
		return o, err
	}
	o.Outputs = names(kept)
	o.remember = func(m *memory) { m.State, m.StateLeft, m.Outputs, m.Upstream, m.Plan = now, true, kept, took, nil }
	o.gone = w.t.removal
	return o, nil
}

// apply applies the saved plan. The intent is durable before Terraform starts,
// and from then on the plan is burned: it is never applied a second time.
func (w *workspaceRun) apply(ctx context.Context, o outcome, p *terraform.Plan, now stateMemory) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return o, err
	}
	id := w.t.unit.ID
	took, err := w.x.upstreamOf(w.t.unit, w.spec.Variables)
	if err != nil {
		return o, err
	}
	i := &intent{
		Run: w.x.run.ID, Digest: p.Digest, Lineage: now.Lineage, Serial: now.Serial, Started: w.x.r.opts.Now(),
		Dir: filepath.Base(w.s.RunDir()), Tool: w.spec.Tool.Name, Before: now, Result: o.UnitResult, Removal: w.t.removal, From: w.t.from,
		Consumed: consumed(w.x.graph, id), Upstream: took,
	}
	i.Result.Notes = union(i.Result.Notes, w.x.result(id).Notes)
	if err := w.x.intend(w.t, i); err != nil {
		return o, err
	}
	w.phase(PhaseApply)
	linger, cancel := w.x.r.lingering(ctx, true)
	defer cancel()
	applied, err := w.s.Apply(linger, w.out, p, terraform.ApplyOptions{Outputs: i.Consumed})
	if errors.Is(err, terraform.ErrHandedOver) {
		return o, err
	}
	o.Notes = append(o.Notes, w.s.Notes()...)
	return w.x.r.afterApply(o, i, applied, err, w.hide)
}

// afterApply is what an apply came to, whoever watched it: the run that started it
// or one that found it after a restart.
func (r *Runner) afterApply(o outcome, i *intent, applied terraform.Applied, err error, hide *redact.Redactor) (outcome, error) {
	if errors.Is(err, terraform.ErrStalePlan) || errors.Is(err, terraform.ErrNoSpace) {
		return o, err // burned, and Terraform changed nothing
	}
	o.began = true
	var failed *terraform.CommandError
	switch {
	case errors.Is(err, terraform.ErrLost):
		o.interrupted = fmt.Sprintf("%s; %v", i.unseen(), err)
		return o, err
	case errors.As(err, &failed) && failed.Killed:
		o.interrupted = fmt.Sprintf("%s was killed: nobody knows how far it came (%s)", i.Tool, i.words())
		return o, err
	case err != nil:
		o.remember = func(m *memory) { m.Plan = nil }
		return o, err
	}
	o.Status = Applied
	o.gone = i.Removal
	after := i.Before
	after.Resources += o.Add - o.Destroy
	if applied.State.Known {
		after.Lineage, after.Serial, after.Resources = applied.State.Lineage, applied.State.Serial, applied.State.Resources
	}
	var kept outputs
	if i.Consumed && applied.OutputsKnown {
		for _, out := range applied.State.Outputs {
			if out.Sensitive {
				hide.AddJSON(out.JSON)
			}
		}
		if kept, err = r.seal.sealOutputs(applied.State.Outputs); err != nil {
			return o, err
		}
	}
	o.Outputs = union(o.Outputs, names(kept))
	o.remember = func(m *memory) {
		m.State, m.StateLeft, m.Outputs, m.Upstream, m.Plan = after, applied.State.Known, kept, i.Upstream, nil
	}
	return o, nil
}

func (w *workspaceRun) sealAll(outs map[string]terraform.Output) (outputs, error) {
	if !consumed(w.x.graph, w.t.unit.ID) {
		return nil, nil
	}
	return w.x.r.seal.sealOutputs(outs)
}

func (w *workspaceRun) phase(p Phase) {
	w.x.r.emit(Event{Repository: w.x.run.Repository, Run: w.x.run.ID, Unit: w.t.unit.ID, Phase: p})
}

// intend makes the intent durable, in one transaction with the lock that it needs
// and the plan that it burns. It fails where the lock went to somebody else
// meanwhile, or where the plan was used: then nothing was started.
func (x *execution) intend(t task, i *intent) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	id := t.unit.ID
	m := x.memory(id)
	next := *m
	next.Intent, next.Touched, next.Plan = i, true, nil
	err := x.r.journal.update(func(tx *bbolt.Tx) error {
		held, err := getMemory(tx, x.run.Repository, id)
		if err != nil {
			return err
		}
		if held.Intent != nil {
			return fmt.Errorf("apply %s: %s has begun to apply it and its end is not recorded: %w", id, held.Intent.Run, terraform.ErrStalePlan)
		}
		if t.approved && (held.Plan == nil || held.Plan.Digest != i.Digest) {
			return fmt.Errorf("apply %s: the saved plan was used already: %w", id, terraform.ErrStalePlan)
		}
		key := x.r.lockKey(x.repo, t.unit)
		holder, locked, err := locks.Get(tx, key)
		if err != nil {
			return err
		}
		switch {
		case !locked: // a person broke it
			if err := locks.Acquire(tx, key, locks.Holder{Unit: id, Repository: x.run.Repository, Run: x.holder(), Reason: "apply of " + short(x.run.Commit), Since: i.Started}); err != nil {
				return err
			}
		case holder.Run != x.holder() || holder.Repository != x.run.Repository:
			return &locks.HeldError{Unit: id, Holder: holder}
		}
		if held.Plan != nil {
			file := held.Plan.File
			tx.OnCommit(func() { removeFile(file) })
		}
		return putMemory(tx, &next)
	})
	if err == nil {
		*m = next
	}
	return err
}

// recall returns a copy of what is known of a unit.
func (x *execution) recall(id string) memory {
	x.mu.Lock()
	defer x.mu.Unlock()
	return *x.memory(id)
}

func (x *execution) result(id string) *UnitResult {
	x.mu.Lock()
	defer x.mu.Unlock()
	u := *x.run.Unit(id)
	return &u
}

// againstReview compares a plan with the one that people saw in review. settled tells
// that its word is the last: the same plan, to which somebody said yes, or another one,
// which waits. What was deferred there had no plan to be compared with.
func (w *workspaceRun) againstReview(p *terraform.Plan) (why string, settled bool) {
	k := w.t.reviewed
	if k == nil || k.Content == "" || k.Status != Planned && k.Status != Unchanged {
		return "", false
	}
	if w.x.r.planContent(p.JSON) != k.Content {
		return fmt.Sprintf("this plan is not the one that was reviewed in %s", w.t.brought), true
	}
	return "", w.t.agreed
}

// showReviewers keeps, of a plan that was made after the merge, its readable form and
// what differs in it from the plan that was reviewed.
func (w *workspaceRun) showReviewers(p *terraform.Plan) error {
	if w.t.brought == "" || !p.Changes {
		return nil
	}
	text := w.hide.Text(comment.Diff(p.JSON))
	if why, _ := w.againstReview(p); why != "" {
		was := w.x.r.planText(w.t.reviewed.Run, w.t.unit.ID, diffSuffix)
		between := cmp.Or(comment.Between(was, text), "They differ only in what is not shown: secrets, or values that are too long.\n")
		if err := w.x.r.keepText(w.x.run.ID, w.t.unit.ID, differenceSuffix, between); err != nil {
			return err
		}
	}
	return w.x.r.keepText(w.x.run.ID, w.t.unit.ID, diffSuffix, text)
}
