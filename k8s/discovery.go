package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kinds is what a cluster serves.
type kinds struct {
	by        map[schema.GroupVersionKind]kind
	preferred map[schema.GroupKind]kind // the first version the server lists
	stale     []string                  // groups whose API service does not answer
}

// acceptDiscovery asks for all resources in two requests; the second form is for servers before 1.30.
const acceptDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," +
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"

// apiGroups is the part of apidiscovery.k8s.io APIGroupDiscoveryList that is read here. (Its Go types would
// bring typed clients and protobuf descriptors into the binary.)
type apiGroups struct {
	Kind  string `json:"kind"`
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Versions []struct {
			Version   string `json:"version"`
			Freshness string `json:"freshness"`
			Resources []struct {
				Resource     string                   `json:"resource"`
				Scope        string                   `json:"scope"`
				Verbs        []string                 `json:"verbs"`
				ResponseKind *schema.GroupVersionKind `json:"responseKind"`
			} `json:"resources"`
		} `json:"versions"`
	} `json:"items"`
}

// discover asks the server for its kinds: two requests.
func (c *Cluster) discover(ctx context.Context) (*kinds, error) {
	k := &kinds{by: map[schema.GroupVersionKind]kind{}, preferred: map[schema.GroupKind]kind{}}
	for _, path := range []string{"/api", "/apis"} {
		a, err := c.send(ctx, request{verb: http.MethodGet, path: path, accept: acceptDiscovery})
		if err != nil {
			return nil, c.wrap(explain(err, "the cluster's kinds", false))
		}
		var groups apiGroups
		if err := json.Unmarshal(a.body, &groups); err != nil {
			return nil, fmt.Errorf("read the cluster's kinds: %w", err)
		}
		if groups.Kind != "APIGroupDiscoveryList" {
			return nil, fmt.Errorf("cluster %s: the server does not publish its kinds in one document; Kubernetes 1.27 or later is needed", c.name)
		}
		k.add(groups)
	}
	return k, nil
}

func (k *kinds) add(groups apiGroups) {
	for _, g := range groups.Items {
		for _, v := range g.Versions {
			if v.Freshness == "Stale" && !slices.Contains(k.stale, g.Metadata.Name) {
				k.stale = append(k.stale, g.Metadata.Name)
			}
			for _, r := range v.Resources {
				if r.ResponseKind == nil {
					continue
				}
				k.put(kind{group: g.Metadata.Name, version: v.Version, kind: r.ResponseKind.Kind, resource: r.Resource,
					namespaced: r.Scope == "Namespaced", verbs: r.Verbs})
			}
		}
	}
}

// put adds a kind unless the same one is known already.
func (k *kinds) put(r kind) {
	gvk := schema.GroupVersionKind{Group: r.group, Version: r.version, Kind: r.kind}
	if _, known := k.by[gvk]; !known {
		k.by[gvk] = r
	}
	if _, known := k.preferred[gvk.GroupKind()]; !known {
		k.preferred[gvk.GroupKind()] = r
	}
}

// with adds the kinds that the CRDs among the objects define and the server does not serve yet.
func (k *kinds) with(objects []Object) *kinds {
	all := &kinds{by: map[schema.GroupVersionKind]kind{}, preferred: map[schema.GroupKind]kind{}, stale: k.stale}
	for gvk, r := range k.by {
		all.by[gvk] = r
	}
	for gk, r := range k.preferred {
		all.preferred[gk] = r
	}
	for _, o := range objects {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		scope, _, _ := unstructured.NestedString(o.Object, "spec", "scope")
		name, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		plural, _, _ := unstructured.NestedString(o.Object, "spec", "names", "plural")
		for _, v := range crdVersions(o) {
			version, _, _ := unstructured.NestedString(v, "name")
			if served, set, _ := unstructured.NestedBool(v, "served"); set && !served {
				continue
			}
			all.put(kind{group: group, version: version, kind: name, resource: plural, namespaced: scope == "Namespaced", fresh: true,
				verbs: []string{"get", "list", "watch", "patch", "delete"}})
		}
	}
	return all
}

func crdVersions(crd Object) []map[string]any {
	list, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	var versions []map[string]any
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			versions = append(versions, m)
		}
	}
	return versions
}

// of finds the kind of an inventory item: in its own version, else in the one the server prefers.
func (k *kinds) of(item Item) (kind, bool) {
	if r, ok := k.by[schema.GroupVersionKind{Group: item.Group, Version: item.Version, Kind: item.Kind}]; ok {
		return r, true
	}
	r, ok := k.preferred[schema.GroupKind{Group: item.Group, Kind: item.Kind}]
	return r, ok
}

// kindsFor returns the cluster's kinds together with those the objects define. What is cached is asked for again
// when an object, or an item of the inventory, is of a kind it does not hold: to forget an item because its kind looks gone
// would leave the object behind.
func (c *Cluster) kindsFor(ctx context.Context, objects []Object, held []Item) (*kinds, error) {
	c = c.base // kinds are the same for everybody
	c.mu.Lock()
	cached := c.kinds
	c.mu.Unlock()
	if cached != nil {
		all := cached.with(objects)
		if !slices.ContainsFunc(objects, func(o Object) bool {
			k, ok := all.by[o.gvk()]
			return !ok || k.fresh
		}) && !slices.ContainsFunc(held, func(item Item) bool {
			_, ok := all.of(item)
			return !ok || slices.Contains(all.stale, item.Group)
		}) {
			return all, nil
		}
	}
	fresh, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.kinds = fresh
	c.mu.Unlock()
	return fresh.with(objects), nil
}
