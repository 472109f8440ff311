package k8s

import (
	"fmt"
	"reflect"
)

// Diff is what would change of one object: as data, and as text for people. Nothing in it comes from the fields
// that a cluster writes by itself, nothing in it is a value of a Secret.
type Diff struct {
	Changes []FieldChange `json:"changes,omitempty"` // none for an object that would be created: Text shows it whole
	// Text is YAML in the unified form: lines that start with "-", "+" or " ", in sections headed by
	// "@@ path @@". Multi-line strings stand as block scalars, so that they differ line by line.
	Text string `json:"text,omitempty"`
	Note string `json:"note,omitempty"` // what the rest does not tell: how it was found, what was cut
	// Adopts: the object carries no label of the set yet. With no Changes beside it, becoming part of the set is
	// all that would happen.
	Adopts bool `json:"adopts,omitempty"`
}

// FieldOp is what happens to a field.
type FieldOp string

// What happens to fields. Doing all changes of a Diff in their order to the old object gives the new one.
const (
	FieldAdd     FieldOp = "add"
	FieldRemove  FieldOp = "remove"
	FieldReplace FieldOp = "replace"
	FieldReorder FieldOp = "reorder" // the items of a list: Old and New are their keys in order
)

// FieldChange is one field that differs. Items of a list are named by what tells them apart, where something
// does: spec.template.spec.containers[name=web].image. Other lists are compared as one value.
type FieldChange struct {
	Path string  `json:"path"`
	Op   FieldOp `json:"op"`
	Old  any     `json:"old,omitempty"`
	New  any     `json:"new,omitempty"`
	At   int     `json:"at,omitempty"` // for an added item of a list: its index in the new list, from 0

	steps []step // Path, taken apart
}

// diffObjects compares an object as it is with what it would become. live nil means that it is not there yet.
// With hide no value of either is shown, for a Secret none of its data and annotations. Neither object is
// written to, and nothing of them is kept but single values.
func diffObjects(live, merged map[string]any, hide bool) *Diff {
	d := &Diff{}
	if live != nil {
		d.Adopts = labelOf(live, ownerLabel) != labelOf(merged, ownerLabel)
		live = withoutNoise(live)
	}
	merged = withoutNoise(merged)
	live, merged = masked(live, merged, hide)
	if live == nil {
		d.Text = allAdded(printYAML(merged))
		return d
	}
	d.Changes = diffValues(nil, nil, live, merged)
	if len(d.Changes) > 0 {
		d.Text = unified(printYAML(live), printYAML(merged))
	}
	return d
}

// diffValues lists what differs below the path at.
func diffValues(changes []FieldChange, at []step, old, new any) []FieldChange {
	if reflect.DeepEqual(old, new) {
		return changes
	}
	switch o := old.(type) {
	case map[string]any:
		if n, ok := new.(map[string]any); ok {
			return diffMaps(changes, at, o, n)
		}
	case []any:
		if n, ok := new.([]any); ok {
			if key := mergeKey(o, n); key != nil {
				return diffLists(changes, at, key, o, n)
			}
		}
	}
	return append(changes, change(at, FieldReplace, old, new))
}

func diffMaps(changes []FieldChange, at []step, old, new map[string]any) []FieldChange {
	for _, k := range keysOfAll(old, new) {
		here := below(at, step{field: k})
		o, was := old[k]
		n, is := new[k]
		switch {
		case !is:
			changes = append(changes, change(here, FieldRemove, o, nil))
		case !was:
			changes = append(changes, change(here, FieldAdd, nil, n))
		default:
			changes = diffValues(changes, here, o, n)
		}
	}
	return changes
}

// diffLists compares two lists whose items key tells apart.
func diffLists(changes []FieldChange, at []step, key []string, old, new []any) []FieldChange {
	before, after := keyed(key, old), keyed(key, new)
	var stayed []string
	for _, item := range old {
		s := itemStep(key, item)
		if _, is := after[s.item]; is {
			stayed = append(stayed, s.item)
			continue
		}
		changes = append(changes, change(below(at, s), FieldRemove, item, nil))
	}
	var order, stay []string
	for i, item := range new {
		s := itemStep(key, item)
		order = append(order, s.item)
		if was, ok := before[s.item]; ok {
			stay = append(stay, s.item)
			changes = diffValues(changes, below(at, s), was, item)
			continue
		}
		c := change(below(at, s), FieldAdd, nil, item)
		c.At = i
		changes = append(changes, c)
	}
	if !reflect.DeepEqual(stayed, stay) {
		changes = append(changes, change(at, FieldReorder, stayed, order))
	}
	return changes
}

func change(at []step, op FieldOp, old, new any) FieldChange {
	return FieldChange{Path: pathText(at), Op: op, Old: old, New: new, steps: at}
}

// below is the path at with one more step. It is a slice of its own: changes keep theirs.
func below(at []step, s step) []step {
	return append(at[:len(at):len(at)], s)
}

// labelOf is one label of an object; "" when it has none.
func labelOf(o map[string]any, name string) string {
	meta, _ := o["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	if v := labels[name]; v != nil {
		return fmt.Sprint(v)
	}
	return ""
}
