package k8s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

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

// execution carries one plan out. Each goroutine writes the result slot of its own action.
type execution struct {
	c        *Cluster
	set      Set
	p        *prepared
	stored   Inventory // as the caller has it
	inv      Inventory // what the plan is made of: stored, or found in the cluster
	opts     ApplyOptions
	sink     sink
	actions  []Action
	observed Observed
	epoch    string
	results  []ObjectResult // beside actions

	mu   sync.Mutex  // guards held
	held map[ID]Item // what the set holds, as far as known: the inventory in the making
}

func (c *Cluster) execution(set Set, inv Inventory, opts ApplyOptions) *execution {
	return &execution{c: c, set: set, stored: inv, inv: inv, opts: opts, sink: sink{to: opts.Events}, held: inv.byID()}
}

// begin does everything that needs no write: kinds, names, the plan, the schemas.
func (c *Cluster) begin(ctx context.Context, set Set, desired []Object, inv Inventory, opts ApplyOptions) (*execution, error) {
	x := c.execution(set, inv, opts)
	if len(desired) == 0 && len(inv.Items) > 0 {
		return x, fmt.Errorf("%w: %d objects of %s stay as they are; remove the set itself to have them deleted", ErrEmptyRender, len(inv.Items), set.ID)
	}
	if len(desired) == 0 {
		return x, nil // nothing wanted, nothing there: no reason to ask anybody
	}
	if err := x.home(ctx); err != nil {
		return x, err
	}
	var err error
	if x.p, err = c.prepare(ctx, set, desired, x.inv.Items); err != nil {
		return x, err
	}
	if err := x.recall(ctx); err != nil {
		return x, err
	}
	if x.epoch, err = c.epoch(ctx, groupsOf(x.inv.Items)); err != nil {
		return x, err
	}
	x.observed.Verify = x.inv.due(set, x.epoch, c.now())
	if x.observed.Live, err = c.observe(ctx, x.p, x.inv); err != nil {
		return x, err
	}
	x.elsewhere()
	x.setActions(Plan(set, x.p.desired, x.observed, x.inv))
	if err := x.refused(); err != nil {
		return x, err
	}
	if err := x.verify(ctx); err != nil {
		return x, err
	}
	var changed []int
	for _, a := range x.actions {
		if a.sends() {
			changed = append(changed, a.Desired)
		}
	}
	return x, c.checkSchemas(ctx, x.p, changed, x.observed.Live)
}

// elsewhere finds out which other sets want what this one holds no more, or what another one holds.
func (x *execution) elsewhere() {
	if x.opts.Elsewhere == nil {
		return
	}
	label, desired := x.set.label(), map[ID]bool{}
	ask := func(id ID) {
		live := x.observed.Live[id]
		var err error
		if live.Elsewhere, err = x.opts.Elsewhere(id); err != nil {
			live.Undecided = err.Error()
		}
		x.observed.Live[id] = live
	}
	for _, d := range x.p.desired {
		desired[d.Item.ID] = true
		if owner := x.observed.Live[d.Item.ID].Owner; owner != "" && owner != label {
			ask(d.Item.ID)
		}
	}
	for _, item := range x.inv.Items {
		if live := x.observed.Live[item.ID]; !desired[item.ID] && live.Found && live.Owner == label {
			ask(item.ID)
		}
	}
}

// refused joins what the plan refuses.
func (x *execution) refused() error {
	var errs []error
	for i, a := range x.actions {
		if a.Verb == VerbRefuse {
			err := objectError(x.p.objects[a.Desired], fmt.Errorf("%w: %s", ErrHeldElsewhere, a.Reason))
			x.results[i].Action, x.results[i].Message, x.results[i].Error = Failed, "", causeOf(err)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
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
// that nobody remembers. When nothing is new, what is stored already says it all. A hook that is to run is no longer known to
// have run: should this apply end before its turn, the next one owes it a run although nothing else is left to send.
func (x *execution) saveBefore() error {
	for _, a := range x.actions {
		if !a.sends() {
			continue
		}
		item, known := x.held[a.Item.ID]
		if !known {
			item = a.Item
		}
		if a.isTask() {
			item.Applied, item.Healthy = "", false
		}
		x.held[a.Item.ID] = item
	}
	if err := x.save(x.inv.with(x.held)); err != nil {
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

// hold takes an item in. One that was sent and found as it was is as healthy as before.
func (x *execution) hold(item Item, unchanged bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	item.Healthy = unchanged && x.held[item.ID].Healthy
	x.held[item.ID] = item
}

func (x *execution) drop(id ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.held, id)
}

// settle notes that the set is as desired.
func (x *execution) settle(ctx context.Context) error {
	if len(x.inv.Items) != len(x.held) { // something was pruned since
		if err := x.sent(ctx); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(x.actions, func(a Action) bool { return a.Verb == VerbSkip || a.Verb == VerbHold }) {
		x.inv.Source = x.opts.Source
	}
	x.inv = x.inv.with(x.held)
	return nil
}

// sent notes that the cluster has all of the set, and what the server was then: healthy or not, nothing has to be sent again.
func (x *execution) sent(ctx context.Context) error {
	x.inv = x.inv.with(x.held)
	if slices.ContainsFunc(x.actions, func(a Action) bool { return a.Verb != VerbKeep }) {
		var err error // other groups are in play, or the set itself has begun a new epoch
		if x.epoch, err = x.c.epoch(ctx, groupsOf(x.inv.Items)); err != nil {
			return err
		}
	}
	x.inv.Epoch, x.inv.Source = x.epoch, ""
	if x.observed.Verify || x.inv.Verified.IsZero() || len(x.stored.Items) == 0 {
		x.inv.Verified = x.c.now().UTC().Truncate(time.Second)
	}
	return nil
}

// holds says what waits for a person.
func (x *execution) holds() error {
	for _, a := range x.actions {
		if a.Verb == VerbHold {
			return fmt.Errorf("%w: %s", ErrPruneHeld, a.Reason)
		}
	}
	return nil
}

// finish stores what the set holds now and sums up.
func (x *execution) finish(err error) (Result, error) {
	for _, a := range x.actions {
		if a.Verb == VerbForget && err == nil {
			x.drop(a.Item.ID)
		}
	}
	if err != nil {
		x.inv.Source = ""
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
	r := Result{Inventory: x.inv.with(x.held)}
	for i, o := range x.results {
		if x.actions[i].Verb == VerbHold {
			r.Held = append(r.Held, x.actions[i].Item.ID)
		}
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
	if len(a.Items) == 0 && len(b.Items) == 0 {
		return true
	}
	if len(a.Items) != len(b.Items) || a.Cluster != b.Cluster || a.Epoch != b.Epoch || a.Source != b.Source || !a.Verified.Equal(b.Verified) {
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
