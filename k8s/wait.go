package k8s

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// errSettled ends the watches when waiting on cannot help.
var errSettled = errors.New("settled")

// waitEstablished waits for the CRDs that this run has changed: their objects come next.
func (x *execution) waitEstablished(ctx context.Context) error {
	var crds []int
	for i, a := range x.actions {
		if a.sends() && a.Order.Stage == stageCRD && x.results[i].Action != Unchanged {
			crds = append(crds, i)
		}
	}
	return x.wait(ctx, crds)
}

// waitHealthy waits until all objects that are sent together with those of an order are Current. It ends early when one has Failed.
func (x *execution) waitHealthy(ctx context.Context, order Order) error {
	waiting := x.awaited(order)
	err := x.wait(ctx, waiting)
	for _, i := range waiting {
		item := x.held[x.actions[i].Item.ID]
		switch {
		case x.results[i].Health == HealthCurrent:
			item.Healthy = true
		case x.results[i].Health == HealthFailed && x.actions[i].isTask():
			item.Applied = "" // it has to run again
		}
		x.held[item.ID] = item
	}
	return err
}

// awaited are the actions whose objects have a health to wait for; that of the others is filled in. What was
// Current before and has not been sent since is not looked at: that it stays so is no part of an apply.
func (x *execution) awaited(order Order) []int {
	var indexes []int
	for i, a := range x.actions {
		if a.Desired < 0 || !a.Order.together(order) {
			continue
		}
		r, ruled := &x.results[i], x.set.Health.For(a.Item.Group, a.Item.Kind) != nil
		switch {
		case x.p.objects[a.Desired].GetAnnotations()[healthAnnotation] == "none":
			r.Health, r.Message = HealthUnknown, "not waited for: it is annotated "+healthAnnotation+": none"
		case a.Order.Stage == stageCRD, !hasHealth(a.Item) && !ruled, x.held[a.Item.ID].Healthy:
			r.Health = HealthCurrent
		default:
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// wait follows the objects of the given actions, one watch a kind, and fills in their health. When some workload
// is still in progress after a moment, its Pods are followed too.
func (x *execution) wait(ctx context.Context, indexes []int) error {
	if len(indexes) == 0 {
		return nil
	}
	deadline, cancel := context.WithTimeoutCause(ctx, x.set.timeout(), ErrUnhealthy)
	defer cancel()
	settled, settle := context.WithCancelCause(deadline)
	defer settle(nil)
	w := newWaiter(x, settled, func() { settle(errSettled) })
	ids, kindOf := map[string][]ID{}, map[string]kind{}
	for _, i := range indexes {
		id, k := x.actions[i].Item.ID, x.p.kind[x.actions[i].Desired]
		address := k.collection("")
		w.slot[id], kindOf[address] = i, k
		ids[address] = append(ids[address], id)
		x.results[i].Health = HealthUnknown
	}
	looking, stopLooking := context.WithCancel(settled)
	defer stopLooking()
	var pods errgroup.Group
	pods.Go(func() error { return w.followPods(looking) })
	group, gctx := errgroup.WithContext(settled)
	for address, of := range ids {
		group.Go(func() error {
			waiting := len(of)
			return x.c.follow(gctx, kindOf[address], x.set, of, acceptObject, func(s sighting) bool {
				was, is := w.see(s)
				if is == HealthFailed {
					return true
				}
				if isCurrent(was) != isCurrent(is) {
					if isCurrent(is) {
						waiting--
					} else {
						waiting++
					}
				}
				return waiting == 0
			})
		})
	}
	err := group.Wait()
	stopLooking()
	_ = pods.Wait() // what cannot be seen of Pods is not said, and fails nothing
	w.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return x.verdict(ctx, w, indexes, err)
}

func isCurrent(h Health) bool { return h == HealthCurrent }

// verdict is nil when every object is Current. Else it names those that have failed; where none has, those that
// were not ready in time.
func (x *execution) verdict(ctx context.Context, w *waiter, indexes []int, err error) error {
	if err != nil && !errors.Is(err, ErrUnhealthy) && !errors.Is(err, errSettled) {
		return err
	}
	var failed, late []int
	for _, i := range indexes {
		switch x.results[i].Health {
		case HealthCurrent:
		case HealthFailed:
			failed = append(failed, i)
		default:
			late = append(late, i)
		}
	}
	named := failed
	if len(failed) == 0 {
		named = late
	}
	w.explain(ctx, named)
	errs := make([]error, 0, len(named))
	for _, i := range named {
		r := x.results[i]
		why := fmt.Errorf("%w: %s", ErrUnhealthy, r.Health)
		if r.Health != HealthFailed {
			why = fmt.Errorf("%w after %s: %s", ErrUnhealthy, x.set.timeout().Round(time.Second), r.Health)
		}
		if r.Message != "" {
			why = fmt.Errorf("%w: %s", why, r.Message)
		}
		errs = append(errs, objectError(x.p.objects[x.actions[i].Desired], why))
	}
	return errors.Join(errs...)
}
