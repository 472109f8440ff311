package k8s

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// ChangePlan is what Apply would do.
type ChangePlan struct {
	Result           // objects and counts; Inventory is the one given in
	Actions []Action // the decisions behind it
}

// Plan says what Apply would do and changes nothing. Objects that differ are dry-run on the server; those whose
// namespace or kind the set itself is still to make are reported as created, unseen. The plan is returned beside
// an error that joins what Apply would refuse, and shows the objects concerned as failed.
func (c *Cluster) Plan(ctx context.Context, set Set, desired []Object, inv Inventory, opts ApplyOptions) (*ChangePlan, error) {
	opts.Save = nil
	x, err := c.begin(ctx, set, desired, inv, opts)
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
			r.Action = Pruned
		case a.Verb == VerbRecreate:
			r.Action = Recreated
		case a.Verb == VerbApply && x.isFresh(a):
			r.Action = Created
		case a.Verb == VerbApply:
			group.Go(func() error {
				dry, err := x.dryRun(gctx, i)
				switch {
				case err == nil && x.actions[i].Verb == VerbRecreate:
					r.Action, r.Message = Recreated, x.actions[i].Reason
				case err == nil:
					r.Action, err = c.wouldChange(gctx, x.p, a.Desired, dry)
				}
				if err != nil {
					r.Action, r.Error = Failed, err.Error()
					errs[i] = objectError(x.p.objects[a.Desired], err)
				}
				return nil
			})
		}
	}
	_ = group.Wait() // errors are in the slots
	plan.Result = x.summary()
	plan.Inventory = inv
	if ctx.Err() != nil {
		return plan, context.Cause(ctx)
	}
	return plan, errors.Join(errs...)
}
