package k8s

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// DriftSettled tells whether there is certainly nothing for Drift to find, without what it would be given: the inventory says that
// what the digest stands for was applied whole (see Settled), the cluster says that nothing of it has changed since, and everything
// works. Only what has a health and has moved since the last look is read. On false, render and call Drift: it says what it is.
func (c *Cluster) DriftSettled(ctx context.Context, set Set, inv Inventory, source string) (DriftReport, bool) {
	live, known, ok := c.settled(ctx, set, inv, source)
	if !ok {
		return DriftReport{}, false
	}
	x := c.execution(set, inv, ApplyOptions{})
	x.p, x.observed.Live = &prepared{set: set, kinds: known}, live
	for _, item := range inv.Items {
		k, ok := known.of(item)
		if !ok {
			return DriftReport{}, false
		}
		o := &unstructured.Unstructured{Object: map[string]any{}}
		o.SetAPIVersion(item.apiVersion())
		o.SetKind(item.Kind)
		o.SetNamespace(item.Namespace)
		o.SetName(item.Name)
		x.p.objects = append(x.p.objects, Object{Unstructured: o})
		x.p.desired = append(x.p.desired, Desired{Item: item, Order: Order{Phase: PhaseMain, Stage: stageOf(item)}})
		x.p.kind = append(x.p.kind, k)
	}
	s := &driftScan{execution: x, before: inv.byID()}
	s.makeSlots(len(inv.Items))
	for i, item := range inv.Items {
		s.verbs[i], s.found[i] = VerbKeep, ObjectDrift{ID: item.ID, Ref: item.Ref()}
	}
	s.checkHealth(ctx)
	report := s.report()
	return report, ctx.Err() == nil && len(s.faults) == 0 && len(report.Objects) == 0
}
