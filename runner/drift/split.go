package drift

import (
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
)

// split says which attributes of a resource are out of band, from what they were to what they are; and which are
// planned to change for another reason, from what they are to what they will be. Either change can be nil.
func split(planned, drifted *tfjson.ResourceChange, relevant func(path []any) bool) (kept, rest []difference) {
	var secrets []any
	for _, rc := range []*tfjson.ResourceChange{planned, drifted} {
		if rc != nil {
			secrets = append(secrets, rc.Change.BeforeSensitive, rc.Change.AfterSensitive)
		}
	}
	var plan []difference
	if planned != nil && changes(action(planned.Change.Actions)) {
		plan = differences(object{value: planned.Change.Before}, object{planned.Change.After, planned.Change.AfterUnknown}, secrets)
	}
	surely, all := pathsOf(plan, known), pathsOf(plan, nil)
	if drifted != nil {
		for _, d := range differences(object{value: drifted.Change.Before}, object{value: drifted.Change.After}, secrets) {
			// What an update computes again says nothing, as long as there is something else that the update is for.
			// Nor does null in place of an empty value, which many providers read back.
			if relevant(d.path) && !(empty(d.old) && empty(d.new)) || surely.touch(d.path) || len(surely.ends) == 0 && all.touch(d.path) {
				kept = append(kept, d)
			}
		}
	}
	gone := pathsOf(kept, nil)
	for _, p := range plan {
		if !gone.touch(p.path) {
			rest = append(rest, p)
		}
	}
	// What is computed in consequence of something else is not worth a line.
	if len(kept) > 0 || slices.ContainsFunc(rest, known) {
		rest = slices.DeleteFunc(rest, func(d difference) bool { return d.unknown })
	}
	return kept, rest
}

func known(d difference) bool { return !d.unknown }

// touch reports whether one path leads to or through the other.
func touch(a, b []any) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

// paths are paths by their text, and all that leads to them, so that many can be looked up among many.
type paths struct{ ends, through map[string]bool }

// pathsOf are the paths of those differences that are picked; nil picks all.
func pathsOf(all []difference, picked func(difference) bool) paths {
	out := paths{map[string]bool{}, map[string]bool{}}
	for _, d := range all {
		if picked == nil || picked(d) {
			for i := range d.path {
				out.through[written(d.path[:i])] = true
			}
			out.ends[written(d.path)] = true
		}
	}
	return out
}

// touch reports whether a path leads to or through one of these.
func (p paths) touch(path []any) bool {
	if len(p.ends) == 0 {
		return false
	}
	for i := range path {
		if p.ends[written(path[:i])] {
			return true
		}
	}
	w := written(path)
	return p.ends[w] || p.through[w]
}

// empty reports whether a value is none, or one that providers often mean none by.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
