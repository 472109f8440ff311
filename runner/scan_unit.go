package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// resources compares one workspace with the world: an ordinary plan, with Terraform's own state lock, of what was
// converged last. It is not kept.
func (x *scanRun) resources(ctx context.Context, t task) (_ looked, failed error) {
	at := x.stands[t.unit.ID]
	tree, err := x.checkouts.get(ctx, x.repo, at.commit)
	if err != nil {
		return looked{}, err
	}
	variables, err := x.variables(t)
	if errors.Is(err, errNotKnown) {
		return looked{UnitResult: UnitResult{Status: Deferred, Reason: err.Error()}}, nil
	}
	if err != nil {
		return looked{}, err
	}
	spec, err := x.specWith(ctx, t, tree.Dir, variables)
	if err != nil {
		return looked{}, err
	}
	spec.Looks, spec.Grace, spec.Processors = true, scanGrace, x.share()
	hide := redact.New(spec.Secrets...)
	defer func() { failed = hide.Error(failed) }()
	s, err := x.r.home.Open(ctx, spec)
	if err != nil {
		return looked{}, err
	}
	defer s.Close() // what it could not clear away is cleared by the next start
	w := &workspaceRun{x: x.execution, t: t, s: s, spec: spec, commit: at.commit, hide: hide, out: io.Discard}
	if why, err := w.unstored(); err != nil || why != "" {
		return blockedBy(why), err
	}
	if err := s.Init(ctx, x.lines(t.unit.ID)); err != nil {
		return looked{}, err
	}
	p, err := s.Plan(ctx, x.lines(t.unit.ID), terraform.PlanOptions{NoLockWait: true})
	var lock *terraform.StateLockError
	if errors.As(err, &lock) && s.OwnRun(lock) != "" { // of a scan that was killed: nobody else would free it
		if err := s.FreeStateLock(ctx, lock); err != nil {
			return looked{}, err
		}
		p, err = s.Plan(ctx, x.lines(t.unit.ID), terraform.PlanOptions{NoLockWait: true})
	}
	if errors.As(err, &lock) {
		return blockedBy(hide.Text(err.Error())), nil
	}
	if err != nil {
		return looked{}, err
	}
	hide.Add(p.Secrets()...)
	now := stateMemory{Lineage: p.State.Lineage, Serial: p.State.Serial}
	l := looked{UnitResult: UnitResult{Status: Unchanged, Notes: s.Notes()}, whole: true, state: &now}
	if !p.Changes {
		return l, nil
	}
	describe(&l.UnitResult, p)
	before, err := x.r.scanOf(x.run.Repository, t.unit.ID)
	if err != nil {
		return looked{}, err
	}
	left := before.left(x.recall(t.unit.ID))
	if left != nil {
		l.state = nil // it stays the measure until a scan finds nothing
	}
	if l.ahead, err = x.ahead(t.unit.ID); err != nil {
		return looked{}, err
	}
	l.found = drift.Terraform(p.JSON, drift.State{
		Undeployed: at.undeployed, Ahead: l.ahead != "", StateMoved: left != nil && (left.Lineage != now.Lineage || left.Serial != now.Serial),
	}, x.r.seal.derive("drift"))
	l.partial = !drift.Whole(p.JSON)
	if t.unit.Drift.Remediate == workspace.RemediateApply {
		l.refused = x.refused(ctx, t, p, hide)
	}
	for i := range l.found {
		hideFinding(&l.found[i], hide)
	}
	return l, x.r.keepText(x.run.ID, t.unit.ID, diffSuffix, hide.Text(comment.Diff(p.JSON)))
}

// share is how many processors Terraform may use for one unit: what there is, divided by the units that are looked at side by side. More
// threads than that only get into each other's way, which costs a tenth of the time of a small plan.
func (x *scanRun) share() int {
	beside := min(len(x.tasks), x.r.opts.Parallel)
	if x.schedule {
		beside = x.r.opts.Drift.Parallel
	}
	return max(1, runtime.GOMAXPROCS(0)/max(1, beside))
}

