package comment

import (
	"encoding/json"
	"reflect"
)

// side is a value before or after, with what Terraform says of it beside it.
type side struct {
	v         any
	sensitive any // true, or what below it is
	unknown   any // true, or what below it is
}

// at is the value below a key or an index.
func (s side) at(k any) side {
	out := side{sensitive: below(s.sensitive, k), unknown: below(s.unknown, k)}
	switch v := s.v.(type) {
	case map[string]any:
		out.v = v[k.(string)]
	case []any:
		if i := k.(int); i < len(v) {
			out.v = v[i]
		}
	}
	return out
}

// below is a mark of what is below a key. What is no mark that we know marks all.
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

// masked reports whether a value must not be shown: it is marked, or it is a single
// value where something below it is marked.
func (s side) masked() bool {
	switch s.v.(type) {
	case map[string]any:
		_, fits := s.sensitive.(map[string]any)
		return !fits && marked(s.sensitive)
	case []any:
		_, fits := s.sensitive.([]any)
		return !fits && marked(s.sensitive)
	}
	return marked(s.sensitive)
}

// isUnknown reports whether a value is not known as a whole.
func (s side) isUnknown() bool {
	switch s.v.(type) {
	case map[string]any, []any:
		b, _ := s.unknown.(bool)
		return b
	}
	return marked(s.unknown)
}

// absent reports whether there is nothing to say of a value.
func (s side) absent() bool { return s.v == nil && !marked(s.unknown) }

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
		for _, v := range m {
			if marked(v) {
				return true
			}
		}
		return false
	}
	return true
}

// same reports whether nothing changes, the marks of what is sensitive included.
func same(b, a side) bool {
	return !marked(a.unknown) && reflect.DeepEqual(b.v, a.v) && sameMarks(b.sensitive, a.sensitive)
}

// sameMarks compares marks: none, false and an empty object are the same.
func sameMarks(x, y any) bool {
	if !marked(x) || !marked(y) {
		return marked(x) == marked(y)
	}
	switch x := x.(type) {
	case map[string]any:
		y, ok := y.(map[string]any)
		if !ok {
			return false
		}
		for k := range x {
			if !sameMarks(x[k], y[k]) {
				return false
			}
		}
		for k := range y {
			if _, both := x[k]; !both && marked(y[k]) {
				return false
			}
		}
		return true
	case []any:
		y, ok := y.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameMarks(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(x, y)
}

// canonical is a value as text that is the same for equal values.
func canonical(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error() // of values read from JSON there is none
	}
	return string(raw)
}
