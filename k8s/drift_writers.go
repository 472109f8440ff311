package k8s

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// writers tell from an object's managedFields who wrote which field.
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management)
type writers struct {
	live    map[string]any
	entries []metav1.ManagedFieldsEntry
	fields  []map[string]any // beside entries
}

func newWriters(live map[string]any) *writers {
	w := &writers{live: live}
	for _, e := range (&unstructured.Unstructured{Object: live}).GetManagedFields() {
		var fields map[string]any
		if e.FieldsV1 != nil && json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields) == nil {
			w.entries, w.fields = append(w.entries, e), append(w.fields, fields)
		}
	}
	return w
}

func isOurs(e metav1.ManagedFieldsEntry) bool {
	return e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == ""
}

// of is who wrote the field last: of several the newest, and Mooring itself only where nobody else is recorded. Nobody is for a field
// that is not there.
func (w *writers) of(path []step) (by metav1.ManagedFieldsEntry, known bool) {
	for i, e := range w.entries {
		if !owns(w.fields[i], w.live, path) {
			continue
		}
		switch {
		case !known, isOurs(by) && !isOurs(e):
			by, known = e, true
		case !isOurs(e) && e.Time != nil && (by.Time == nil || by.Time.Before(e.Time)):
			by = e
		}
	}
	return by, known
}

// isMooring tells whether the field is recorded as applied by us.
func (w *writers) isMooring(path []step) bool {
	for i, e := range w.entries {
		if isOurs(e) && owns(w.fields[i], w.live, path) {
			return true
		}
	}
	return false
}

// owns tells whether a record of fields has the one at the path, or what it lies in as one value.
func owns(fields map[string]any, live any, path []step) bool {
	for n, at := range path {
		if n > 0 && len(fields) == 0 {
			return live != nil // all below is one value
		}
		var ok bool
		if at.item == "" {
			m, _ := live.(map[string]any)
			if live, ok = m[at.field]; !ok {
				return false
			}
			if fields, ok = fields["f:"+at.field].(map[string]any); !ok {
				return false
			}
			continue
		}
		item, there := itemAt(live, at)
		if !there {
			return false
		}
		if fields, ok = fieldsOf(itemFields(fields), item); !ok {
			return false
		}
		live = item
	}
	return true
}

// itemAt finds the item of a list that a step names.
func itemAt(list any, at step) (map[string]any, bool) {
	items, _ := list.([]any)
	for _, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		for _, key := range keyCandidates {
			if itemStep(key, m) == at {
				return m, true
			}
		}
	}
	return nil, false
}
