package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// manifests compares a manifest set with its cluster. What its values will be is taken from the plans of the
// workspaces it refers to; one that is known only after their apply stands as such in the diff.
func (p *previewer) manifests(ctx context.Context, u *workspace.Unit) (UnitResult, error) {
	p.opts.Observe(Event{Unit: u.ID, Phase: PhasePlan})
	src, err := sourceOf(u, p.opts.Dir, p.afterApply, p.keys)
	if errors.Is(err, workspace.ErrInputsUnknown) {
		src, err = allUnknown(filesOf(u, p.opts.Dir, p.keys))
	}
	if err != nil {
		return UnitResult{}, err
	}
	if err := fetchChart(ctx, p.charts, u, &src); err != nil {
		return UnitResult{}, err
	}
	src.Preview = true
	objects, err := k8s.Render(src)
	if err != nil {
		return UnitResult{}, err
	}
	hide, set := sensitiveIn(src), setOf(cmp.Or(p.opts.Repository, previewed), u)
	cluster, done, err := p.reach(u, &set)
	if why := unseen(err); why != "" {
		result := renderedOnly(objects, why)
		result.Policy = policyResult(hideFindings(p.rules.objects(ctx, u.ID, objects, nil, p.facts(u)), hide))
		return result, nil
	}
	if err != nil {
		return UnitResult{}, hide.Error(err)
	}
	defer done()
	plan, err := cluster.Plan(ctx, set, objects, k8s.Inventory{}, k8s.ApplyOptions{Ours: true})
	var result UnitResult
	if plan != nil {
		if p.opts.Repository == "" {
			nameless(plan)
			result.Notes = append(result.Notes, "what would be pruned is not known: the server's name of this repository is needed (--repository)")
		}
		fillObjects(&result, plan.Result)
		hideInDiffs(result.Objects, hide)
	}
	if err != nil {
		return result, hide.Error(err)
	}
	result.Status = Unchanged
	if plan.Changes() > 0 {
		result.Status = Planned
		result.Policy = policyResult(hideFindings(p.rules.objects(ctx, u.ID, objects, plan, p.facts(u)), hide))
	}
	return result, nil
}

// nameless takes back what a plan says of ownership where the name under which the server owns objects is not
// known: an object that would only become part of the set is none that would change.
func nameless(plan *k8s.ChangePlan) {
	for i := range plan.Objects {
		o := &plan.Objects[i]
		if o.Diff == nil {
			continue
		}
		o.Diff.Adopts = false
		if o.Action == k8s.Configured && len(o.Diff.Changes) == 0 {
			o.Action, o.Diff = k8s.Unchanged, nil
			plan.Configured, plan.Unchanged = plan.Configured-1, plan.Unchanged+1
		}
	}
}

// renderedOnly is a set that no cluster could be asked about.
func renderedOnly(objects []k8s.Object, why string) UnitResult {
	result := UnitResult{Status: Unchanged, Notes: []string{why}}
	for _, o := range objects {
		result.Objects = append(result.Objects, ObjectResult{Ref: o.Ref(), Action: "rendered"})
	}
	return result
}

// reach connects to the cluster of a set: the person's own, or the one that the server would take.
func (p *previewer) reach(u *workspace.Unit, set *k8s.Set) (*k8s.Cluster, func(), error) {
	if p.opts.Kubeconfig == "" {
		return p.clusters.reach(p.opts.Repository, u, p.afterApply, set)
	}
	set.Allow, set.RequireNamespace = ownLimits(u), u.RequireNamespace
	// It may run what kubectl would run, and looks as the person: impersonation is a right of the server's.
	cluster, err := k8s.Connect(k8s.ClusterConfig{Name: u.ID, KubeconfigPath: p.opts.Kubeconfig, AllowExec: true, Version: p.opts.Version})
	if err != nil {
		return nil, nil, err
	}
	return cluster, cluster.Close, nil
}

// unseen says in one line why there is no cluster to ask, or "".
func unseen(err error) string {
	const only = "rendered only, so what would change in the cluster is not known: "
	switch {
	case errors.Is(err, errNoCluster):
		return only + "no cluster is configured for it (-c server.hcl, or --kubeconfig FILE)"
	case errors.Is(err, errNotKnown), errors.Is(err, workspace.ErrInputsUnknown):
		return only + "its kubeconfig is known only after apply"
	}
	return ""
}

// allUnknown is the source of a set of which not even the names of its values are known: any will do.
func allUnknown(src k8s.Source) (k8s.Source, error) {
	src.Unknown = true
	used, err := k8s.Placeholders(src)
	for _, name := range used {
		src.Values[name.Name] = k8s.Value{Unknown: true}
	}
	return src, err
}

// afterApply gives a manifest set the outputs of a workspace as they will be once its plan is applied; those in its
// state where it is not planned here. False where nothing is known.
func (p *previewer) afterApply(id string) (map[string]workspace.Output, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if outs, ok := p.planned[id]; ok {
		return outs, true
	}
	outs, ok := p.outputs[id]
	return outs, ok
}

// plannedOutputs are the outputs of a workspace after its plan: those of the state, changed as the plan says.
func plannedOutputs(plan *tfjson.Plan, state map[string]workspace.Output) map[string]workspace.Output {
	after := make(map[string]workspace.Output, len(state))
	for name, o := range state {
		after[name] = o
	}
	if plan == nil {
		return after
	}
	for name, c := range plan.OutputChanges {
		sensitive := c.AfterSensitive != nil && c.AfterSensitive != false // or some part of it is
		unknown := c.AfterUnknown != nil && c.AfterUnknown != false
		value, err := json.Marshal(c.After)
		switch {
		case c.Actions.Delete():
			delete(after, name)
		case unknown || err != nil:
			after[name] = workspace.Output{Sensitive: sensitive, Unknown: true}
		default:
			after[name] = workspace.Output{JSON: value, Type: plannedType(plan, name), Sensitive: sensitive}
		}
	}
	return after
}

// plannedType is the type of an output as the plan has it; empty takes that of its value.
func plannedType(plan *tfjson.Plan, name string) json.RawMessage {
	if plan.PlannedValues == nil || plan.PlannedValues.Outputs[name] == nil {
		return nil
	}
	t := plan.PlannedValues.Outputs[name].Type
	if t == cty.NilType {
		return nil
	}
	raw, err := ctyjson.MarshalType(t)
	if err != nil {
		return nil
	}
	return raw
}
