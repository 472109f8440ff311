package k8s

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// observe looks at what the plan needs to know: one LIST of metadata for each kind in play, filtered by the set's
// label, and one GET for what such a list cannot show: inventory items that have lost the label, and the
// Namespaces and CRDs whose absence decides what can be checked before the first write.
func (c *Cluster) observe(ctx context.Context, p *prepared, inv Inventory) (map[ID]Live, error) {
	seen := newObserved(p.set)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, scope := range scopesInPlay(p, inv) {
		if !scope.kind.fresh {
			group.Go(func() error { return c.list(gctx, scope, p.set, seen) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	group, gctx = errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	wanted := map[ID]bool{}
	lookUp := func(id ID, k kind, known bool) {
		switch {
		case !known && slices.Contains(p.kinds.stale, id.Group):
			seen.put(id, Live{Unknown: true})
		case !known || k.fresh:
			seen.put(id, Live{})
		case !seen.has(id):
			group.Go(func() error { return c.look(gctx, id, k, wanted[id], seen) })
		}
	}
	for _, d := range p.desired {
		wanted[d.Item.ID] = true
	}
	for i, d := range p.desired {
		if s := stageOf(d.Item); s == stageCRD || s == stageNamespace || seen.unlisted(p.kind[i]) {
			lookUp(d.Item.ID, p.kind[i], true)
		}
	}
	for _, item := range inv.Items {
		if !wanted[item.ID] {
			k, known := p.kinds.of(item)
			lookUp(item.ID, k, known)
		}
	}
	err := group.Wait()
	return seen.live, err
}

// scope is where to list a kind: in one namespace, when all its objects are there, which a tenant may do and which
// costs the server less; else in all.
type scope struct {
	kind      kind
	namespace string
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
			s = scope{k, namespace}
		case s.namespace != namespace:
			s.namespace = ""
		}
		all[key] = s
	}
	for i, d := range p.desired {
		add(p.kind[i], d.Item.Namespace)
	}
	for _, item := range inv.Items {
		if k, ok := p.kinds.of(item); ok {
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
	set       Set
	mu        sync.Mutex // guards live and forbidden
	live      map[ID]Live
	forbidden map[string]bool // collections that may not be listed: their objects are looked up one by one
}

func newObserved(set Set) *observed {
	return &observed{set: set, live: map[ID]Live{}, forbidden: map[string]bool{}}
}

func (s *observed) put(id ID, l Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[id] = l
}

func (s *observed) has(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live[id]
	return ok
}

func (s *observed) unlisted(k kind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forbidden[k.collection("")]
}

// list reads the metadata of all objects of a kind that carry the set's label, page by page.
func (c *Cluster) list(ctx context.Context, where scope, set Set, seen *observed) error {
	k := where.kind
	params := map[string]string{"labelSelector": ownerLabel + "=" + set.label(), "limit": "500"}
	for {
		a, err := c.send(ctx, request{verb: http.MethodGet, path: where.address(), accept: acceptList, params: params})
		switch {
		case apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
			return nil // the kind went away with its CRD
		case apierrors.IsForbidden(err):
			seen.mu.Lock()
			seen.forbidden[k.collection("")] = true
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
			seen.put(ID{Group: k.group, Kind: k.kind, Namespace: m.Namespace, Name: m.Name}, liveOf(m, set))
		}
		if page.Continue == "" {
			return nil
		}
		params["continue"] = page.Continue
	}
}

// look reads the metadata of one object.
func (c *Cluster) look(ctx context.Context, id ID, k kind, desired bool, seen *observed) error {
	m, err := c.metadata(ctx, k.object(id.Namespace, url.PathEscape(id.Name)))
	switch {
	case apierrors.IsNotFound(err):
		seen.put(id, Live{})
		return nil
	case desired && apierrors.IsForbidden(err):
		return nil // the apply itself says what may not be done
	case err != nil:
		item := Item{ID: id, Version: k.version}
		return &ObjectError{Ref: item.Ref(), Err: c.wrap(explain(err, item.Ref(), k.isSecret()))}
	}
	seen.put(id, liveOf(m, seen.set))
	return nil
}

func liveOf(m *metav1.PartialObjectMetadata, set Set) Live {
	return Live{
		Found: true, UID: m.UID, ResourceVersion: m.ResourceVersion, Ours: m.Labels[ownerLabel] == set.label(),
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
