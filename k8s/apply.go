package k8s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Apply makes the cluster hold the desired objects: it checks all of them before the first write, applies what
// differs stage by stage, waits until everything is healthy, then prunes what the set no longer holds. Objects of
// a stage are sent sixteen at a time; a failure lets those under way end and starts no more.
//
// The Result is meaningful whatever the error. Nothing is pruned unless the whole set was applied and healthy.
// The error is ErrEmptyRender when there is nothing desired but something to lose; it wraps ErrUnhealthy,
// ErrUnreachable, *ConflictError, *InvalidError, *RefusedError… inside an *ObjectError for each object concerned.
// Cancelling ctx ends the call at once, with the inventory saved.
func (c *Cluster) Apply(ctx context.Context, set Set, desired []Object, inv Inventory, opts ApplyOptions) (Result, error) {
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
	if err := x.applyStages(ctx); err != nil {
		return x.finish(err)
	}
	if err := x.waitHealthy(ctx); err != nil {
		return x.finish(err)
	}
	return x.finish(x.prune(ctx))
}

// Delete removes everything of a set in reverse order of stages and waits until it is gone. What pruning would
// leave alone (protected kinds, annotated objects, objects that are not ours any more) it leaves alone too; the
// Result's inventory holds what is still there and ours. set.Prune is not asked.
func (c *Cluster) Delete(ctx context.Context, set Set, inv Inventory, opts ApplyOptions) (Result, error) {
	set.Prune = true
	x := &execution{c: c, set: set, stored: inv, opts: opts, sink: sink{to: opts.Events}, held: inv.byID()}
	var err error
	if x.p, err = c.prepare(ctx, set, nil); err != nil {
		return x.finish(err)
	}
	observed, err := c.observe(ctx, x.p, inv)
	if err != nil {
		return x.finish(err)
	}
	x.setActions(Plan(set, nil, observed, inv))
	if err := x.saveBefore(); err != nil {
		return x.finish(err)
	}
	return x.finish(x.prune(ctx))
}

// execution carries one plan out. Each goroutine writes the result slot of its own action.
type execution struct {
	c       *Cluster
	set     Set
	p       *prepared
	stored  Inventory // as the caller has it
	opts    ApplyOptions
	sink    sink
	actions []Action
	live    map[ID]Live
	results []ObjectResult // beside actions

	mu   sync.Mutex  // guards held
	held map[ID]Item // what the set holds, as far as known: the inventory in the making
}

// begin does everything that needs no write: kinds, names, the plan, the schemas.
func (c *Cluster) begin(ctx context.Context, set Set, desired []Object, inv Inventory, opts ApplyOptions) (*execution, error) {
	x := &execution{c: c, set: set, stored: inv, opts: opts, sink: sink{to: opts.Events}, held: inv.byID()}
	if len(desired) == 0 && len(inv.Items) > 0 {
		return x, fmt.Errorf("%w: %d objects of %s stay as they are; remove the set itself to have them deleted", ErrEmptyRender, len(inv.Items), set.ID)
	}
	if len(desired) == 0 {
		return x, nil // nothing wanted, nothing there: no reason to ask anybody
	}
	var err error
	if x.p, err = c.prepare(ctx, set, desired); err != nil {
		return x, err
	}
	if x.live, err = c.observe(ctx, x.p, inv); err != nil {
		return x, err
	}
	x.setActions(Plan(set, x.p.desired, x.live, inv))
	var changed []int
	for _, a := range x.actions {
		if a.Verb == VerbApply {
			changed = append(changed, a.Desired)
		}
	}
	return x, c.checkSchemas(ctx, x.p, changed, x.live)
}

// setActions takes the plan and gives each action its slot.
func (x *execution) setActions(actions []Action) {
	x.actions = actions
	x.results = make([]ObjectResult, len(actions))
	for i, a := range actions {
		r := &x.results[i]
		r.Ref, r.Action, r.Message = a.Item.Ref(), Skipped, a.Reason
		if a.Desired >= 0 {
			o := x.p.objects[a.Desired]
			r.Ref, r.File, r.Line = o.Ref(), o.File, o.Line
			r.Message = "not reached"
		}
		switch a.Verb {
		case VerbKeep:
			r.Action, r.Message = Unchanged, ""
		case VerbDelete:
			r.Message = "not pruned: the set was not applied whole and healthy"
		}
	}
}

// saveBefore stores what the set holds together with what it is about to hold, so that no object can be made
// that nobody remembers. When nothing is new, what is stored already says it all.
func (x *execution) saveBefore() error {
	for _, a := range x.actions {
		if _, known := x.held[a.Item.ID]; a.Verb == VerbApply && !known {
			x.held[a.Item.ID] = a.Item
		}
	}
	if err := x.save(newInventory(x.held)); err != nil {
		return fmt.Errorf("save the inventory of %s before the first write: %w", x.set.ID, err)
	}
	return nil
}

// save stores the inventory unless it is what is stored already.
func (x *execution) save(inv Inventory) error {
	if x.opts.Save == nil || sameInventory(inv, x.stored) {
		return nil
	}
	if err := x.opts.Save(inv); err != nil {
		return err
	}
	x.stored = inv
	return nil
}

