package k8s

import (
	"cmp"
	"slices"
	"time"

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
	// Healthy tells that it was Current when the set was last waited for, and has not been sent since.
	Healthy bool `json:"healthy,omitempty"`
	// Recalled tells that nothing but its label says that the set made it: another Mooring may have, with a set of the same
	// name. It is so until the set sends it.
	Recalled bool `json:"recalled,omitempty"`
}

// Ref names the item as reports do.
func (i Item) Ref() string { return ref(i.apiVersion(), i.Kind, i.Namespace, i.Name) }

func (i Item) apiVersion() string {
	if i.Group == "" {
		return i.Version
	}
	return i.Group + "/" + i.Version
}

// Inventory is what a set put into one cluster, sorted by identity. The zero value is that of a set that nothing is known of.
type Inventory struct {
	Items   []Item `json:"items"`
	Cluster string `json:"cluster,omitempty"` // identity of the cluster; "" where it may not be asked
	// Verified is when every object was last compared with what the server itself makes of it, and Epoch what the
	// server was then.
	Verified time.Time `json:"verified,omitzero"`
	Epoch    string    `json:"epoch,omitempty"`
	// Source is the digest of what was rendered, where all of it was applied and healthy.
	Source string `json:"source,omitempty"`
}

// with is the inventory with other items.
func (inv Inventory) with(items map[ID]Item) Inventory {
	inv.Items = make([]Item, 0, len(items))
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
