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
// What was Current before and has not been sent since is not looked at: that it stays so is no part of an apply.
func (x *execution) waitHealthy(ctx context.Context, order Order) error {
	var waiting []int
	for i, a := range x.actions {
		switch {
		case a.Desired < 0 || !a.Order.together(order):
		case a.Order.Stage == stageCRD || !hasHealth(a.Item) || x.held[a.Item.ID].Healthy:
			x.results[i].Health = HealthCurrent
		default:
			waiting = append(waiting, i)
		}
	}
	err := x.wait(ctx, waiting)
	for _, i := range waiting {
		if x.results[i].Health == HealthCurrent {
			item := x.held[x.actions[i].Item.ID]
			item.Healthy = true
			x.held[item.ID] = item
		}
	}
	return err
}

// wait follows the objects of the given actions, one watch a kind, and fills in their health.
func (x *execution) wait(ctx context.Context, indexes []int) error {
	if len(indexes) == 0 {
		return nil
	}
	deadline, cancel := context.WithTimeoutCause(ctx, x.set.timeout(), ErrUnhealthy)
	defer cancel()
	settled, settle := context.WithCancelCause(deadline)
	defer settle(nil)
	group, gctx := errgroup.WithContext(settled)
	slot := map[ID]int{}
	ids, kindOf := map[string][]ID{}, map[string]kind{}
	for _, i := range indexes {
		id, k := x.actions[i].Item.ID, x.p.kind[x.actions[i].Desired]
		address := k.collection("")
		slot[id], kindOf[address] = i, k
		ids[address] = append(ids[address], id)
		x.results[i].Health = HealthUnknown
	}
	for address, of := range ids {
		group.Go(func() error {
			waiting := len(of)
			return x.c.follow(gctx, kindOf[address], x.set, of, acceptObject, func(s sighting) bool {
				r := &x.results[slot[s.id]]
				was := r.Health
				r.Health, r.Message = healthOf(s.object)
				if r.Health != was {
					x.sink.send(Event{Kind: EventHealth, Ref: r.Ref, Action: r.Action, Health: r.Health, Message: r.Message})
				}
				if r.Health == HealthFailed {
					settle(errSettled) // one has failed: the others cannot make the set whole
					return true
				}
				if isCurrent(was) != isCurrent(r.Health) {
					if isCurrent(r.Health) {
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
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return x.verdict(indexes, err)
}

func isCurrent(h Health) bool { return h == HealthCurrent }

// verdict is nil when every object is Current, else an error that names those that are not.
func (x *execution) verdict(indexes []int, err error) error {
	var errs []error
	for _, i := range indexes {
		r := x.results[i]
		if r.Health == HealthCurrent {
			continue
		}
		why := fmt.Errorf("%w: %s", ErrUnhealthy, r.Health)
		if r.Health != HealthFailed {
			why = fmt.Errorf("%w after %s: %s", ErrUnhealthy, x.set.timeout().Round(time.Second), r.Health)
		}
		if r.Message != "" {
			why = fmt.Errorf("%w: %s", why, r.Message)
		}
		errs = append(errs, objectError(x.p.objects[x.actions[i].Desired], why))
	}
	if len(errs) == 0 || err != nil && !errors.Is(err, ErrUnhealthy) && !errors.Is(err, errSettled) {
		return err
	}
	return errors.Join(errs...)
}