// refused says why the rules would not let the plan of a drift pass, or "".
func (x *scanRun) refused(ctx context.Context, t task, p *terraform.Plan, hide *redact.Redactor) string {
	rules := x.rules(ctx)
	if !rules.asks() {
		return ""
	}
	v := hideFindings(rules.plan(ctx, p.JSON, x.facts(t)), hide)
	said := policyResult(v)
	switch {
	case said == nil:
		return ""
	case v.Denied():
		return "the rules deny it: " + words(v.Findings, policies.Deny)
	}
	return asksFor(v, said.Needs)
}

// objects compares one manifest set with its cluster.
func (x *scanRun) objects(ctx context.Context, t task) (looked, error) {
	m := x.recall(t.unit.ID)
	if len(m.Inventory) == 0 {
		return looked{UnitResult: UnitResult{Status: Unchanged}, whole: true}, nil // it never put anything there
	}
	set, err := x.openSet(ctx, t, m)
	if err != nil {
		return looked{}, err
	}
	defer set.close()
	if set.source, set.digest, err = x.source(ctx, t.unit, x.stands[t.unit.ID].commit); err != nil {
		return looked{}, err
	}
	l := looked{UnitResult: UnitResult{Status: Unchanged}, whole: true}
	report, settled := set.cluster.DriftSettled(ctx, set.set, set.inventory, set.cluster.Bound(set.set, set.digest))
	if !settled {
		if set.objects, err = x.r.render(ctx, t.unit, set.source); err != nil {
			return looked{}, err
		}
		report, err = set.cluster.Drift(ctx, set.set, set.objects, set.inventory, k8s.DriftOptions{Elsewhere: set.others})
		if err != nil && len(report.Objects) == 0 {
			return looked{}, err
		}
	}
	l.found, l.partial = drift.Kubernetes(report, x.r.seal.derive("drift")), len(report.Unseen) > 0
	if err != nil {
		l.Notes = append(l.Notes, err.Error())
	}
	return l, x.keepVerified(set, report)
}

// keepVerified remembers that a set was compared whole, unless a run has written what is known of it meanwhile: else every
// scan would compare all of it again.
func (x *scanRun) keepVerified(set *manifestSet, report k8s.DriftReport) error {
	was, err := json.Marshal(set.inventory)
	if err != nil {
		return fmt.Errorf("keep the inventory of %s: %w", set.id, err)
	}
	is, err := json.Marshal(report.Inventory)
	if err != nil {
		return fmt.Errorf("keep the inventory of %s: %w", set.id, err)
	}
	if bytes.Equal(was, is) || len(report.Inventory.Items) != len(set.inventory.Items) {
		return nil
	}
	return x.r.journal.update(func(tx *bbolt.Tx) error {
		m, err := getMemory(tx, x.run.Repository, set.id)
		if err != nil || !bytes.Equal(m.Inventory, was) {
			return err
		}
		m.Inventory = is
		return putMemory(tx, m)
	})
}

// holder says who has a lock.
func (r *Runner) holder(key locks.Key) (h locks.Holder, held bool, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) error {
		h, held, err = locks.Get(tx, key)
		return err
	})
	return h, held, err
}

// hideFinding takes secrets out of what was found. What Terraform calls sensitive is not in it; what came from the
// environment may be.
func hideFinding(f *drift.Finding, hide *redact.Redactor) {
	f.Message = hide.Text(f.Message)
	for i := range f.Fields {
		x := &f.Fields[i]
		if !reflect.DeepEqual(hidden(x.Old, hide), x.Old) || !reflect.DeepEqual(hidden(x.New, hide), x.New) {
			x.Old, x.New, x.Secret = nil, nil, true // with a part of it taken out nobody could write it anywhere
		}
		x.Bound()
	}
}

// hidden returns a value without the secrets in its strings.
func hidden(v any, hide *redact.Redactor) any {
	switch v := v.(type) {
	case string:
		return hide.Text(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = hidden(v[i], hide)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[hide.Text(k)] = hidden(v[k], hide)
		}
		return out
	}
	return v
}
