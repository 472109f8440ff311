package drift

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// relevant are the attributes on which something in a plan depends, by the address of their resource.
type relevant map[string][][]any

func relevantOf(all []tfjson.ResourceAttribute) relevant {
	out := relevant{}
	for _, a := range all {
		path := make([]any, 0, len(a.Attribute))
		for _, raw := range a.Attribute {
			var s any
			if json.Unmarshal(raw, &s) != nil {
				break // a shorter path leads to more: it hides nothing
			}
			path = append(path, index(s))
		}
		out[a.Resource] = append(out[a.Resource], path)
	}
	return out
}

// index is a step of a path as a plan has it: its numbers are whole.
func index(s any) any {
	switch n := s.(type) {
	case float64:
		return int(n)
	case json.Number:
		if i, err := strconv.Atoi(n.String()); err == nil {
			return i
		}
	}
	return s
}

// touch reports whether something depends on an attribute.
func (r relevant) touch(rc *tfjson.ResourceChange, path []any) bool {
	return slices.ContainsFunc(r.of(rc), func(p []any) bool { return touch(p, path) })
}

// any reports whether something depends on a resource.
func (r relevant) any(rc *tfjson.ResourceChange) bool { return len(r.of(rc)) > 0 }

// of are the paths of one instance, those that are said of all instances of its resource among them.
func (r relevant) of(rc *tfjson.ResourceChange) [][]any {
	own := r[rc.Address]
	if base := resourceOf(rc); base != rc.Address {
		return append(own[:len(own):len(own)], r[base]...)
	}
	return own
}

// resourceOf is the address of an instance without its key.
func resourceOf(rc *tfjson.ResourceChange) string {
	if rc.Index == nil || rc.Name == "" {
		return rc.Address
	}
	base := rc.Type + "." + rc.Name
	if rc.ModuleAddress != "" {
		base = rc.ModuleAddress + "." + base
	}
	if !strings.HasPrefix(rc.Address, base) {
		return rc.Address
	}
	return base
}
