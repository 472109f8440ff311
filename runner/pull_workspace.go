package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/workspace"
)

// readUpstreams reads, from their state, the outputs of units that this pull request
// leaves alone and refers to for the first time.
func (x *reviewRun) readUpstreams(ctx context.Context) {
	for _, e := range x.graph.Edges {
		_, to := x.tasks[e.To]
		_, from := x.tasks[e.From]
		m := x.recall(e.From)
		if e.Why != "outputs" || !to || from || x.planned[e.From] != nil || m.Outputs != nil || m.Converged == "" {
			continue
		}
		outs, err := x.outputsNow(ctx, e.From)
		if err != nil {
			x.run.Notes = append(x.run.Notes, fmt.Sprintf("the outputs of %s are not known: %v", e.From, err))
			continue
		}
		x.planned[e.From] = outs
	}
}

func (x *reviewRun) outputsNow(ctx context.Context, id string) (map[string]workspace.Output, error) {
	u := x.graph.Unit(id)
	tree, err := x.checkouts.get(ctx, x.repo, x.commit())
	if err != nil {
		return nil, err
	}
	spec, err := specWithoutVariables(ctx, x.r.tools, u, x.r.opts.environments(x.repo.cfg))
	if err != nil {
		return nil, err
	}
	spec.Repository, spec.Tree, spec.Run = x.run.Repository, tree.Dir, x.run.ID
	outs, err := outputsInState(ctx, x.r.home, spec)
	return outs, redact.New(spec.Secrets...).Error(err)
}

// workspace plans one workspace and keeps the plan.
func (x *reviewRun) workspace(ctx context.Context, t task) (o outcome, v *reviewed, failed error) {
	if t.unit.Err != nil {
		return o, nil, t.unit.Err
	}
	v = &reviewed{}
	var err error
	if o.Status, o.Reason, err = x.admit(t, v); err != nil || o.Status != "" {
		if o.Status == Failed {
			o.Error, o.Reason = o.Reason, ""
		}
		return o, v, err
	}
	commit := x.commit()
	if t.removal {
		commit = t.from
	}
	tree, err := x.checkouts.get(ctx, x.repo, commit)
	if err != nil {
		return o, nil, err
	}
	spec, err := x.spec(ctx, t, tree.Dir)
	if err != nil {
		return o, nil, err
	}
	hide := redact.New(spec.Secrets...)
	defer func() { o.hide(hide); failed = hide.Error(failed) }()
	rules := x.rules(ctx) // before a supervisor is there to wait for it
	s, err := x.r.home.Open(ctx, spec)
	if err != nil {
		return o, nil, err
	}
	defer s.Close() // what it could not clear away is cleared by the next start
	w := &workspaceRun{x: x.execution, t: t, s: s, spec: spec, commit: commit, hide: hide, out: x.lines(t.unit.ID), rules: rules}
	why, err := w.unstored()
	if err != nil {
		return o, nil, err
	}
	if why != "" {
		return o, nil, errors.New(why)
	}
	w.phase(PhaseInit)
	if err := s.Init(ctx, w.out); err != nil {
		return o, nil, err
	}
	w.phase(PhasePlan)
	p, err := w.makePlan(ctx)
	if err != nil {
		return o, nil, err
	}
	hide.Add(p.Secrets()...)
	return x.weigh(ctx, w, p, v)
}

// weigh says what a plan comes to, lets the units that come after it know its outputs, and
// keeps it where it changes anything.
func (x *reviewRun) weigh(ctx context.Context, w *workspaceRun, p *terraform.Plan, v *reviewed) (o outcome, _ *reviewed, err error) {
	t := w.t
	describe(&o.UnitResult, p)
	o.Notes = append(o.Notes, w.s.Notes()...)
	now := stateMemory{Identity: t.unit.StateIdentity(), Lineage: p.State.Lineage, Serial: p.State.Serial, Resources: p.State.Resources}
	leap := discontinuity(x.recall(t.unit.ID).State, now)
	if leap != "" {
		o.Notes = append(o.Notes, leap+": after the merge it waits for a person")
	}
	x.mu.Lock()
	x.planned[t.unit.ID] = plannedOutputs(p.JSON, outputsOf(p.State.Outputs))
	x.mu.Unlock()
	v.Content, v.Whole = x.r.planContent(p.JSON), true
	v.Bound.State = now
	if v.LetIn != "" {
		o.Notes = append(o.Notes, v.LetIn+" let it run, with what it adds")
	}
	if !p.Changes {
		o.Status = Unchanged
		return o, v, nil
	}
	o.Status = Planned
	v.Verdict = hideFindings(w.rules.plan(ctx, p.JSON, x.facts(t)), w.hide)
	o.Policy = policyResult(v.Verdict)
	level, _ := policies.Within(x.repo.cfg.AutoApply, policies.Level(t.unit.AutoApply))
	v.Needs = needs(policies.Gate(level, p.JSON), t.removal, leap)
	if v.Volatile, err = w.s.Generated(); err != nil {
		return o, nil, err
	}
	v.Volatile = v.Volatile || leap != "" // no review is a word on another state: it is planned again, and held
	if v.Bound, err = w.binding(); err != nil {
		return o, nil, err
	}
	v.Bound.State, v.heldPlan.Destroy, v.heldPlan.Made = now, t.removal, x.r.opts.Now()
	if v.File, err = p.Keep(ctx); err != nil {
		return o, nil, err
	}
	v.Digest = p.Digest
	return o, v, x.r.keepText(x.run.ID, t.unit.ID, diffSuffix, w.hide.Text(comment.Diff(p.JSON)))
}

// needs says why a plan wants a person, or "": the end of a unit and a state that does
// not go on from the last one do whatever the gate says.
func needs(gate policies.Decision, removal bool, leap string) string {
	var all []string
	if !gate.Allowed {
		all = gate.Reasons
	}
	if removal && len(all) == 0 {
		all = append(all, "ends it")
	}
	if leap != "" {
		all = append(all[:len(all):len(all)], leap)
	}
	return strings.Join(all, ", ")
}
