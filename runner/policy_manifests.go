package runner

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/engine"
)

// judge asks the rules about what the set's files make, and about what becomes of each
// object in the cluster; nil where there are no rules, or where nothing would change.
func (s *manifestSet) judge(ctx context.Context, t task, objects []k8s.Object, plan *k8s.ChangePlan) *policies.Verdict {
	rules := s.x.rules(ctx)
	if !rules.asks() || plan.Changes() == 0 {
		return nil
	}
	return hideFindings(rules.objects(ctx, s.id, objects, plan, s.x.facts(t)), sensitiveIn(s.source))
}

// objects says what the rules say of rendered objects, and of what becomes of them where
// the cluster was asked; nil where there are no rules.
func (j judge) objects(ctx context.Context, set string, objects []k8s.Object, plan *k8s.ChangePlan, facts policies.Facts) *policies.Verdict {
	if !j.asks() {
		return nil
	}
	made := map[k8s.ID]map[string]any{}
	inputs := make([]map[string]any, 0, len(objects))
	for _, o := range objects {
		made[o.ID()] = copyOf(o.Object)
		inputs = append(inputs, made[o.ID()])
	}
	changes := engine.ChangeSet{Name: set}
	if plan != nil {
		became := map[string]k8s.ObjectAction{}
		for _, o := range plan.Objects {
			became[o.Ref] = o.Action
		}
		for _, a := range plan.Actions {
			if verb := verbOf(a, became[a.Item.Ref()], facts.Removal); verb != "" {
				c := engine.Change{Verb: verb, Ref: a.Item.Ref(), Object: made[a.Item.ID]}
				if verb != "create" {
					c.Live = liveOf(a.Item, plan)
				}
				changes.Changes = append(changes.Changes, c)
			}
		}
	}
	return j.manifests(ctx, inputs, changes, facts)
}

// verbOf is what becomes of an object in the words of rules; "" where it stays as it is.
func verbOf(a k8s.Action, became k8s.ObjectAction, removal bool) string {
	switch {
	case a.Verb == k8s.VerbDelete || a.Verb == k8s.VerbHold:
		if removal {
			return "delete"
		}
		return "prune"
	case a.Verb == k8s.VerbRecreate || became == k8s.Recreated:
		return "recreate"
	case became == k8s.Created:
		return "create"
	case became == k8s.Configured || a.Verb == k8s.VerbApply && became != k8s.Unchanged:
		return "configure"
	}
	return ""
}

// liveOf is what the cluster has of an object; of one that goes at least which it is.
func liveOf(item k8s.Item, plan *k8s.ChangePlan) map[string]any {
	if live := plan.Live[item.ID]; live != nil {
		return copyOf(live)
	}
	version := item.Version
	if item.Group != "" {
		version = item.Group + "/" + item.Version
	}
	return map[string]any{"apiVersion": version, "kind": item.Kind, "metadata": map[string]any{"name": item.Name, "namespace": item.Namespace}}
}

// judgeApply asks the rules right before an apply: what they deny is not applied, and why
// says whose yes is missing.
func (s *manifestSet) judgeApply(ctx context.Context, t task) (said *PolicyResult, why string, err error) {
	if !s.x.rules(ctx).asks() {
		return nil, "", nil
	}
	plan, err := s.cluster.Plan(ctx, s.set, s.objects, s.inventory, s.options())
	if errors.Is(err, k8s.ErrOtherCluster) {
		return nil, "", nil // the apply says so, and changes nothing
	}
	if err != nil {
		return nil, "", sensitiveIn(s.source).Error(err)
	}
	v := s.judge(ctx, t, s.objects, plan)
	if said = policyResult(v); said == nil {
		return nil, "", nil
	}
	if v.Denied() {
		return said, "", deniedError(*v)
	}
	if len(said.Needs) == 0 {
		return said, "", nil
	}
	content, err := s.x.r.objectsContent(s.objects)
	if err != nil {
		return said, "", err
	}
	if k := t.reviewed; t.met && k != nil && k.Verdict != nil && k.Verdict.Digest == v.Digest && k.Content == content {
		said.Needs, said.Approvals = nil, t.approvals()
	}
	if held := s.x.recall(s.id).Plan; t.approved && held != nil && held.Judged == v.Digest+content {
		said.Needs = nil // the yes that was recorded is to these objects, by these rules
	}
	return said, asksFor(v, said.Needs), nil
}

// copyOf is an object that rules may be given: theirs to hold, and never the applier's.
func copyOf(object map[string]any) map[string]any {
	data, err := json.Marshal(object)
	if err != nil {
		return nil
	}
	var c map[string]any
	if json.Unmarshal(data, &c) != nil {
		return nil
	}
	return c
}
