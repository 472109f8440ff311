package k8s

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

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

	mu   sync.Mutex            // guards what follows
	held map[ID]Item           // what the set holds, as far as known: the inventory in the making
	seen map[ID]map[string]any // of a preview: the live objects that it compared
}

func (c *Cluster) execution(set Set, inv Inventory, opts ApplyOptions) *execution {
	return &execution{c: c, set: set, stored: inv, inv: inv, opts: opts, sink: sink{to: opts.Events}, held: inv.byID(), seen: map[ID]map[string]any{}}
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
