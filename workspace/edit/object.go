package edit

import (
	"bytes"
	"maps"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// item is what differs under one name of an object.
type item struct {
	name    string
	path    []any // from there
	was, is any
}

// object edits what differs between two maps.
func (r *resource) object(e *hclsyntax.ObjectConsExpr, was, is any) ([]splice, any, *refusal) {
	old, ok := was.(map[string]any)
	now, okNow := is.(map[string]any)
	if was == nil && len(e.Items) == 0 {
		old, ok = map[string]any{}, true
	}
	if !ok || !okNow {
		return nil, nil, refuse("the live value is of another shape than the file's").at(r.file, e.SrcRange.Start.Line)
	}
	var items []item
	for _, k := range changed(old, now) {
		items = append(items, item{name: k, was: old[k], is: now[k]})
	}
	return r.items(e, items)
}

// items edits, adds and removes items of an object.
func (r *resource) items(e *hclsyntax.ObjectConsExpr, items []item) ([]splice, any, *refusal) {
	says, ok := tree(e, r.text).(map[string]any)
	if !ok {
		return nil, nil, r.why(e)
	}
	want := maps.Clone(says)
	at := map[string]int{}
	for i, it := range e.Items {
		k, _ := key(it.KeyExpr)
		at[k] = i
	}
	var inside []splice
	var added []string
	removed := map[int]bool{}
	for _, it := range items {
		i, found := at[it.name]
		switch {
		case found && (len(it.path) > 0 || it.is != nil):
			splices, t, no := r.value(e.Items[i].ValueExpr, it.path, it.was, it.is)
			if no != nil {
				return nil, nil, no.at(r.file, e.Items[i].KeyExpr.Range().Start.Line)
			}
			inside, want[it.name] = append(inside, splices...), t
		case found:
			line := e.Items[i].KeyExpr.Range().Start.Line
			if hasRaw(says[it.name]) {
				return nil, nil, r.why(e.Items[i].ValueExpr).at(r.file, line)
			}
			if !same(says[it.name], it.was) {
				return nil, nil, refuse("the file says something else than what was applied").at(r.file, line)
			}
			removed[i] = true
			delete(want, it.name)
		case len(it.path) > 0 || it.was != nil || it.is == nil:
			return nil, nil, refuse("the file does not set it").at(r.file, e.SrcRange.Start.Line)
		default:
			text, no := write(it.is)
			if no != nil {
				return nil, nil, no.at(r.file, e.SrcRange.Start.Line)
			}
			added, want[it.name] = append(added, word(it.name)+r.separator(e)+text), it.is
		}
	}
	if len(added)+len(removed) > 0 {
		var no *refusal
		if inside, no = r.relist(e, inside, removed, added); no != nil {
			return nil, nil, no.at(r.file, e.SrcRange.Start.Line)
		}
	}
	return inside, want, nil
}

// separator is what stands between name and value: = or :, with the white space of the last item if that is on the same line.
func (r *resource) separator(e *hclsyntax.ObjectConsExpr) string {
	if n := len(e.Items); n > 0 {
		last := e.Items[n-1]
		if between := string(r.text[last.KeyExpr.Range().End.Byte:last.ValueExpr.Range().Start.Byte]); strings.Contains(between, ":") {
			return ": "
		}
	}
	return " = "
}

// relist adds and removes items: lines of an object that has them on lines, else the object is written anew on its one line.
func (r *resource) relist(e *hclsyntax.ObjectConsExpr, inside []splice, removed map[int]bool, added []string) ([]splice, *refusal) {
	open, end := e.SrcRange.Start.Byte, e.SrcRange.End.Byte
	if !bytes.Contains(r.text[open:end], []byte("\n")) {
		if commented(r.text[open:end]) {
			return nil, refuse("comments stand in the middle of it")
		}
		var parts []string
		for i, it := range e.Items {
			if removed[i] {
				continue
			}
			from, to := it.KeyExpr.Range().Start.Byte, it.ValueExpr.Range().End.Byte
			part, no := partOf(r.text, from, to, inside)
			if no != nil {
				return nil, no
			}
			parts = append(parts, part)
		}
		text := "{}"
		if parts = append(parts, added...); len(parts) > 0 {
			text = "{ " + indented(strings.Join(parts, ", "), indentOf(r.text, open), lineBreak(r.text)) + " }"
		}
		return []splice{{open, end, text}}, nil
	}
	for i := range removed {
		from, to, ok := ownLines(r.text, e.Items[i].KeyExpr.Range().Start.Byte, e.Items[i].ValueExpr.Range().End.Byte)
		if !ok || to > end {
			return nil, refuse("the line holds more than this one item")
		}
		inside = append(inside, splice{from, to, ""})
	}
	if len(added) == 0 {
		return inside, nil
	}
	at, indent, comma := nextLine(r.text, open+1), indentOf(r.text, open)+"  ", ""
	if n := len(e.Items); n > 0 {
		last := e.Items[n-1]
		after := last.ValueExpr.Range().End.Byte
		at, indent = nextLine(r.text, after), indentOf(r.text, last.KeyExpr.Range().Start.Byte)
		if rest := bytes.TrimLeft(r.text[after:], " \t"); bytes.HasPrefix(rest, []byte(",")) {
			comma = ","
		}
	}
	if at >= end {
		return nil, refuse("its last item stands on the line that it ends in")
	}
	for _, text := range added {
		inside = append(inside, splice{at, at, indent + indented(text, indent, lineBreak(r.text)) + comma + lineBreak(r.text)})
	}
	return inside, nil
}
