package k8s

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
)

// DriftState is how an object differs from what its set put into the cluster.
type DriftState string

// The states.
const (
	DriftNone      DriftState = ""          // as it was asked for
	DriftChanged   DriftState = "changed"   // fields of the set have other values, or are gone
	DriftRecreated DriftState = "recreated" // somebody else deleted it and made it again
	DriftDeleting  DriftState = "deleting"  // its deletion has begun
	DriftDeleted   DriftState = "deleted"
)

// DriftReport is what Drift finds. It holds no value of a Secret.
type DriftReport struct {
	Objects []ObjectDrift `json:"objects,omitempty"` // those that differ or do not work, by identity
	Checked int           `json:"checked"`           // objects of which something was learnt
	// Unseen names objects of the inventory of which nothing can be said now: the error beside the report says why. What
	// was known of them before still is what is known.
	Unseen []string `json:"unseen,omitempty"`
	// Undeployed names objects that differ, as far as can be told, only because what was given as desired is not what was applied last.
	Undeployed []Item `json:"undeployed,omitempty"`
	// Inventory is the one given. Verified and Epoch are renewed where everything was due to be compared and is as recorded: a
	// caller that keeps it spares the next scan from comparing all of it again.
	Inventory Inventory `json:"-"`
}

// ObjectDrift is one object that is not as it should be.
type ObjectDrift struct {
	ID         ID           `json:"id"`
	Ref        string       `json:"ref"`
	File       string       `json:"file,omitempty"`
	Line       int          `json:"line,omitempty"`
	State      DriftState   `json:"state,omitempty"`
	WasUID     types.UID    `json:"was_uid,omitempty"` // of one that was recreated: of the object that is gone
	UID        types.UID    `json:"uid,omitempty"`     // and of the one that is there
	Fields     []FieldDrift `json:"fields,omitempty"`
	Finalizers []string     `json:"finalizers,omitempty"` // what a deletion that has begun waits for
	Health     Health       `json:"health,omitempty"`     // Failed, or InProgress for longer than an apply would wait; "" else
	Message    string       `json:"message,omitempty"`    // why it is not healthy
	Since      *time.Time   `json:"since,omitempty"`      // since when it is not healthy, or is being deleted
	Note       string       `json:"note,omitempty"`       // how it was compared, where the server could not do it
}

// FieldDrift is one field of a set that somebody else has changed.
type FieldDrift struct {
	Path   string     `json:"path"`
	Wanted any        `json:"wanted"` // null: it should not be there; and always of a Secret
	Live   any        `json:"live"`   // null: it is gone; and always of a Secret
	Secret bool       `json:"secret,omitempty"`
	Digest string     `json:"-"`            // of a Secret's two values under the set's key: tells one change from another; "" without a key
	By     string     `json:"by,omitempty"` // the field manager that wrote it last; "" where the cluster does not tell
	Sub    string     `json:"subresource,omitempty"`
	At     *time.Time `json:"at,omitempty"`
}

// DriftOptions are the callbacks of Drift. The zero value will do.
type DriftOptions struct {
	// Elsewhere names another set that wants an object now, or "". It is asked about objects that carry another set's label: what
	// has moved there is no drift here. nil: no other set wants anything.
	Elsewhere func(ID) (string, error)
}

// Drift says what of the objects that a set put into the cluster is not as the set asked for, and changes nothing: reads and
// dry-runs are all it sends. desired are the objects as rendered at the commit that was applied last; only those that the inventory
// holds are looked at.
//
// An object whose record of applied fields is as it was left costs no request of its own; on a connection that watches, the look at
// that record costs none either. Any other is read and tried. Values that others decide about (an autoscaler's replicas, an injected
// CA, defaults, fields that the set does not mention) are no drift.
//
// An object counts as deleted only when the server itself says that it is not there. The error joins what could not be found out,
// one *ObjectError for each object; the report is good for everything but DriftReport.Unseen. ErrUnreachable, ErrUnauthorized,
// ErrOtherCluster and the like leave all objects unseen.
func (c *Cluster) Drift(ctx context.Context, set Set, desired []Object, inv Inventory, opts DriftOptions) (DriftReport, error) {
	report := DriftReport{Inventory: inv}
	if len(inv.Items) == 0 {
		return report, nil // nothing was put there
	}
	set.AllowMove = false // another cluster is an error here, whatever may be left behind
	s, err := c.driftScan(ctx, set, desired, inv, opts)
	if err != nil {
		report.Unseen = refsOf(inv.Items)
		return report, err
	}
	s.compare(ctx)
	s.checkHealth(ctx)
	if ctx.Err() != nil {
		report.Unseen = refsOf(inv.Items)
		return report, context.Cause(ctx)
	}
	return s.report(), errors.Join(s.faults...)
}

