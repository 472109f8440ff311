package k8s

import (
	"encoding/json"
	"fmt"
	"strings"
)

// ownPart is as much of a live object as a set has a say in: the fields that it applied before, as the server
// records them, and those that it wants now. Compared with what is wanted it tells what would change where the
// server cannot be asked, and leaves out what others and defaults have put there.
func ownPart(live, desired map[string]any) map[string]any {
	part, _ := project(live, desired, true, ownedFields(live)).(map[string]any)
	return part
}

// ownedFields is the server's record of the fields that were applied by us, in its own form
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management): "f:name" is a field,
// `k:{"name":"x"}` an item of a list by its key, "." the thing itself.
func ownedFields(live map[string]any) map[string]any {
	meta, _ := live["metadata"].(map[string]any)
	entries, _ := meta["managedFields"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		if entry["manager"] == manager && entry["operation"] == "Apply" && (entry["subresource"] == nil || entry["subresource"] == "") {
			fields, _ := entry["fieldsV1"].(map[string]any)
			return fields
		}
	}
	return nil
}

// project keeps of live what is desired or owned. owned nil means that nothing below is, and an empty one that live
// is owned as one value.
func project(live, desired any, wanted bool, owned map[string]any) any {
	if owned != nil && len(owned) == 0 {
		return live
	}
	switch l := live.(type) {
	case map[string]any:
		d, isMap := desired.(map[string]any)
		if wanted && !isMap {
			return live
		}
		part := map[string]any{}
		for k, v := range l {
			want, wanted := d[k]
			fields, ours := owned["f:"+k].(map[string]any)
			if wanted || ours {
				part[k] = project(v, want, wanted, fields)
			}
		}
		return part
	case []any:
		d, isList := desired.([]any)
		if wanted && !isList {
			return live
		}
		return projectList(l, d, owned)
	}
	return live
}

// projectList keeps the items that are desired or owned. A list whose items nothing tells apart is one value.
func projectList(live, desired []any, owned map[string]any) any {
	byKey := map[string]any{}
	key := mergeKey(live, desired)
	if key != nil {
		byKey = keyed(key, desired)
	}
	if key == nil {
		return live
	}
	items := itemFields(owned)
	part := []any{}
	for _, item := range live {
		want, wanted := byKey[itemStep(key, item).item]
		fields, ours := fieldsOf(items, item)
		if wanted || ours {
			part = append(part, project(item, want, wanted, fields))
		}
	}
	return part
}

// itemFields are the items of a list that a record of owned fields names.
func itemFields(owned map[string]any) []itemOwner {
	var items []itemOwner
	for k, v := range owned {
		text, ok := strings.CutPrefix(k, "k:")
		fields, _ := v.(map[string]any)
		var key map[string]any
		if ok && json.Unmarshal([]byte(text), &key) == nil {
			items = append(items, itemOwner{key, fields})
		}
	}
	return items
}

type itemOwner struct{ key, fields map[string]any }

func fieldsOf(items []itemOwner, item any) (map[string]any, bool) {
	m, _ := item.(map[string]any)
	for _, o := range items {
		fits := true
		for k, v := range o.key {
			if fmt.Sprint(m[k]) != fmt.Sprint(v) {
				fits = false
			}
		}
		if fits {
			return o.fields, true
		}
	}
	return nil, false
}
