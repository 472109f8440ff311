package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

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
	src, hide, err := sourceOf(u, p.opts.Dir, p.afterApply)
	if errors.Is(err, workspace.ErrInputsUnknown) {
		src, err = allUnknown(u, p.opts.Dir)
	}
	if err != nil {
		return UnitResult{}, err
	}
	src.Preview = true
	objects, err := k8s.Render(src)
	if err != nil {
		return UnitResult{}, err
	}
	cluster, done, why, err := p.cluster(u)
	if err != nil {
		return UnitResult{}, hide.Error(err)
	}
	if cluster == nil {
		return renderedOnly(objects, why), nil
	}
	defer done()
	plan, err := cluster.Plan(ctx, setOf(cmp.Or(p.opts.Repository, previewed), u), objects, k8s.Inventory{}, k8s.ApplyOptions{})
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

// cluster connects to the cluster of a set. It is nil where there is none to ask, for the reason why.
func (p *previewer) cluster(u *workspace.Unit) (cluster *k8s.Cluster, done func(), why string, err error) {
	const unseen = "rendered only, so what would change in the cluster is not known: "
	switch {
	case p.opts.Kubeconfig != "":
		// The person's own file: it may run what kubectl would run.
		cluster, err = k8s.Connect(k8s.ClusterConfig{Name: u.ID, KubeconfigPath: p.opts.Kubeconfig, AllowExec: true, Version: p.opts.Version})
	case u.Kubeconfig:
		var v workspace.Value
		if v, err = u.KubeconfigFrom(p.afterApply); err != nil {
			return nil, nil, "", err
		}
		var text string
		if v.Unknown {
			return nil, nil, unseen + "its kubeconfig is known only after apply", nil
		}
		if json.Unmarshal(v.JSON, &text) != nil {
			return nil, nil, "", fmt.Errorf("kubeconfig of %s: the output is no string", u.ID)
		}
		cluster, err = k8s.Connect(k8s.ClusterConfig{Name: u.ID, Kubeconfig: []byte(text), Version: p.opts.Version})
	default:
		if len(p.opts.Clusters) == 0 {
			return nil, nil, unseen + "no cluster is configured (-c server.hcl, or --kubeconfig FILE)", nil
		}
		cluster, err = p.clusters.connect(u.Cluster)
		if errors.Is(err, errNoCluster) {
			return nil, nil, unseen + "the server's configuration has no default cluster", nil
		}
		return cluster, func() {}, "", err // stays connected for the other sets
	}
	if err != nil {
		return nil, nil, "", err
	}
	return cluster, cluster.Close, "", nil
}

// allUnknown is the source of a set of which not even the names of its values are known: any will do.
func allUnknown(u *workspace.Unit, root string) (k8s.Source, error) {
	src := k8s.Source{Root: root, Path: u.Path, Exclude: u.Exclude, Values: map[string]k8s.Value{}}
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