// applyStages sends what differs.
func (x *execution) applyStages(ctx context.Context) error {
	for stage := range stages {
		var failed error
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for i, a := range x.actions {
			if a.Verb != VerbApply || a.Stage != stage {
				continue
			}
			if gctx.Err() != nil {
				break
			}
			group.Go(func() error {
				if gctx.Err() != nil {
					return nil
				}
				// Those under way end although another failed: their outcome must be known.
				return x.applyOne(ctx, i)
			})
		}
		if failed = group.Wait(); failed != nil || ctx.Err() != nil {
			return errors.Join(x.objectErrors(failed), context.Cause(ctx))
		}
		if stage == stageCRD {
			if err := x.waitEstablished(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyOne sends one object and fills in its slot.
func (x *execution) applyOne(ctx context.Context, i int) error {
	a, r := x.actions[i], &x.results[i]
	out, err := x.c.serverSideApply(ctx, x.p, a.Desired)
	if err != nil {
		err = objectError(x.p.objects[a.Desired], err)
		r.Action, r.Message, r.Error = Failed, "", causeOf(err)
		x.event(i)
		return err
	}
	item := a.Item
	item.UID = out.meta.UID
	item.Applied = fingerprint(x.p.desired[a.Desired].Hash, managedDigest(out.meta.ManagedFields))
	x.hold(item)
	r.Message = out.note
	switch {
	case out.created:
		r.Action = Created
	case a.Live.Found && a.Live.UID == out.meta.UID && a.Live.ResourceVersion == out.meta.ResourceVersion:
		r.Action = Unchanged
	default:
		r.Action = Configured
	}
	x.event(i)
	return nil
}

func causeOf(err error) string {
	var o *ObjectError
	if errors.As(err, &o) {
		return o.Err.Error()
	}
	return err.Error()
}

// objectErrors says all failures of a stage, not only the first.
func (x *execution) objectErrors(first error) error {
	failed := 0
	for _, r := range x.results {
		if r.Action == Failed {
			failed++
		}
	}
	if failed > 1 {
		return fmt.Errorf("%w (and %d more)", first, failed-1)
	}
	return first
}

func (x *execution) event(i int) {
	r := x.results[i]
	message := r.Message
	if r.Error != "" {
		message = r.Error
	}
	x.sink.send(Event{Kind: EventObject, Ref: r.Ref, Action: r.Action, Health: r.Health, Message: message})
}

func (x *execution) hold(item Item) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.held[item.ID] = item
}

func (x *execution) drop(id ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.held, id)
}

// finish stores what the set holds now and sums up.
func (x *execution) finish(err error) (Result, error) {
	for _, a := range x.actions {
		if a.Verb == VerbForget && err == nil {
			x.drop(a.Item.ID)
		}
	}
	r := x.summary()
	if err != nil {
		r = x.markFailed(err)
	}
	if saveErr := x.save(r.Inventory); saveErr != nil {
		err = errors.Join(err, fmt.Errorf("save the inventory of %s: %w", x.set.ID, saveErr))
	}
	return r, err
}

// summary is the result as it stands.
func (x *execution) summary() Result {
	r := Result{Inventory: newInventory(x.held)}
	for i, o := range x.results {
		if x.actions[i].Verb != VerbForget {
			r.Objects = append(r.Objects, o)
		}
	}
	r.count()
	return r
}

// markFailed shows objects as failed that an error names and no slot does yet: what was refused before a plan
// existed.
func (x *execution) markFailed(err error) Result {
	r := x.summary()
	for _, e := range objectErrorsIn(err) {
		i := slices.IndexFunc(r.Objects, func(o ObjectResult) bool { return o.Ref == e.Ref })
		if i < 0 {
			r.Objects = append(r.Objects, ObjectResult{Ref: e.Ref, File: e.File, Line: e.Line})
			i = len(r.Objects) - 1
		}
		o := &r.Objects[i]
		if o.Error == "" {
			o.Error = e.Err.Error()
		}
		if !errors.Is(e, ErrUnhealthy) { // else it was applied, and its health tells the rest
			o.Action, o.Message = Failed, ""
		}
	}
	r.count()
	return r
}

// objectErrorsIn finds every *ObjectError in a tree of joined errors.
func objectErrorsIn(err error) []*ObjectError {
	switch e := err.(type) {
	case *ObjectError:
		return []*ObjectError{e}
	case interface{ Unwrap() []error }:
		var all []*ObjectError
		for _, sub := range e.Unwrap() {
			all = append(all, objectErrorsIn(sub)...)
		}
		return all
	case interface{ Unwrap() error }:
		return objectErrorsIn(e.Unwrap())
	}
	return nil
}

func sameInventory(a, b Inventory) bool {
	if len(a.Items) != len(b.Items) {
		return false
	}
	other := b.byID()
	for _, item := range a.Items {
		if other[item.ID] != item {
			return false
		}
	}
	return true
}
