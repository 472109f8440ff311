package comment

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	sensitive = "(sensitive value)"
	later     = "(known after apply)"
)

// writer writes values, a line for each, under the mark of what is done to it.
type writer struct {
	b        *strings.Builder
	replaces map[string]bool // paths that force a replacement
}

func (w *writer) line(mark string, depth int, text string) {
	w.b.WriteString(mark)
	w.b.WriteByte(' ')
	for range depth {
		w.b.WriteString("    ")
	}
	w.b.WriteString(text)
	w.b.WriteByte('\n')
}

// object writes what differs between two objects, key by key, and counts the rest.
func (w *writer) object(depth int, path []any, before, after side) {
	if before.v != nil && before.masked() || after.v != nil && after.masked() {
		w.line("!", depth, sensitive)
		return
	}
	b, _ := before.v.(map[string]any)
	a, _ := after.v.(map[string]any)
	un, _ := after.unknown.(map[string]any)
	keys := map[string]bool{}
	for _, m := range []map[string]any{b, a, un} {
		for k := range m {
			keys[k] = true
		}
	}
	var show []string
	hidden, wide := 0, 0
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		x, y := before.at(k), after.at(k)
		if x.absent() && y.absent() {
			continue
		}
		if same(x, y) {
			hidden++
			continue
		}
		show = append(show, k)
		if !nested(x, y) {
			wide = max(wide, len(key(k)))
		}
	}
	for _, k := range show {
		x, y := before.at(k), after.at(k)
		name := key(k)
		if !nested(x, y) {
			name = pad(name, wide)
		}
		w.value(depth, name+" = ", append(path[:len(path):len(path)], k), x, y)
	}
	w.hidden(depth, hidden, "attribute")
}

func (w *writer) hidden(depth, n int, what string) {
	if n > 0 {
		w.line(" ", depth, fmt.Sprintf("# (%s unchanged)", things(n, what)))
	}
}

// nested reports whether a pair of values takes lines of its own.
func nested(x, y side) bool {
	for _, s := range []side{x, y} {
		switch s.v.(type) {
		case map[string]any, []any:
			return true
		}
	}
	return false
}

// value writes a pair of values that differ.
func (w *writer) value(depth int, name string, path []any, before, after side) {
	forces := ""
	if path != nil && w.replaces[pathKey(path)] {
		forces = "  # forces the replacement"
	}
	switch {
	case before.absent():
		w.one("+", depth, name, after, forces)
		return
	case after.absent():
		w.one("-", depth, name, before, forces)
		return
	case before.masked() || after.masked():
		switch was, is := marked(before.sensitive), marked(after.sensitive); {
		case was && !is:
			forces += "  # no longer sensitive"
		case is && !was:
			forces += "  # becomes sensitive"
		}
		w.line("!", depth, name+sensitive+forces)
		return
	case after.isUnknown():
		w.line("!", depth, name+inline(before)+" -> "+later+forces)
		return
	}
	switch b := before.v.(type) {
	case map[string]any:
		if _, ok := after.v.(map[string]any); ok {
			w.line("!", depth, name+"{"+forces)
			w.object(depth+1, path, before, after)
			w.line("!", depth, "}")
			return
		}
	case []any:
		if _, ok := after.v.([]any); ok {
			w.line("!", depth, name+"["+forces)
			w.list(depth+1, path, before, after)
			w.line("!", depth, "]")
			return
		}
	case string:
		if a, ok := after.v.(string); ok {
			w.text(depth, name, b, a, forces)
			return
		}
	}
	if nested(before, after) {
		w.one("-", depth, name, before, "")
		w.one("+", depth, name, after, forces)
		return
	}
	w.line("!", depth, name+inline(before)+" -> "+inline(after)+forces)
}

// one writes a value that is on one side only.
func (w *writer) one(mark string, depth int, name string, s side, comment string) {
	if s.masked() {
		w.line(mark, depth, name+sensitive+comment)
		return
	}
	if s.isUnknown() {
		w.line(mark, depth, name+later+comment)
		return
	}
	switch v := s.v.(type) {
	case map[string]any:
		un, _ := s.unknown.(map[string]any)
		if len(v) == 0 && len(un) == 0 {
			w.line(mark, depth, name+"{}"+comment)
			return
		}
		w.line(mark, depth, name+"{"+comment)
		w.whole(mark, depth+1, s)
		w.line(mark, depth, "}")
	case []any:
		if len(v) == 0 {
			w.line(mark, depth, name+"[]"+comment)
			return
		}
		w.line(mark, depth, name+"["+comment)
		for i := range v {
			w.one(mark, depth+1, "", s.at(i), "")
		}
		w.line(mark, depth, "]")
	case string:
		if j, ok := fromJSON(v); ok {
			w.line(mark, depth, name+"jsonencode("+comment)
			w.one(mark, depth+1, "", side{v: j}, "")
			w.line(mark, depth, ")")
			return
		}
		lines := heredoc(v)
		if lines == nil {
			w.line(mark, depth, name+inline(s)+comment)
			return
		}
		w.line(mark, depth, name+"<<-EOT"+comment)
		for i, l := range lines {
			if i == mostLines {
				w.line(" ", depth+1, fmt.Sprintf("# (%s cut, %s)", things(len(lines)-i, "line"), fingerprint(v)))
				break
			}
			w.line(mark, depth+1, clipText(l))
		}
		w.line(mark, depth, "EOT")
	default:
		w.line(mark, depth, name+inline(s)+comment)
	}
}

// whole writes the keys of an object that is on one side only.
func (w *writer) whole(mark string, depth int, s side) {
	if s.masked() {
		w.line(mark, depth, sensitive)
		return
	}
	v, _ := s.v.(map[string]any)
	keys := map[string]bool{}
	un, _ := s.unknown.(map[string]any)
	for _, m := range []map[string]any{v, un} {
		for k := range m {
			keys[k] = true
		}
	}
	wide := 0
	var show []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if x := s.at(k); !x.absent() {
			show = append(show, k)
			if !nested(x, x) {
				wide = max(wide, len(key(k)))
			}
		}
	}
	for _, k := range show {
		x, name := s.at(k), key(k)
		if !nested(x, x) {
			name = pad(name, wide)
		}
		w.one(mark, depth, name+" = ", x, "")
	}
}

var bareKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// key is the name of an attribute, in quotes where it is no plain word.
func key(k string) string {
	if bareKey.MatchString(k) && len(k) <= 200 {
		return k
	}
	return clipText(quoted(k))
}

func pad(s string, n int) string {
	if len(s) >= n {
		return s
	}
	return s + strings.Repeat(" ", n-len(s))
}
