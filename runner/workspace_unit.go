package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/policies"
)

// workspace plans one workspace and applies the plan where the gate allows it.
// The caller holds its lock.
func (x *execution) workspace(ctx context.Context, t task) (_ outcome, failed error) {
	if t.unit.Err != nil {
		return outcome{}, t.unit.Err
	}
	commit := x.run.Commit
	if t.removal {
		commit = t.from
	}
	tree, err := x.checkouts.get(ctx, x.repo, commit)
	if err != nil {
		return outcome{}, err
	}
	log, err := x.r.openLog(x.run.ID, t.unit.ID)
	if err != nil {
		return outcome{}, err
	}
	defer log.Close()
	spec, err := x.spec(ctx, t, tree.Dir)
	if err != nil {
		return outcome{}, err
	}
	hide := newRedactor(spec.Variables)
	defer func() { failed = hide.err(failed) }()
	out := hide.writer(io.MultiWriter(log, x.lines(t.unit.ID)))
	s, err := x.r.home.Open(ctx, spec)
	if err != nil {
		return outcome{}, err
	}
	defer s.Close()
	w := &workspaceRun{x: x, t: t, s: s, out: out, inputs: inputsDigest(spec)}
	if t.approved && x.repo.cfg.Apply.applies() {
		return w.applyApproved(ctx)
	}
	return w.plan(ctx)
}

// workspaceRun is one workspace under way.
type workspaceRun struct {
	x      *execution
	t      task
	s      *terraform.Session
	out    io.Writer
	inputs string // digest of variables and tool
	notes  []string
}

// plan makes a plan and takes it as far as the gate lets it.
func (w *workspaceRun) plan(ctx context.Context) (outcome, error) {
	w.phase(PhaseInit)
	if err := w.s.Init(ctx, w.out); err != nil {
		return outcome{}, err
	}
	w.phase(PhasePlan)
	p, err := w.s.Plan(ctx, w.out, terraform.PlanOptions{Destroy: w.t.removal})
	if err != nil {
		return outcome{}, err
	}
	o := outcome{}
	describe(&o.UnitResult, p)
	now := stateMemory{Identity: w.t.unit.StateIdentity(), Lineage: p.State.Lineage, Serial: p.State.Serial, Resources: p.State.Resources}

	hold, direct := w.hold(p, now)
	o.Notes = append(w.s.Notes(), w.notes...)
	switch {
	case !w.x.repo.cfg.Apply.applies() && p.Changes:
		o.Status = Planned
		return o, nil
	case hold != "" && (p.Changes || !direct):
		o.Status, o.Reason = Held, hold
		o.remember = w.keep(p, now)
		return o, nil
	case !p.Changes:
		return w.unchanged(o, p, now)
	}
	return w.apply(ctx, o, p.File, p.Digest, now)
}

// hold says why the plan has to wait for a person, or "". direct tells that the
// reason is about the changes of the plan: a plan of none passes.
func (w *workspaceRun) hold(p *terraform.Plan, now stateMemory) (why string, direct bool) {
	m := w.x.recall(w.t.unit.ID)
	if d := discontinuity(m.State, now); d != "" {
		return d + ": approve to go on from the state as it is now", false
	}
	if m.Unseen {
		return "the last apply was interrupted: look at this plan before it is applied", true
	}
	if w.t.removal {
		return "the branch no longer has it: this plan destroys what it made", true
	}
	if w.x.repo.cfg.HoldDirect {
		return "direct pushes are held", true
	}
	level, lowered := policies.Within(w.x.repo.cfg.AutoApply, policies.Level(w.t.unit.AutoApply))
	if lowered {
		w.notes = append(w.notes, fmt.Sprintf("auto_apply = %q is looser than the server allows: %q holds", w.t.unit.AutoApply, level))
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
	o.Outputs = names(kept)
	o.remember = func(m *memory) { m.State, m.Outputs, m.Plan = now, kept, nil }
	o.gone = w.t.removal
	return o, nil
}

// apply applies the saved plan. The intent is durable before Terraform starts,
// and from then on the plan is burned: it is never applied a second time.
func (w *workspaceRun) apply(ctx context.Context, o outcome, file, digest string, now stateMemory) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return o, err
	}
	id := w.t.unit.ID
	if err := w.x.intend(id, &intent{Run: w.x.run.ID, Digest: digest, Lineage: now.Lineage, Serial: now.Serial, Started: w.x.r.opts.Now()}); err != nil {
		return o, err
	}
	w.phase(PhaseApply)
	linger, cancel := w.x.r.lingering(ctx)
	defer cancel()
	err := w.s.Apply(linger, w.out, file)
	if errors.Is(err, terraform.ErrStalePlan) || errors.Is(err, terraform.ErrNoSpace) {
		removeFile(file) // burned, and Terraform changed nothing
		return o, err
	}
	o.began = true
	if err != nil {
		o.remember = func(m *memory) { m.Plan = nil }
		return o, err
	}
	o.Status = Applied
	o.gone = w.t.removal
	after, outs, err := w.after(linger, o, now)
	if err != nil {
		return o, fmt.Errorf("applied, but %w", err)
	}
	kept, err := w.sealAll(outs)
	if err != nil {
		return o, err
	}
	o.Outputs = union(o.Outputs, names(kept))
	o.remember = func(m *memory) { m.State, m.Outputs, m.Plan = after, kept, nil }
	return o, nil
}

// after reads what the apply left, with as few processes as will do: outputs only
// where somebody consumes them, lineage and serial only where the state is a file
// here. The next plan knows the rest.
func (w *workspaceRun) after(ctx context.Context, o outcome, before stateMemory) (stateMemory, map[string]terraform.Output, error) {
	after := before
	after.Resources += o.Add - o.Destroy
	if b := w.t.unit.Module.Backend.Type; b == "" || b == "local" {
		info, err := w.s.State(ctx)
		if err != nil {
			return after, nil, fmt.Errorf("read the state: %w", err)
		}
		after.Lineage, after.Serial, after.Resources = info.Lineage, info.Serial, info.Resources
		return after, info.Outputs, nil
	}
	if !consumed(w.x.graph, w.t.unit.ID) {
		return after, nil, nil
	}
	outs, err := w.s.Outputs(ctx)
	if err != nil {
		return after, nil, fmt.Errorf("read the outputs: %w", err)
	}
	return after, outs, nil
}

func (w *workspaceRun) sealAll(outs map[string]terraform.Output) (outputs, error) {
	if !consumed(w.x.graph, w.t.unit.ID) {
		return nil, nil
	}
	kept := make(outputs, len(outs))
	for name, o := range outs {
		sealed, err := w.x.r.seal.sealOutput(o.JSON, o.Type, o.Sensitive)
		if err != nil {
			return nil, fmt.Errorf("keep output %s: %w", name, err)
		}
		kept[name] = sealed
	}
	return kept, nil
}

func (w *workspaceRun) phase(p Phase) {
	w.x.r.emit(Event{Repository: w.x.run.Repository, Run: w.x.run.ID, Unit: w.t.unit.ID, Phase: p})
}

// intend makes the intent durable.
func (x *execution) intend(id string, i *intent) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.memory(id)
	m.Intent, m.Touched, m.Plan = i, true, nil
	return x.r.journal.update(func(tx *bbolt.Tx) error { return putMemory(tx, m) })
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
