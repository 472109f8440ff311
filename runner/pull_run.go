package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/workspace"
)

// reviewRun plans the units of a pull request. What is known of the units is read and
// not written: nothing of the branch changes by a plan.
type reviewRun struct {
	*execution
	v    *reviewer
	pull *pull
	plan *pullPlan

	planned map[string]map[string]workspace.Output // guarded by execution.mu; by unit: what its outputs will be, known or not
	plans   map[string]*reviewed                   // guarded by it too
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

// contents stands for everything that the run says would happen.
func (x *reviewRun) contents(all map[string]*reviewed) string {
	var parts [][]byte
	for _, u := range x.run.Units {
		content, prunes := "", []byte(nil)
		if v := all[u.ID]; v != nil {
			content = v.Content
			prunes, _ = json.Marshal(v.Prunes) // strings: they always marshal
		}
		parts = append(parts, []byte(u.ID), []byte(u.Status), []byte(content), prunes)
	}
	return x.r.contentOf(parts...)
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
	s, err := x.r.home.Open(ctx, spec)
	if err != nil {
		return o, nil, err
	}
	defer s.Close() // what it could not clear away is cleared by the next start
	w := &workspaceRun{x: x.execution, t: t, s: s, spec: spec, commit: commit, hide: hide, out: x.lines(t.unit.ID)}
	if why, err := w.unstored(); why != "" || err != nil {
		return o, nil, errors.Join(err, errors.New(why))
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
	describe(&o.UnitResult, p)
	o.Notes = append(o.Notes, s.Notes()...)
	now := stateMemory{Identity: t.unit.StateIdentity(), Lineage: p.State.Lineage, Serial: p.State.Serial, Resources: p.State.Resources}
	leap := discontinuity(x.recall(t.unit.ID).State, now)
	if leap != "" {
		o.Notes = append(o.Notes, leap+": after the merge it waits for a person")
	}
	outs := make(map[string]workspace.Output, len(p.State.Outputs))
	for name, out := range p.State.Outputs {
		outs[name] = workspace.Output{JSON: out.JSON, Type: out.Type, Sensitive: out.Sensitive}
	}
	x.mu.Lock()
	x.planned[t.unit.ID] = plannedOutputs(p.JSON, outs)
	x.mu.Unlock()
	v = &reviewed{Content: x.r.planContent(p.JSON), Whole: true}
	v.Bound.State = now
	if !p.Changes {
		o.Status = Unchanged
		return o, v, nil
	}
	o.Status = Planned
	level, _ := policies.Within(x.repo.cfg.AutoApply, policies.Level(t.unit.AutoApply))
	v.Needs = needs(policies.Gate(level, p.JSON), t.removal, leap)
	if v.Volatile, err = s.Generated(); err != nil {
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
	return o, v, x.r.keepText(x.run.ID, t.unit.ID, diffSuffix, hide.Text(comment.Diff(p.JSON)))
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

// manifests compares a manifest set with its cluster, as it will be once the plans of
// the workspaces that it refers to are applied.
func (x *reviewRun) manifests(ctx context.Context, t task) (o outcome, v *reviewed, failed error) {
	if t.unit.Err != nil {
		return o, nil, t.unit.Err
	}
	x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Unit: t.unit.ID, Phase: PhasePlan})
	set, err := x.openSet(ctx, t, x.recall(t.unit.ID))
	if why := unseen(err); why != "" && !t.removal {
		return x.renderOnly(ctx, t, why)
	}
	if err != nil {
		return o, nil, err
	}
	defer set.close()
	if t.removal {
		plan, err := set.cluster.PlanDelete(ctx, set.set, set.inventory, set.options())
		if err != nil {
			return o, nil, err
		}
		o, v, err := set.foreseen(plan, nil, false)
		if len(plan.Prunes()) > 0 {
			v.Needs = "deletes its " + count(len(plan.Prunes()), "object")
		}
		return o, v, err
	}
	objects, whole, err := x.rendered(ctx, t, &set.source)
	if err != nil {
		return o, nil, err
	}
	plan, err := set.cluster.Plan(ctx, set.set, objects, set.inventory, set.options())
	if errors.Is(err, k8s.ErrOtherCluster) {
		o.Status, o.Notes = Planned, []string{err.Error() + ": after the merge it waits for a person"}
		return o, &reviewed{Needs: "leaves what it has in another cluster"}, nil
	}
	if err != nil {
		return o, nil, sensitiveIn(set.source).Error(err)
	}
	return set.foreseen(plan, objects, whole)
}

// rendered is what the set's files make at the commit that is reviewed; whole tells
// that every value in it was known.
func (x *reviewRun) rendered(ctx context.Context, t task, src *k8s.Source) (objects []k8s.Object, whole bool, err error) {
	tree, err := x.checkouts.get(ctx, x.repo, x.commit())
	if err != nil {
		return nil, false, err
	}
	*src, err = sourceOf(t.unit, tree.Dir, x.upstreamOutputs, x.r.keys)
	if errors.Is(err, workspace.ErrInputsUnknown) {
		*src, err = allUnknown(filesOf(t.unit, tree.Dir, x.r.keys))
	}
	if err != nil {
		return nil, false, err
	}
	src.Preview, whole = true, !src.Unknown
	for _, value := range src.Values {
		whole = whole && !value.Unknown
	}
	objects, err = x.r.render(ctx, t.unit, *src)
	return objects, whole, err
}

func (x *reviewRun) renderOnly(ctx context.Context, t task, why string) (outcome, *reviewed, error) {
	var src k8s.Source
	objects, _, err := x.rendered(ctx, t, &src)
	if err != nil {
		return outcome{}, nil, err
	}
	return outcome{UnitResult: renderedOnly(objects, why)}, &reviewed{}, nil
}

// foreseen is what a plan of a set says.
func (s *manifestSet) foreseen(plan *k8s.ChangePlan, objects []k8s.Object, whole bool) (outcome, *reviewed, error) {
	var o outcome
	fillObjects(&o.UnitResult, plan.Result)
	hideInDiffs(o.Objects, sensitiveIn(s.source))
	boundDiffs(o.Objects)
	o.Status = Unchanged
	if plan.Changes() > 0 {
		o.Status = Planned
	}
	content, err := s.x.r.objectsContent(objects)
	v := &reviewed{Content: content, Whole: whole}
	v.Prunes, v.Made = plan.Prunes(), s.x.r.opts.Now()
	v.Bound.Commit = s.x.commit()
	v.Needs = s.needs(plan)
	return o, v, err
}

// needs says why a set waits for a person after the merge, or "": what the applier asks a
// person for, and what the server says of applies.
func (s *manifestSet) needs(plan *k8s.ChangePlan) string {
	held := 0
	for _, a := range plan.Actions {
		if a.Verb == k8s.VerbHold {
			held++
		}
	}
	switch level := s.x.repo.cfg.AutoApply; {
	case plan.Changes() == 0:
		return ""
	case level != policies.NoDestroy && level != policies.Always:
		return "auto_apply is never"
	case held > 0:
		return fmt.Sprintf("prunes %d, most of the set", held)
	}
	return ""
}

// objectsContent stands for rendered objects.
func (r *Runner) objectsContent(objects []k8s.Object) (string, error) {
	var parts [][]byte
	for _, o := range objects {
		data, err := json.Marshal(o.Object)
		if err != nil {
			return "", fmt.Errorf("digest of %s: %w", o.Ref(), err)
		}
		parts = append(parts, data)
	}
	return r.contentOf(parts...), nil
}

// planContent stands for everything that a plan would change, sensitive values
// included: two plans with the same content do the same.
func (r *Runner) planContent(plan *tfjson.Plan) string {
	type change struct {
		Address, Previous, Deposed string
		Mode                       tfjson.ResourceMode
		Change                     *tfjson.Change
	}
	var all []change
	outputs := map[string]*tfjson.Change{}
	if plan != nil {
		for _, rc := range plan.ResourceChanges {
			if rc.Change == nil || rc.Change.Actions.NoOp() && rc.Change.Importing == nil && rc.PreviousAddress == "" || rc.Mode == tfjson.DataResourceMode && rc.Change.Actions.Read() {
				continue
			}
			all = append(all, change{rc.Address, rc.PreviousAddress, rc.DeposedKey, rc.Mode, rc.Change})
		}
		for name, c := range plan.OutputChanges {
			if !c.Actions.NoOp() {
				outputs[name] = c
			}
		}
	}
	slices.SortFunc(all, func(a, b change) int {
		return slices.Compare([]string{a.Address, a.Deposed}, []string{b.Address, b.Deposed})
	})
	var actions []*tfjson.ActionInvocation
	var steps map[string][]*tfjson.ConfigProvisioner
	if plan != nil {
		actions, steps = plan.ActionInvocations, provisioners(plan)
	}
	data, err := json.Marshal(struct {
		Resources    []change
		Outputs      map[string]*tfjson.Change
		Actions      []*tfjson.ActionInvocation             `json:",omitempty"`
		Provisioners map[string][]*tfjson.ConfigProvisioner `json:",omitempty"`
	}{all, outputs, actions, steps})
	if err != nil { // it came out of JSON
		return ""
	}
	return r.contentOf(data)
}

// provisioners are the commands that a plan's resources would start, which no change of a
// value tells of.
func provisioners(plan *tfjson.Plan) map[string][]*tfjson.ConfigProvisioner {
	if plan.Config == nil {
		return nil
	}
	all := map[string][]*tfjson.ConfigProvisioner{}
	var walk func(path string, m *tfjson.ConfigModule)
	walk = func(path string, m *tfjson.ConfigModule) {
		if m == nil {
			return
		}
		for _, r := range m.Resources {
			if len(r.Provisioners) > 0 {
				all[path+r.Address] = r.Provisioners
			}
		}
		for name, call := range m.ModuleCalls {
			walk(path+name+".", call.Module)
		}
	}
	walk("", plan.Config.RootModule)
	return all
}

// diffLimitOnDisk bounds the readable diff that is kept of a unit, in bytes.
const diffLimitOnDisk = 16 << 20

// What is kept of a unit's plan beside its log: its readable form, and what differs in
// it from the plan that was reviewed.
const (
	diffSuffix       = ".diff"
	differenceSuffix = ".difference"
)

// keepText keeps a text about a unit's plan beside its log. Secrets are taken out by
// the caller.
func (r *Runner) keepText(run, unit, suffix, text string) error {
	log, err := r.logFile(run, unit)
	if err != nil {
		return err
	}
	if len(text) > diffLimitOnDisk {
		text = strings.ToValidUTF8(text[:diffLimitOnDisk], "") + "\n(cut: it is longer than 16 MiB)\n"
	}
	return os.WriteFile(besideLog(log, suffix), []byte(text), 0o600)
}

func besideLog(log, suffix string) string { return strings.TrimSuffix(log, ".log") + suffix }

// planText reads it; "" where there is none.
func (r *Runner) planText(run, unit, suffix string) string {
	text, _ := os.ReadFile(besideLog(filepath.Join(r.opts.DataDir, "runs", run, fileName(unit)+".log"), suffix))
	return string(text)
}

// logText reads the end of what Terraform printed, at most limit bytes.
func (r *Runner) logText(run, unit string, limit int64) string {
	f, err := r.Log(run, unit)
	if err != nil {
		return ""
	}
	defer f.Close()
	var text bytes.Buffer
	if file, ok := f.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Size() > limit {
			_, _ = file.Seek(-limit, io.SeekEnd) // a whole file is no worse
		}
	}
	_, _ = io.Copy(&text, io.LimitReader(f, limit)) // what could be read is shown
	return text.String()
}
