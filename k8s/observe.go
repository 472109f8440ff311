package k8s

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// observe looks at what the plan needs to know: what of each kind in play carries the set's label, from the watch
// of the kind or else by a LIST of metadata, and one GET for what that cannot show: inventory items that have lost
// the label, and the Namespaces and CRDs whose absence decides what can be checked before the first write.
func (c *Cluster) observe(ctx context.Context, p *prepared, inv Inventory) (map[ID]Live, error) {
	seen := newObserved(p, inv)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, scope := range scopesInPlay(p, inv) {
		if !scope.kind.fresh {
			group.Go(func() error { return c.sight(gctx, scope, seen) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	group, gctx = errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	lookUp := func(id ID, k kind, known bool) {
		switch {
		case !known && slices.Contains(p.kinds.stale, id.Group):
			seen.put(id, Live{Unknown: true})
		case !known || k.fresh:
			seen.put(id, Live{})
		case !seen.has(id):
			group.Go(func() error { return c.look(gctx, id, k, seen) })
		}
	}
	for i, d := range p.desired {
		if d.Order.Phase == PhaseGround || seen.isForbidden(p.kind[i].collection(d.Item.Namespace)) {
			lookUp(d.Item.ID, p.kind[i], true)
		}
	}
	for _, item := range inv.Items {
		if !seen.desired[item.ID] {
			k, known := p.kinds.of(item)
			lookUp(item.ID, k, known)
		}
	}
	err := group.Wait()
	return seen.live, err
}

// sight finds what of a kind carries the set's label, and who has what the set wants.
func (c *Cluster) sight(ctx context.Context, where scope, seen *observed) error {
	if c.watches.on() && slices.Contains(where.kind.verbs, "watch") {
		if all, err := c.watches.look(ctx, where.kind, ownerLabel, seen.matters); err == nil {
			seen.take(all)
			return nil
		}
	}
	return c.listScope(ctx, where, seen)
}

// scope is where to list a kind: in one namespace, when all its objects are there, which a tenant may do and which
// costs the server less; else in all.
type scope struct {
	kind      kind
	namespace string
	all       []string // namespaces that hold some of the objects
}

func (s scope) address() string { return s.kind.collection(s.namespace) }

// scopesInPlay finds the kinds of the desired objects and of the inventory.
func scopesInPlay(p *prepared, inv Inventory) []scope {
	var order []string
	all := map[string]scope{}
	add := func(k kind, namespace string) {
		key := k.collection("")
		s, known := all[key]
		switch {
		case !known:
			order = append(order, key)
			s = scope{kind: k, namespace: namespace}
		case s.namespace != namespace:
			s.namespace = ""
		}
		s.all = addNamespace(s.all, namespace)
		all[key] = s
	}
	for i, d := range p.desired {
		add(p.kind[i], d.Item.Namespace)
	}
	for _, item := range inv.Items {
		if k, ok := p.kinds.of(item); ok && p.set.refuses(item.ID) == "" {
			add(k, item.Namespace)
		}
	}
	scopes := make([]scope, len(order))
	for i, key := range order {
		scopes[i] = all[key]
	}
	return scopes
}

// observed collects what several goroutines see.
type observed struct {
	label   string
	refuses func(ID) string // why the set may not touch an object
	desired map[ID]bool
	held    map[ID]bool     // by the inventory
	news    map[string]bool // collections that the set wants something new in: whose it is now matters

	mu        sync.Mutex // guards live and forbidden
	live      map[ID]Live
	forbidden map[string]bool // collections that may not be listed: their objects are looked up one by one
}

func newObserved(p *prepared, inv Inventory) *observed {
	s := &observed{label: p.set.label(), refuses: p.set.refuses, desired: map[ID]bool{}, held: map[ID]bool{}, news: map[string]bool{}, live: map[ID]Live{}, forbidden: map[string]bool{}}
	for _, item := range inv.Items {
		s.held[item.ID] = true
	}
	for i, d := range p.desired {
		s.desired[d.Item.ID] = true
		if !s.held[d.Item.ID] {
			s.news[p.kind[i].collection("")] = true
		}
	}
	return s
}

// matters tells whether an object with the owner label is of interest to the set.
func (s *observed) matters(id ID, live Live) bool {
	return live.Owner == s.label || s.desired[id] || s.held[id]
}

func (s *observed) put(id ID, l Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[id] = l
}

func (s *observed) take(all map[ID]Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.live, all)
}

func (s *observed) has(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live[id]
	return ok
}

func (s *observed) isForbidden(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forbidden[address]
}

// list reads the metadata of all objects of a kind that carry the set's label, or that of any set, page by page.
func (c *Cluster) list(ctx context.Context, where scope, seen *observed) error {
	k := where.kind
	params := map[string]string{"labelSelector": ownerLabel, "limit": "500"}
	if !seen.news[k.collection("")] {
		params["labelSelector"] += "=" + seen.label
	}
	for {
		a, err := c.send(ctx, request{verb: http.MethodGet, path: where.address(), accept: acceptList, params: params})
		switch {
		case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
			return nil // the kind went away with its CRD
		case apierrors.IsForbidden(err):
			seen.mu.Lock()
			seen.forbidden[where.address()] = true
			seen.mu.Unlock()
			return nil
		case err != nil:
			return c.wrap(explain(err, "list "+k.resource, k.isSecret()))
		}
		var page metav1.PartialObjectMetadataList
		if err := json.Unmarshal(a.body, &page); err != nil {
			return errors.New("read the list of " + k.resource + ": not what was asked for")
		}
		for i := range page.Items {
			m := &page.Items[i]
			if id, live := (ID{Group: k.group, Kind: k.kind, Namespace: m.Namespace, Name: m.Name}), liveOf(m); seen.matters(id, live) {
				seen.put(id, live)
			}
		}
		if page.Continue == "" {
			return nil
		}
		params["continue"] = page.Continue
	}
}

// look reads the metadata of one object.
func (c *Cluster) look(ctx context.Context, id ID, k kind, seen *observed) error {
	m, err := c.metadata(ctx, k.object(id.Namespace, url.PathEscape(id.Name)))
	switch {
	case apierrors.IsNotFound(err):
		seen.put(id, Live{})
		return nil
	case seen.refuses(id) != "" && apierrors.IsForbidden(err):
		seen.put(id, Live{Unknown: true})
		return nil
	case seen.desired[id] && apierrors.IsForbidden(err):
		return nil // the apply itself says what may not be done
	case err != nil:
		item := Item{ID: id, Version: k.version}
		return &ObjectError{Ref: item.Ref(), Err: c.wrap(explain(err, item.Ref(), k.isSecret()))}
	}
	seen.put(id, liveOf(m))
	return nil
}

func liveOf(m *metav1.PartialObjectMetadata) Live {
	return Live{
		Found: true, UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation, Owner: m.Labels[ownerLabel],
		Managed: managedDigest(m.ManagedFields), Deleting: m.DeletionTimestamp != nil, Finalizers: m.Finalizers,
		Prune: m.Annotations[pruneAnnotation],
	}
}

// managedDigest is a short hash of the fields the server records as applied by us; "" when it records none. (An
// edit by anybody else of a field of ours takes the field out of this record, whatever tool made it.)
func managedDigest(entries []metav1.ManagedFieldsEntry) string {
	for _, e := range entries {
		if e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == "" && e.FieldsV1 != nil {
			sum := sha256.Sum256(e.FieldsV1.GetRawBytes())
			return hex.EncodeToString(sum[:8])
		}
	}
	return ""
}

func (k kind) isSecret() bool { return k.group == "" && k.kind == "Secret" }
