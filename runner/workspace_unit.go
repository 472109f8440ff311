package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/workspace"
)

// workspace plans one workspace and applies the plan where the gate allows it.
// The caller holds its lock.
func (x *execution) workspace(ctx context.Context, t task) (outcome, error) {
	if t.unit.Err != nil {
		return outcome{}, t.unit.Err
	}
	commit := x.run.Commit
	if t.removal {
		commit = t.from
	}
	tree, err := x.checkouts.get(ctx, x.repo, commit)
	if err != nil {
		return outcome{}, fmt.Errorf("check out %s: %w", short(commit), err)
	}
	log, err := x.r.openLog(x.run.ID, t.unit.ID)
	if err != nil {
		return outcome{}, err
	}
	defer log.Close()
	out := io.MultiWriter(log, x.lines(t.unit.ID))

	spec, err := x.spec(ctx, t, tree.Dir)
	if err != nil {
		return outcome{}, err
	}
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
	if m.Taken != nil && m.Taken.Status == Interrupted {
		return "the last apply was interrupted: look at this plan before it is applied", true
	}
	if w.t.removal {
		return "its directory is gone: this plan destroys what it made", false
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
	return joinReasons(d.Reasons), true
}

// keep remembers a plan that waits for a person.
func (w *workspaceRun) keep(p *terraform.Plan, now stateMemory) func(*memory) {
	held := &heldPlan{Commit: w.x.run.Commit, Inputs: w.inputs, Destroy: w.t.removal, Made: w.x.r.opts.Now(), Accepts: now}
	if p.Changes {
		p.Keep()
		held.File, held.Digest = p.File, p.Digest
	}
	return func(m *memory) { m.Plan = held }
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

// applyApproved applies the saved plan that a person said yes to, and no other.
// Where the world has moved since, a new plan is made and waits.
func (w *workspaceRun) applyApproved(ctx context.Context) (outcome, error) {
	m := w.x.recall(w.t.unit.ID)
	held := m.Plan
	if held == nil { // interrupted work: the person asked for a new plan
		return w.plan(ctx)
	}
	if held.File == "" { // nothing to apply: the person accepted the state as it is
		w.x.accept(w.t.unit.ID, held.Accepts)
		return w.plan(ctx)
	}
	stale := ""
	switch digest, err := fileDigest(held.File); {
	case errors.Is(err, os.ErrNotExist):
		stale = "the saved plan is gone"
	case err != nil:
		return outcome{}, fmt.Errorf("read the saved plan: %w", err)
	case digest != held.Digest:
		stale = "the saved plan is not the one that was approved"
	case held.Inputs != w.inputs:
		stale = "variables or the Terraform version changed since the plan was made"
	}
	w.phase(PhaseInit)
	if err := w.s.Init(ctx, w.out); err != nil {
		return outcome{}, err
	}
	if stale == "" {
		o := outcome{UnitResult: *w.x.result(w.t.unit.ID)}
		o.Reason, o.Error = "", ""
		o, err := w.apply(ctx, o, held.File, held.Digest, held.Accepts)
		if !errors.Is(err, terraform.ErrStalePlan) {
			return o, err
		}
		stale = "the state moved since the plan was made"
	}
	removeFile(held.File)
	o, err := w.plan(ctx)
	if o.Status == Held {
		o.Reason = fmt.Sprintf("%s, so a new plan was made: %s", stale, o.Reason)
	}
	return o, err
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
	m.Intent = i
	m.Plan = nil
	return x.r.journal.update(func(tx *bbolt.Tx) error { return putMemory(tx, m) })
}

// accept takes a state that does not continue the last one as the one to go on
// from: a person said so.
func (x *execution) accept(id string, s stateMemory) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.memory(id)
	m.State, m.Plan = s, nil
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

// describe fills a result with what a plan would do.
func describe(u *UnitResult, p *terraform.Plan) {
	if p.JSON == nil {
		return
	}
	u.Add, u.Change, u.Destroy = p.Add, p.Change, p.Destroy
	for _, rc := range p.JSON.ResourceChanges {
		if rc.Change == nil || rc.Mode != tfjson.ManagedResourceMode || rc.Change.Actions.NoOp() && rc.Change.Importing == nil {
			continue
		}
		u.Changes = append(u.Changes, ResourceChange{Address: rc.Address, Action: action(rc.Change)})
	}
	for name := range p.JSON.OutputChanges {
		u.Outputs = append(u.Outputs, name)
	}
	slices.Sort(u.Outputs)
}

func action(c *tfjson.Change) string {
	switch a := c.Actions; {
	case a.Replace():
		return "replace"
	case c.Importing != nil && a.NoOp():
		return "import"
	case len(a) > 0:
		return string(a[0])
	}
	return "no-op"
}

// inputsDigest says what a plan was made from besides the commit and the state.
func inputsDigest(s terraform.Spec) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		fmt.Fprintf(h, "%q=%q\n", name, s.Variables[name].JSON)
	}
	fmt.Fprintf(h, "tool %q %q\n", s.Tool.Name, s.Tool.Version)
	return hex.EncodeToString(h.Sum(nil))
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func names(o outputs) []string { return slices.Sorted(maps.Keys(o)) }

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// upstreamOutputs gives a unit what it may refer to: the last good outputs of
// other units, in clear.
func (x *execution) upstreamOutputs(id string) (map[string]workspace.Output, bool) {
	m := x.recall(id)
	if m.Outputs == nil {
		return nil, false
	}
	clear := make(map[string]workspace.Output, len(m.Outputs))
	for name, o := range m.Outputs {
		value, err := x.r.seal.reveal(name, o)
		if err != nil {
			continue // said as a missing output where somebody asks for it
		}
		clear[name] = workspace.Output{JSON: json.RawMessage(value), Type: o.Type, Sensitive: o.Sensitive}
	}
	return clear, true
}
