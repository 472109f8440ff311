package k8s

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Settled tells whether an apply of what the digest stands for would do nothing, without rendering it: the inventory says that it was
// applied whole and healthy, and the cluster says that nothing of it has changed since. The Result is then that of the apply. On a
// connection that watches it costs no request.
func (c *Cluster) Settled(ctx context.Context, set Set, inv Inventory, source string) (Result, bool) {
	_, _, ok := c.settled(ctx, set, inv, source)
	if !ok {
		return Result{}, false
	}
	result := Result{Inventory: inv, Objects: make([]ObjectResult, 0, len(inv.Items)), Unchanged: len(inv.Items)}
	for _, item := range inv.Items {
		result.Objects = append(result.Objects, ObjectResult{Ref: item.Ref(), Action: Unchanged, Health: HealthCurrent})
	}
	return result, true
}

// settled is Settled with the objects as they were seen, and the kinds they were sought by.
func (c *Cluster) settled(ctx context.Context, set Set, inv Inventory, source string) (map[ID]Live, *kinds, bool) {
	if source == "" || inv.Source != source || len(inv.Items) == 0 || inv.Cluster == "" {
		return nil, nil, false
	}
	here, err := c.identify(ctx)
	if err != nil || here != inv.Cluster {
		return nil, nil, false
	}
	epoch, err := c.epoch(ctx, groupsOf(inv.Items))
	if err != nil || inv.due(set, epoch, c.now()) {
		return nil, nil, false
	}
	known, err := c.kindsFor(ctx, nil, inv.Items)
	if err != nil {
		return nil, nil, false
	}
	p := &prepared{set: set, kinds: known}
	seen := newObserved(p, inv)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, scope := range scopesInPlay(p, inv) {
		group.Go(func() error { return c.sight(gctx, scope, seen) })
	}
	if group.Wait() != nil {
		return nil, nil, false
	}
	for _, item := range inv.Items {
		if !settled(item, seen.live[item.ID], seen.label) {
			return nil, nil, false
		}
	}
	return seen.live, known, true
}

// settled tells whether an object is as it was left.
func settled(item Item, live Live, label string) bool {
	_, managed, ok := strings.Cut(item.Applied, ".")
	return ok && live.Found && live.Owner == label && !live.Deleting && live.UID == item.UID && live.Managed == managed &&
		(item.Healthy || !hasHealth(item))
}
