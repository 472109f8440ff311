package k8s

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
)

// ChangePlan is what Apply would do.
type ChangePlan struct {
	Result           // objects, with what is lost first, and counts; Inventory is the one given in
	Actions []Action // the decisions behind it
	// Live are the objects as the cluster has them, of those that would be changed; never a Secret's.
	Live map[ID]map[string]any `json:"-"`
}

// Plan says what Apply would do and changes nothing. Objects that differ are dry-run on the server and compared
// with what is there, at two requests each; those whose namespace or kind the set itself is still to make are
// reported as created, unseen, and those that hold values not known yet are compared by their own fields. The plan
// is returned beside an error that joins what Apply would refuse, and shows the objects concerned as failed.
func (c *Cluster) Plan(ctx context.Context, set Set, desired []Object, inv Inventory, opts ApplyOptions) (*ChangePlan, error) {
	opts.Save = nil
	desired, nameless := splitUnknown(desired)
	known := inv
	if len(desired) == 0 && len(nameless) > 0 {
		known = Inventory{} // the set is not empty, but nothing can be said of what is there
	}
	x, err := c.begin(ctx, set, desired, known, opts)
	plan := &ChangePlan{Actions: x.actions}
	if err != nil {
		plan.Result = x.markFailed(err)
		return plan, err
	}
	errs := make([]error, len(x.actions))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, a := range x.actions {
		r := &x.results[i]
		r.Message = a.Reason
		switch {
		case a.Verb == VerbDelete, a.Verb == VerbHold:
			r.Action, r.Message = Pruned, cmp.Or(a.Reason, "no longer in the set")
		case a.Verb == VerbApply && x.isFresh(a):
			r.Action, r.Diff = Created, x.p.created(a.Desired)
		case a.Verb == VerbApply, a.Verb == VerbRecreate:
			group.Go(func() error {
				errs[i] = x.compare(gctx, i)
				return nil
			})
		}
	}
	_ = group.Wait() // errors are in the slots
	plan.Result = x.summary()
	plan.Inventory, plan.Live = inv, x.seen
	plan.addNameless(nameless)
	plan.sort()
	if ctx.Err() != nil {
		return plan, context.Cause(ctx)
	}
	return plan, errors.Join(errs...)
}

// Prunes are the objects that would be pruned, with or without a person's word.
func (p *ChangePlan) Prunes() []ID {
	var ids []ID
	for _, a := range p.Actions {
		if a.Verb == VerbDelete || a.Verb == VerbHold {
			ids = append(ids, a.Item.ID)
		}
	}
	return ids
}

// addNameless adds the objects of which it is not known yet which ones they are: they can only be new, or be one
// of those that seem to have left the set.
func (p *ChangePlan) addNameless(nameless []Object) {
	if len(nameless) == 0 {
		return
	}
	for i := range p.Objects {
		if o := &p.Objects[i]; o.Action == Pruned {
			o.Message += ", unless it is one of those that are not named yet"
		}
	}
	for _, o := range nameless {
		d := diffObjects(nil, o.Object, o.sensitive)
		d.Note = noteNameless
		p.Objects = append(p.Objects, ObjectResult{Ref: o.Ref(), Action: Created, File: o.File, Line: o.Line, Diff: d})
	}
	p.count()
}

// sort puts what is lost first: that is what a reviewer must not miss.
func (p *ChangePlan) sort() {
	order := []ObjectAction{Pruned, Recreated, Failed}
	rank := func(o ObjectResult) int {
		if i := slices.Index(order, o.Action); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(p.Objects, func(a, b ObjectResult) int { return rank(a) - rank(b) })
}
