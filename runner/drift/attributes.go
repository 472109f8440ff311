package drift

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
)

// difference is one attribute that differs between two objects.
type difference struct {
	path    []any // string for a key, int for an index
	old     any
	new     any
	unknown bool // new is only known after an apply
	secret  bool // old or new must not be shown
}

// object is what a plan says of a resource at one time.
type object struct {
	value   any
	unknown any // true, or what below it is
}

// differences are the attributes in which one object becomes another, sorted by path. Objects are entered where both
// sides have one, lists only where both have as many objects and no more than the elements of the same index can
// differ: of another list it is not known which element became which, so that it is one attribute. Nor is anything
// entered that is marked secret as a whole; a value with something secret in it is secret as a whole.
func differences(old, new object, secrets []any) []difference {
	var out []difference
	compare(nil, old, new, secrets, &out)
	return out
}

func compare(path []any, old, new object, secrets []any, out *[]difference) {
	whole, _ := new.unknown.(bool)
	// The names of attributes are no secret, even where all of a resource is.
	open := !whole && (len(path) == 0 || !slices.ContainsFunc(secrets, opaque))
	o, isMap := old.value.(map[string]any)
	if n, ok := new.value.(map[string]any); ok && isMap && open {
		compareKeys(path, o, n, new.unknown, secrets, out)
		return
	}
	if !marked(new.unknown) && reflect.DeepEqual(old.value, new.value) {
		return
	}
	if o, ok := old.value.([]any); ok && open {
		if n, ok := new.value.([]any); ok && pairs(o, n) {
			for i := range o {
				compare(step(path, i), object{value: o[i]}, object{n[i], below(new.unknown, i)}, belowAll(secrets, i), out)
			}
			return
		}
	}
	d := difference{path: path, old: old.value, new: new.value, secret: slices.ContainsFunc(secrets, marked)}
	if marked(new.unknown) {
		d.new, d.unknown = nil, true
	}
	if d.old == nil && d.new == nil && !d.unknown {
		return
	}
	*out = append(*out, d)
}

func compareKeys(path []any, old, new map[string]any, unknown any, secrets []any, out *[]difference) {
	un, _ := unknown.(map[string]any)
	keys := make([]string, 0, len(old)+len(new)+len(un))
	for _, m := range []map[string]any{old, new, un} {
		keys = slices.AppendSeq(keys, maps.Keys(m))
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if x, ok := old[k].(string); ok && x == new[k] && !marked(below(unknown, k)) {
			continue // most of what there is
		}
		compare(step(path, k), object{value: old[k]}, object{new[k], below(unknown, k)}, belowAll(secrets, k), out)
	}
}

// pairs reports whether elements of the same index in two lists are the same thing.
func pairs(old, new []any) bool {
	if len(old) != len(new) {
		return false
	}
	for i := range old {
		_, x := old[i].(map[string]any)
		_, y := new[i].(map[string]any)
		if !x || !y {
			return false
		}
	}
	// Of a set, one element that is put in shifts those behind it: then one and the same stands at two places.
	for i := range old {
		for j := range new {
			if i != j && len(old) <= mostPaired && reflect.DeepEqual(old[i], new[j]) && !reflect.DeepEqual(old[i], new[i]) {
				return false
			}
		}
	}
	return len(old) <= mostPaired
}

// mostPaired is how many elements a list may have to be entered: the time to pair them grows with their square.
const mostPaired = 64

// step is a path with one more step, in memory of its own.
func step(path []any, s any) []any { return append(path[:len(path):len(path)], s) }

// below is a mark of what is below a key or an index. What is no mark that we know marks all.
func below(m any, k any) any {
	switch m := m.(type) {
	case nil:
		return nil
	case bool:
		return m
	case map[string]any:
		if s, ok := k.(string); ok {
			return m[s]
		}
	case []any:
		if i, ok := k.(int); ok {
			if i < len(m) {
				return m[i]
			}
			return nil
		}
	}
	return true
}

func belowAll(marks []any, k any) []any {
	var out []any
	for _, m := range marks {
		if b := below(m, k); marked(b) {
			out = append(out, b)
		}
	}
	return out
}

// marked reports whether anything is marked.
func marked(m any) bool {
	switch m := m.(type) {
	case nil:
		return false
	case bool:
		return m
	case map[string]any:
		for _, v := range m {
			if marked(v) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(m, marked)
	}
	return true
}

// opaque reports whether a mark is of a value as a whole.
func opaque(m any) bool {
	switch m := m.(type) {
	case map[string]any, []any:
		return false
	case bool:
		return m
	}
	return m != nil
}

var bareKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// written is a path as people write it: tags.Owner, rule[0].port, tags["kubernetes.io/role"].
func written(path []any) string {
	out := ""
	for _, s := range path {
		switch s := s.(type) {
		case int:
			out += "[" + strconv.Itoa(s) + "]"
		case string:
			switch {
			case !bareKey.MatchString(s):
				out += "[" + strconv.Quote(s) + "]"
			case out == "":
				out = s
			default:
				out += "." + s
			}
		default:
			out += fmt.Sprintf("[%v]", s)
		}
	}
	return out
}
