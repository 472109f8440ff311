package k8s

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// put sends the object of an action. Where it must, or where the server will not change it and its annotation allows it, the object
// is deleted first.
func (x *execution) put(ctx context.Context, i int) (out applied, recreated bool, err error) {
	a := &x.actions[i]
	if a.Verb == VerbApply {
		if out, err = x.c.serverSideApply(ctx, x.p, a.Desired); err == nil {
			return out, false, nil
		}
		if a.Reason = x.recreatable(a.Desired, err); a.Reason == "" {
			return out, false, err
		}
	}
	if err := x.takeAway(ctx, i); err != nil {
		return out, false, err
	}
	out, err = x.c.serverSideApply(ctx, x.p, a.Desired)
	return out, true, err
}

// recreatable says why a refused change may be made by deleting the object and making it again, or "".
func (x *execution) recreatable(desired int, err error) string {
	o := x.p.objects[desired]
	fields := immutable(err)
	if len(fields) == 0 || o.GetAnnotations()[recreateAnnotation] != "enabled" {
		return ""
	}
	return strings.Join(fields, ", ") + " cannot be changed"
}

// immutable names the fields that the API server itself will not change. An admission webhook may refuse in the same form: that is
// no reason to delete anything.
func immutable(err error) []string {
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Webhook {
		return nil
	}
	var fields []string
	for _, f := range invalid.Fields {
		if !f.Immutable {
			return nil // another fault: it would be refused again once the object is gone
		}
		fields = append(fields, f.Path)
	}
	return fields
}

// takeAway deletes exactly the object that is there now and waits until it is gone.
func (x *execution) takeAway(ctx context.Context, i int) error {
	a := &x.actions[i]
	k := x.p.kind[a.Desired]
	ctx, cancel := context.WithTimeoutCause(ctx, x.set.timeout(), errStillThere)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		m, err := x.c.metadata(ctx, k.address(a.Item.ID))
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil && ctx.Err() != nil:
			return fmt.Errorf("%w: it is being deleted, to be made again", ErrNotPruned)
		case err != nil:
			return x.c.refusal(x.p.objects[a.Desired], err)
		}
		if owner := m.Labels[ownerLabel]; owner != "" && owner != x.set.label() && owner != a.Live.Owner { // the plan knows whose it was, and that they want it no longer
			return fmt.Errorf("%w: another set has taken it over", ErrHeldElsewhere)
		}
		if live := liveOf(m); live.Owner == "" && live.Managed == "" && !hasLeftovers(m.ManagedFields) {
			return fmt.Errorf("%w: somebody else has made it, and it is not deleted to be made again; delete it by hand, or take %s off", ErrHeldElsewhere, recreateAnnotation)
		}
		if m.DeletionTimestamp == nil {
			if _, err := x.c.remove(ctx, k, a.Item, m.UID); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: it is being deleted, to be made again%s", ErrNotPruned, waitsFor(m.Finalizers))
		case <-time.After(pause):
		}
	}
}
