package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// errStillThere ends the wait for deletions.
var errStillThere = errors.New("still there")

// prune deletes what the plan says, the last stage first, and waits until each is seen gone: only then does it
// leave the inventory. It fails with ErrNotPruned when something stays.
func (x *execution) prune(ctx context.Context) error {
	var errs []error
	for stage := stages - 1; stage >= 0; stage-- {
		var doomed []int
		for i, a := range x.actions {
			if a.Verb == VerbDelete && a.Order.Stage == stage {
				doomed = append(doomed, i)
			}
		}
		if len(doomed) == 0 {
			continue
		}
		if err := x.deleteAll(ctx, doomed); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			return errors.Join(errors.Join(errs...), context.Cause(ctx))
		}
		if len(errs) > 0 {
			break // what these objects rest on must outlive them
		}
	}
	return errors.Join(errs...)
}

func (x *execution) deleteAll(ctx context.Context, indexes []int) error {
	errs := make([]error, len(x.actions))
	pending := make([]bool, len(x.actions))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, i := range indexes {
		group.Go(func() error {
			pending[i], errs[i] = x.deleteOne(gctx, i)
			return nil
		})
	}
	_ = group.Wait() // errors are in the slots
	var waiting []int
	for _, i := range indexes {
		if pending[i] {
			waiting = append(waiting, i)
		}
	}
	x.waitGone(ctx, waiting, errs)
	for _, i := range indexes {
		r := &x.results[i]
		switch a := x.actions[i]; {
		case a.Verb == VerbSkip && errs[i] == nil:
			r.Action, r.Message = Skipped, a.Reason
		case a.Verb == VerbForget && errs[i] == nil:
			r.Action, r.Message = Skipped, a.Reason
			x.drop(a.Item.ID)
		case errs[i] == nil:
			r.Action, r.Health, r.Message = Pruned, HealthNotFound, ""
			x.drop(a.Item.ID)
		default:
			r.Action, r.Message, r.Error = Failed, "", errs[i].Error()
			errs[i] = &ObjectError{Ref: r.Ref, Err: errs[i]}
		}
		x.event(i)
	}
	return errors.Join(errs...)
}

// deleteOne asks for the deletion of exactly the object that was observed, if it still is to be deleted: since the plan was made,
// a person may have kept it or taken it out of the set. pending is true when it is not gone yet, as far as the answer tells.
func (x *execution) deleteOne(ctx context.Context, i int) (pending bool, err error) {
	a := &x.actions[i]
	k, ok := x.p.kinds.of(a.Item)
	if !ok {
		return false, nil
	}
	m, err := x.c.metadata(ctx, k.address(a.Item.ID))
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, x.c.wrap(explain(err, a.Item.Ref(), k.isSecret()))
	}
	if now := leave(x.set, x.set.label(), a.Item, liveOf(m), nil); now.Verb != VerbDelete {
		a.Verb, a.Reason = now.Verb, now.Reason
		return false, nil
	}
	if a.Order.Stage == stageCRD {
		x.c.wake(ctx, x.p.kinds, a.Item.Name)
	}
	return x.c.remove(ctx, k, a.Item, a.Live.UID)
}

// wake lists the kind that a CRD defines. Kubernetes 1.36 can hang in the deletion of a CRD whose kind was never asked for: "could not
// list instances: storage is (re)initializing". What the list says does not matter.
func (c *Cluster) wake(ctx context.Context, known *kinds, crd string) {
	for _, k := range known.by {
		if k.resource+"."+k.group == crd {
			_, _ = c.once(ctx, request{verb: http.MethodGet, path: k.collection(""), accept: acceptList, params: map[string]string{"limit": "1"}})
		}
	}
}

// remove asks for the deletion of one object, if it still is the one with the UID.
func (c *Cluster) remove(ctx context.Context, k kind, item Item, uid types.UID) (pending bool, err error) {
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
		"preconditions": map[string]types.UID{"uid": uid},
	})
	if err != nil {
		return false, err
	}
	answer, err := c.send(ctx, request{verb: http.MethodDelete, path: k.address(item.ID), accept: acceptObject, body: body})
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case apierrors.IsConflict(err):
		return false, fmt.Errorf("%w: someone has made it anew in the meantime, or changes it just now", ErrNotPruned)
	case err != nil:
		return false, c.wrap(explain(err, item.Ref(), k.isSecret()))
	}
	var gone struct {
		Kind   string `json:"kind"`
		Status string `json:"status"`
	}
	// A Status that says Success means the object is gone; anything else is the object on its way out.
	if json.Unmarshal(answer.body, &gone) == nil && gone.Kind == "Status" && gone.Status == "Success" {
		return false, nil
	}
	return true, nil
}

// waitGone follows the objects until they are gone and puts an error into the slot of each that stays.
func (x *execution) waitGone(ctx context.Context, indexes []int, errs []error) {
	deadline, cancel := context.WithTimeoutCause(ctx, x.set.timeout(), errStillThere)
	defer cancel()
	slot := map[ID]int{}
	byKind := map[string][]ID{}
	kindOf := map[string]kind{}
	for _, i := range indexes {
		item := x.actions[i].Item
		k, _ := x.p.kinds.of(item)
		slot[item.ID] = i
		byKind[k.collection("")] = append(byKind[k.collection("")], item.ID)
		kindOf[k.collection("")] = k
		errs[i] = fmt.Errorf("%w: its deletion was asked for and not seen", ErrNotPruned)
	}
	var group errgroup.Group
	for address, ids := range byKind {
		group.Go(func() error {
			left := len(ids)
			return x.c.follow(deadline, kindOf[address], x.set, ids, acceptMetadata, func(s sighting) bool {
				i := slot[s.id]
				if s.object != nil && s.object.GetUID() == x.actions[i].Live.UID {
					errs[i] = fmt.Errorf("%w: it is being deleted%s", ErrNotPruned, waitsFor(s.object.GetFinalizers()))
					return false
				}
				if errs[i] != nil {
					errs[i] = nil
					left--
				}
				return left == 0
			})
		})
	}
	_ = group.Wait() // what is not gone has its error in the slot
}

func waitsFor(finalizers []string) string {
	if len(finalizers) == 0 {
		return ""
	}
	return " and waits for " + strings.Join(finalizers, ", ")
}
