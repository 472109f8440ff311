package k8s

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// preflightLimit is the number of changed objects up to which each is dry-run on the server before the first
// write. The schemas have been checked by then; this finds what only the server knows (admission, immutable
// fields, conflicts) at one request an object, which a large first apply should not pay twice.
const preflightLimit = 64

// preflight refuses the whole set when one of its changed objects would be refused.
func (x *execution) preflight(ctx context.Context) error {
	var changed []int
	for i, a := range x.actions {
		if a.Verb == VerbApply && !x.isFresh(a) {
			changed = append(changed, i)
		}
	}
	if len(changed) > preflightLimit {
		return nil
	}
	errs := make([]error, len(x.actions))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, i := range changed {
		group.Go(func() error {
			_, errs[i] = x.dryRun(gctx, i)
			return nil
		})
	}
	_ = group.Wait() // errors are in the slots
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, err := range errs {
		if err != nil {
			x.results[i].Action, x.results[i].Message, x.results[i].Error = Failed, "", err.Error()
			errs[i] = objectError(x.p.objects[x.actions[i].Desired], err)
			x.event(i)
		}
	}
	return errors.Join(errs...)
}

// isFresh tells whether the object's namespace or kind is itself still to be made by this set, so that a dry-run
// of it can only fail.
func (x *execution) isFresh(a Action) bool {
	if x.p.kind[a.Desired].fresh {
		return true
	}
	ns := ID{Kind: "Namespace", Name: a.Item.Namespace}
	live, looked := x.observed.Live[ns]
	return a.Item.Namespace != "" && looked && !live.Found && x.wants(ns)
}

func (x *execution) wants(id ID) bool {
	return slices.ContainsFunc(x.p.desired, func(d Desired) bool { return d.Item.ID == id })
}

// dryRun asks the server about one action. An object that cannot be changed and may be made anew turns its action into that.
func (x *execution) dryRun(ctx context.Context, i int) (*answer, error) {
	a := &x.actions[i]
	dry, err := x.c.dryRun(ctx, x.p, a.Desired)
	if reason := x.recreatable(a.Desired, err); reason != "" {
		a.Verb, a.Reason = VerbRecreate, reason
		return nil, nil
	}
	return dry, err
}

// dryRun asks the server what an apply would do; nil when it would be accepted. What an apply settles by
// itself (leftovers of kubectl, an autoscaler's replicas, a record in another version) is no error, and nor is an admission webhook that
// cannot be asked without side effects.
func (c *Cluster) dryRun(ctx context.Context, p *prepared, i int) (*answer, error) {
	o := p.objects[i]
	a, err := c.patchApply(ctx, p, i, p.body[i], p.set.Force, true)
	if err == nil {
		return &a, nil
	}
	if strings.Contains(err.Error(), "does not support dry run") || isOtherVersion(err) {
		return nil, nil
	}
	err = c.refusal(o, err)
	var conflict *ConflictError
	if errors.As(err, &conflict) && p.set.takesBack(o.Ref(), conflict.Fields) {
		if a, err = c.patchApply(ctx, p, i, p.body[i], true, true); err == nil {
			return &a, nil
		}
		err = c.refusal(o, err)
	}
	if errors.As(err, &conflict) {
		rest := withoutLeftovers(conflict.Manager)
		if len(rest) == 0 || len(rest) == 1 && rest[0] == autoscaler {
			return nil, nil
		}
	}
	return nil, err
}
