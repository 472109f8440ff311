package engine

import "maps"

// lastApplied is where kubectl keeps a copy of an object, data of Secrets included.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// maskSecret is an object with "(sensitive)" for each value of a Secret's data. Keys stay. What is not a Secret, and is
// no list of some, is the object itself; what is changed is a copy.
func maskSecret(o map[string]any) map[string]any {
	if o == nil {
		return nil
	}
	if items, ok := o["items"].([]any); ok {
		return maskItems(o, items)
	}
	if o["kind"] != "Secret" {
		return o
	}
	masked := maps.Clone(o)
	for _, field := range []string{"data", "stringData"} {
		switch values := o[field].(type) {
		case nil:
		case map[string]any:
			hidden := make(map[string]any, len(values))
			for key := range values {
				hidden[key] = Sensitive
			}
			masked[field] = hidden
		default:
			masked[field] = Sensitive
		}
	}
	metadata, _ := o["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	if annotations[lastApplied] != nil {
		annotations = maps.Clone(annotations)
		annotations[lastApplied] = Sensitive
		metadata = maps.Clone(metadata)
		metadata["annotations"] = annotations
		masked["metadata"] = metadata
	}
	return masked
}

func maskItems(o map[string]any, items []any) map[string]any {
	hidden := make([]any, len(items))
	for i, item := range items {
		hidden[i] = item
		if inner, ok := item.(map[string]any); ok {
			hidden[i] = maskSecret(inner)
		}
	}
	masked := maps.Clone(o)
	masked["items"] = hidden
	return masked
}
