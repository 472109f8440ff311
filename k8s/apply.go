package k8s

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// Apply makes the cluster hold the desired objects: it checks all of them before the first write, applies what
// differs in order, waits until everything is healthy, then prunes what the set no longer holds. Objects of
// a stage are sent sixteen at a time; a failure lets those under way end and starts no more.
//
// The Result is meaningful whatever the error. Nothing is pruned unless the whole set was applied and healthy.
// The error is ErrEmptyRender when there is nothing desired but something to lose, ErrOtherCluster when the set holds objects in
// another cluster, ErrPruneHeld when all was done but a prune so large that a person has to allow it; it wraps ErrUnhealthy,
// ErrUnreachable, *ConflictError, *InvalidError, *RefusedError… inside an *ObjectError for each object concerned.
// Cancelling ctx ends the call at once, with the inventory saved.
func (c *Cluster) Apply(ctx context.Context, set Set, desired []Object, inv Inventory, opts ApplyOptions) (Result, error) {
	if err := refuseUnknown(desired); err != nil {
		return Result{Inventory: inv}, err
	}
	x, err := c.begin(ctx, set, desired, inv, opts)
	if err != nil {
		return x.finish(err)
	}
	if err := x.preflight(ctx); err != nil {
		return x.finish(err)
	}
	if err := x.saveBefore(); err != nil {
		return x.finish(err)
	}
	if err := x.applyAll(ctx); err != nil {
		return x.finish(err)
	}
	if err := x.prune(ctx); err != nil {
		return x.finish(err)
	}
	if err := x.settle(ctx); err != nil {
		return x.finish(err)
	}
	return x.finish(x.holds())
}

// Delete removes everything of a set in reverse order of stages and waits until it is gone. What pruning would
// leave alone (protected kinds, annotated objects, objects that are not ours any more) it leaves alone too; the
// Result's inventory holds what is still there and ours. set.Prune and set.AllowPrune are not asked.
func (c *Cluster) Delete(ctx context.Context, set Set, inv Inventory, opts ApplyOptions) (Result, error) {
	x, err := c.beginDelete(ctx, set, inv, opts)
	if err == nil {
		err = x.saveBefore()
	}
	if err == nil {
		err = x.prune(ctx)
	}
	return x.finish(err)
}

// PlanDelete says what Delete would do and changes nothing.
func (c *Cluster) PlanDelete(ctx context.Context, set Set, inv Inventory, opts ApplyOptions) (*ChangePlan, error) {
	opts.Save = nil
	x, err := c.beginDelete(ctx, set, inv, opts)
	for i, a := range x.actions {
		x.results[i].Message = a.Reason
		if a.Verb == VerbDelete {
			x.results[i].Action = Pruned
		}
	}
	plan := &ChangePlan{Actions: x.actions, Result: x.summary()}
	plan.Inventory = inv
	return plan, err
}

func (c *Cluster) beginDelete(ctx context.Context, set Set, inv Inventory, opts ApplyOptions) (*execution, error) {
	set.Prune, set.allowAll = true, true
	x := c.execution(set, inv, opts)
	if err := x.home(ctx); err != nil {
		return x, err
	}
	var err error
	if x.p, err = c.prepare(ctx, set, nil, x.inv.Items); err != nil {
		return x, err
	}
	if x.observed.Live, err = c.observe(ctx, x.p, x.inv); err != nil {
		return x, err
	}
	x.elsewhere()
	x.setActions(Plan(set, nil, x.observed, x.inv))
	return x, nil
}

// applyAll sends what differs, in order. Each phase and each wave is healthy before the next begins.
func (x *execution) applyAll(ctx context.Context) error {
	for begin := 0; begin < len(x.actions) && x.actions[begin].Desired >= 0; {
		end := begin
		for end < len(x.actions) && x.actions[end].Desired >= 0 && x.actions[end].Order == x.actions[begin].Order {
			end++
		}
		if err := x.applyStage(ctx, begin, end); err != nil {
			return err
		}
		order := x.actions[begin].Order
		if order.Stage == stageCRD {
			if err := x.waitEstablished(ctx); err != nil {
				return err
			}
		}
		last := end == len(x.actions) || x.actions[end].Desired < 0
		if last {
			if err := x.sent(ctx); err != nil {
				return err
			}
		}
		if last || !order.together(x.actions[end].Order) {
			if err := x.waitHealthy(ctx, order); err != nil {
				return err
			}
		}
		begin = end
	}
	return nil
}

// applyStage sends those of the actions from begin to before end that have something to send.
func (x *execution) applyStage(ctx context.Context, begin, end int) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := begin; i < end && gctx.Err() == nil; i++ {
		if !x.actions[i].sends() {
			continue
		}
		group.Go(func() error {
			if gctx.Err() != nil {
				return nil
			}
			// Those under way end although another failed: their outcome must be known.
			return x.applyOne(ctx, i)
		})
	}
	if failed := group.Wait(); failed != nil || ctx.Err() != nil {
		return errors.Join(x.objectErrors(failed), context.Cause(ctx))
	}
	return nil
}

// applyOne sends one object and fills in its slot.
func (x *execution) applyOne(ctx context.Context, i int) error {
	a, r := x.actions[i], &x.results[i]
	out, recreated, err := x.put(ctx, i)
	if err != nil {
		err = objectError(x.p.objects[a.Desired], err)
		r.Action, r.Message, r.Error = Failed, "", causeOf(err)
		x.event(i)
		return err
	}
	item := a.Item
	item.UID = out.meta.UID
	item.Applied = fingerprint(x.p.desired[a.Desired].Hash, managedDigest(out.meta.ManagedFields))
	unchanged := a.Live.Found && a.Live.UID == out.meta.UID && a.Live.ResourceVersion == out.meta.ResourceVersion
	x.hold(item, unchanged)
	x.c.watches.wrote(x.p.kind[a.Desired], item.ID, liveOf(out.meta))
	x.c.definitionWatches.wrote(x.p.kind[a.Desired], item.ID, liveOf(out.meta))
	r.Message = out.note
	switch {
	case recreated:
		r.Action, r.Message = Recreated, a.Reason
	case out.created:
		r.Action = Created
	case unchanged:
		r.Action = Unchanged
	default:
		r.Action = Configured
	}
	x.event(i)
	return nil
}