// driftScan is one call of Drift. Each goroutine writes the slots of its own object.
type driftScan struct {
	*execution
	before map[ID]Item
	asking sync.Mutex       // serialises calls of Elsewhere
	verbs  []Verb           // beside the desired objects: what an apply would do; VerbSkip for what is not looked at
	found  []ObjectDrift    // beside the desired objects
	behind []bool           // beside them: it differs because it was not applied as it is now desired
	errs   []error          // beside them
	live   []map[string]any // beside them, of what was read
	gone   []ObjectDrift    // those whose kind the cluster does not serve any more
	faults []error          // all errors, once everything is done
}

// driftScan does what comes before the first comparison.
func (c *Cluster) driftScan(ctx context.Context, set Set, desired []Object, inv Inventory, opts DriftOptions) (*driftScan, error) {
	forced := set
	forced.Force = true // a dry-run that takes fields over shows what others have done; one that may not only refuses
	x := c.execution(forced, inv, ApplyOptions{Elsewhere: opts.Elsewhere})
	if err := x.home(ctx); err != nil {
		return nil, err
	}
	s := &driftScan{execution: x, before: inv.byID()}
	known, _ := splitUnknown(desired)
	known, err := s.setVanishedApart(ctx, known)
	if err != nil {
		return nil, err
	}
	x.p, err = c.prepare(ctx, forced, known, inv.Items)
	if x.p == nil {
		return nil, err
	}
	if err != nil {
		s.faults = append(s.faults, err)
	}
	if x.epoch, err = c.epoch(ctx, groupsOf(inv.Items)); err != nil {
		return nil, err
	}
	x.observed.Verify = inv.due(set, x.epoch, c.now())
	if x.observed.Live, err = c.observe(ctx, x.p, inv); err != nil {
		return nil, err
	}
	x.elsewhere()
	s.decide()
	return s, nil
}

func (s *driftScan) makeSlots(n int) {
	s.verbs, s.found, s.behind, s.errs, s.live = make([]Verb, n), make([]ObjectDrift, n), make([]bool, n), make([]error, n), make([]map[string]any, n)
}

// decide finds out which objects have to be looked at.
func (s *driftScan) decide() {
	n := len(s.p.desired)
	s.makeSlots(n)
	label := s.set.label()
	for i, d := range s.p.desired {
		was := s.before[d.Item.ID]
		a := want(label, i, d, was, s.observed)
		s.verbs[i] = a.Verb
		switch {
		case was.UID == "", s.p.objects[i].unknown, a.Verb == VerbRefuse: // not put there yet, not known yet, another set's
			s.verbs[i] = VerbSkip
		case d.Order.isHook() && runsToCompletion(d.Item): // it has run; whether it is still there is nobody's concern
			s.verbs[i] = VerbSkip
		}
		s.found[i] = ObjectDrift{ID: d.Item.ID, Ref: d.Item.Ref(), File: s.p.objects[i].File, Line: s.p.objects[i].Line}
	}
}

// compare looks at every object that the records do not vouch for.
func (s *driftScan) compare(ctx context.Context) {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, verb := range s.verbs {
		if verb == VerbApply || verb == VerbVerify {
			group.Go(func() error {
				if err := s.compareOne(gctx, i); err != nil {
					s.errs[i] = objectError(s.p.objects[i], err)
				}
				return nil
			})
		}
	}
	_ = group.Wait() // errors are in the slots
}

// report sums up.
func (s *driftScan) report() DriftReport {
	r := DriftReport{Inventory: s.stored, Objects: s.gone, Checked: len(s.gone)}
	seen := map[ID]bool{}
	for _, o := range s.gone {
		seen[o.ID] = true
	}
	believed := true // whether what is recorded has been found to be so
	for i, o := range s.found {
		seen[o.ID] = true
		switch {
		case s.verbs[i] == VerbSkip:
			continue
		case s.errs[i] != nil:
			s.faults = append(s.faults, s.errs[i])
			r.Unseen = append(r.Unseen, o.Ref)
			believed = false
			continue
		}
		r.Checked++
		if s.behind[i] {
			r.Undeployed = append(r.Undeployed, s.p.desired[i].Item)
		}
		if o.State != DriftNone || o.Health != "" {
			r.Objects = append(r.Objects, o)
		}
		believed = believed && (s.verbs[i] != VerbVerify || o.State == DriftNone && !s.behind[i])
	}
	if len(s.faults) > 0 {
		for _, item := range s.stored.Items {
			if !seen[item.ID] {
				r.Unseen = append(r.Unseen, item.Ref())
			}
		}
	}
	if believed && len(s.faults) == 0 && s.observed.Verify {
		r.Inventory.Verified, r.Inventory.Epoch = s.c.now().UTC().Truncate(time.Second), s.epoch
	}
	slices.SortFunc(r.Objects, func(a, b ObjectDrift) int { return compareIDs(a.ID, b.ID) })
	return r
}

// isAsApplied tells whether what is desired of an object is what was sent last, as far as that can be known.
func (s *driftScan) isAsApplied(i int) bool {
	d := s.p.desired[i]
	return d.Hash == "" || strings.HasPrefix(s.before[d.Item.ID].Applied, d.Hash+".")
}

func refsOf(items []Item) []string {
	refs := make([]string, len(items))
	for i, item := range items {
		refs[i] = item.Ref()
	}
	return refs
}
