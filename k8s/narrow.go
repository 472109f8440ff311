package k8s

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// narrow remembers the collections of all namespaces that a user may not list, so that one who may look into some
// namespaces only is not refused anew each time.
type narrow struct {
	mu     sync.Mutex // guards forbid
	forbid map[string]bool
}

func (n *narrow) note(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.forbid == nil {
		n.forbid = map[string]bool{}
	}
	n.forbid[address] = true
}

func (n *narrow) has(address string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.forbid[address]
}

// listScope lists a kind where the set has objects of it: in all namespaces with one request, or in each by
// itself for a user who may not do that. Where not even this is allowed, the objects are looked up one by one.
func (c *Cluster) listScope(ctx context.Context, s scope, seen *observed) error {
	wide := s.kind.collection("")
	if s.namespace != "" || !s.kind.namespaced {
		return c.list(ctx, s, seen)
	}
	if !c.narrow.has(wide) {
		err := c.list(ctx, s, seen)
		if err != nil || !seen.isForbidden(wide) {
			return err
		}
		c.narrow.note(wide)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, namespace := range s.all {
		group.Go(func() error { return c.list(gctx, scope{kind: s.kind, namespace: namespace}, seen) })
	}
	return group.Wait()
}

// labelled finds the objects of a kind that carry the set's label: in all namespaces or, for a user who may not
// list those, in the ones that the set names or is allowed by name.
func (x *execution) labelled(ctx context.Context, k kind) ([]Item, error) {
	wide := k.collection("")
	if !k.namespaced || !x.c.narrow.has(wide) {
		items, err := x.c.labelledIn(ctx, k, "", x.set)
		if err != nil || !k.namespaced || !x.c.narrow.has(wide) {
			return items, err
		}
	}
	var items []Item
	for _, namespace := range x.namespaces() {
		some, err := x.c.labelledIn(ctx, k, namespace, x.set)
		if err != nil {
			return items, err
		}
		items = append(items, some...)
	}
	return items, nil
}

// namespaces are those of the desired objects, and those that allowances spell out.
func (x *execution) namespaces() []string {
	var all []string
	for _, d := range x.p.desired {
		if d.Item.Namespace != "" {
			all = addNamespace(all, d.Item.Namespace)
		}
	}
	for _, a := range x.set.Allow {
		for _, pattern := range a.Namespaces {
			if !strings.Contains(pattern, "*") {
				all = addNamespace(all, pattern)
			}
		}
	}
	return all
}

// followEach follows objects of several namespaces, in each by itself, for a user who may not watch all. see is
// called by one goroutine at a time; all end when it is satisfied.
func (f *follower) followEach(ctx context.Context, set Set) error {
	byNamespace := map[string][]ID{}
	for id := range f.ids {
		byNamespace[id.Namespace] = append(byNamespace[id.Namespace], id)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // guards satisfied and the caller's see
	satisfied := false
	see := func(s sighting) bool {
		mu.Lock()
		defer mu.Unlock()
		if !satisfied && f.see(s) {
			satisfied = true
			cancel(errSettled)
		}
		return satisfied
	}
	group, gctx := errgroup.WithContext(ctx)
	for _, ids := range byNamespace {
		group.Go(func() error { return f.c.follow(gctx, f.k, set, ids, f.accept, see) })
	}
	err := group.Wait()
	if satisfied {
		return nil
	}
	return err
}

// isNarrow tells that the objects lie in several namespaces, which the user may not watch at once.
func (f *follower) isNarrow() bool {
	return f.k.namespaced && f.namespace == "" && f.c.narrow.has(f.k.collection(""))
}

// addNamespace keeps the namespaces in which a kind is looked for.
func addNamespace(all []string, namespace string) []string {
	if slices.Contains(all, namespace) {
		return all
	}
	return append(all, namespace)
}
