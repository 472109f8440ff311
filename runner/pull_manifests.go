package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/workspace"
)

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
		o, v, err := set.foreseen(ctx, t, plan, nil, false)
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
	return set.foreseen(ctx, t, plan, objects, whole)
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
	o := outcome{UnitResult: renderedOnly(objects, why)}
	v := &reviewed{Verdict: hideFindings(x.rules(ctx).objects(ctx, t.unit.ID, objects, nil, x.facts(t)), sensitiveIn(src))}
	o.Policy = policyResult(v.Verdict)
	return o, v, nil
}

// foreseen is what a plan of a set says.
func (s *manifestSet) foreseen(ctx context.Context, t task, plan *k8s.ChangePlan, objects []k8s.Object, whole bool) (outcome, *reviewed, error) {
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
	v.Verdict = s.judge(ctx, t, objects, plan)
	o.Policy = policyResult(v.Verdict)
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
