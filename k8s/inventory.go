package k8s

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// ID is what an object is in a cluster, in whatever version it is written.
type ID struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// Item is one object that a set put into a cluster.
type Item struct {
	ID
	Version string    `json:"version"`       // the API version it was last applied in
	UID     types.UID `json:"uid,omitempty"` // empty: about to be made, or made by a run that did not live to say so
	// Applied is a fingerprint of what was sent and of what the server then recorded as ours. Equal on both
	// sides means that an apply would change nothing. Empty: not known.
	Applied string `json:"applied,omitempty"`
}

// Ref names the item as reports do.
func (i Item) Ref() string { return ref(i.apiVersion(), i.Kind, i.Namespace, i.Name) }

func (i Item) apiVersion() string {
	if i.Group == "" {
		return i.Version
	}
	return i.Group + "/" + i.Version
}

// Inventory is what a set put into one cluster, sorted by identity. The zero value is an empty one.
type Inventory struct {
	Items []Item `json:"items"`
}

// newInventory sorts items and keeps the last of equal ones.
func newInventory(items map[ID]Item) Inventory {
	inv := Inventory{Items: make([]Item, 0, len(items))}
	for _, item := range items {
		inv.Items = append(inv.Items, item)
	}
	slices.SortFunc(inv.Items, func(a, b Item) int { return compareIDs(a.ID, b.ID) })
	return inv
}

func (inv Inventory) byID() map[ID]Item {
	m := make(map[ID]Item, len(inv.Items))
	for _, item := range inv.Items {
		m[item.ID] = item
	}
	return m
}

func compareIDs(a, b ID) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
