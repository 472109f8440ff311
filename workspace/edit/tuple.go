package edit

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// element edits one element of a list.
func (r *resource) element(e *hclsyntax.TupleConsExpr, i int, path []any, was, is any) ([]splice, any, *refusal) {
	line := e.SrcRange.Start.Line
	if i >= len(e.Exprs) {
		return nil, nil, refuse("the file's list is shorter").at(r.file, line)
	}
	if len(path) == 0 && (is == nil || was == nil) {
		return nil, nil, refuse("an element was added or removed, and the whole list is not known").at(r.file, line)
	}
	splices, t, no := r.value(e.Exprs[i], path, was, is)
	if no != nil {
		return nil, nil, no.at(r.file, e.Exprs[i].Range().Start.Line)
	}
	want := tree(e, r.text).([]any)
	want[i] = t
	return splices, want, nil
}

// tuple edits what differs between two lists. Where the file has the old elements in another order they are a set: then what
// stays keeps its place.
func (r *resource) tuple(e *hclsyntax.TupleConsExpr, was, is any) ([]splice, any, *refusal) {
	line := e.SrcRange.Start.Line
	old, ok := was.([]any)
	now, okNow := is.([]any)
	if was == nil && len(e.Exprs) == 0 {
		ok = true
	}
	if !ok || !okNow {
		return nil, nil, refuse("the live value is of another shape than the file's").at(r.file, line)
	}
	says := tree(e, r.text).([]any)
	if len(old) == len(now) && slices.EqualFunc(says, old, maySay) {
		return r.elements(e, says, old, now)
	}
	for i, t := range says {
		if hasRaw(t) {
			return nil, nil, r.why(e.Exprs[i]).at(r.file, line)
		}
	}
	list := slices.EqualFunc(says, old, same)
	if !list {
		if _, left := taken(says, old); len(says) != len(old) || len(left) > 0 {
			return nil, nil, agreeOrElse(says, now).at(r.file, line)
		}
	}
	from, left := taken(now, says) // of each live element, which of the file's it is
	want, order := now, from
	if !list {
		order, want = nil, nil
		for i := range says {
			if !slices.Contains(left, i) {
				order, want = append(order, i), append(want, says[i])
			}
		}
		for j, i := range from {
			if i < 0 {
				order, want = append(order, -1), append(want, now[j])
			}
		}
	}
	splices, no := r.reorder(e, order, want)
	if no != nil {
		return nil, nil, no.at(r.file, line)
	}
	return splices, want, nil
}

func agreeOrElse(says []any, now []any) *refusal {
	if slices.EqualFunc(says, now, same) {
		return refuse("the file says so already")
	}
	return refuse("the file says something else than what was applied")
}

func (r *resource) elements(e *hclsyntax.TupleConsExpr, want, old, now []any) ([]splice, any, *refusal) {
	want = slices.Clone(want)
	var all []splice
	for i := range old {
		if same(old[i], now[i]) {
			continue
		}
		splices, t, no := r.value(e.Exprs[i], nil, old[i], now[i])
		if no != nil {
			return nil, nil, no.at(r.file, e.Exprs[i].Range().Start.Line)
		}
		all, want[i] = append(all, splices...), t
	}
	return all, want, nil
}

// taken finds each of want in have, each of have once: its index or -1; left are those of have that nothing took.
func taken(want, have []any) (from, left []int) {
	free := make([]bool, len(have))
	for _, w := range want {
		at := -1
		for i, h := range have {
			if !free[i] && same(w, h) {
				at, free[i] = i, true
				break
			}
		}
		from = append(from, at)
	}
	for i, used := range free {
		if !used {
			left = append(left, i)
		}
	}
	return from, left
}

func kept(from []int) []int {
	return slices.DeleteFunc(slices.Clone(from), func(i int) bool { return i < 0 })
}

// reorder writes the list with these elements: order has the file's by index, and -1 for those that are new.
func (r *resource) reorder(e *hclsyntax.TupleConsExpr, order []int, want []any) ([]splice, *refusal) {
	texts := make([]string, len(order))
	for i, from := range order {
		if from >= 0 {
			texts[i] = string(textOf(r.text, e.Exprs[from]))
			continue
		}
		var no *refusal
		if texts[i], no = write(want[i]); no != nil {
			return nil, no
		}
	}
	open, end := e.SrcRange.Start.Byte, e.SrcRange.End.Byte
	if bytes.Contains(r.text[open:end], []byte("\n")) && len(e.Exprs) > 0 && slices.IsSorted(kept(order)) {
		if all, ok := r.lines(e, order, texts); ok {
			return all, nil
		}
	}
	if commented(r.text[open:end]) {
		return nil, refuse("comments stand in the middle of the list")
	}
	lb, indent := lineBreak(r.text), indentOf(r.text, open)
	if !bytes.Contains(r.text[open:end], []byte("\n")) || len(texts) == 0 {
		return []splice{{open, end, "[" + indented(strings.Join(texts, ", "), indent, lb) + "]"}}, nil
	}
	out := "["
	for _, text := range texts {
		out += lb + indent + "  " + text + ","
	}
	return []splice{{open, end, out + lb + indent + "]"}}, nil
}

// lines adds and removes whole lines, where each element has its own.
func (r *resource) lines(e *hclsyntax.TupleConsExpr, order []int, texts []string) ([]splice, bool) {
	var all []splice
	end, lb := e.SrcRange.End.Byte, lineBreak(r.text)
	for i, expr := range e.Exprs {
		from, to, ok := ownLines(r.text, expr.Range().Start.Byte, expr.Range().End.Byte)
		if !ok || to > end {
			return nil, false
		}
		if !slices.Contains(order, i) {
			all = append(all, splice{from, to, ""})
		}
	}
	last := len(e.Exprs) - 1
	after := e.Exprs[last].Range().End.Byte
	trailing := bytes.HasPrefix(bytes.TrimLeft(r.text[after:], " \t"), []byte(","))
	indent := indentOf(r.text, e.Exprs[0].Range().Start.Byte)
	at, before := nextLine(r.text, e.SrcRange.Start.Byte+1), -1
	for i, from := range order {
		if from >= 0 {
			at, before = nextLine(r.text, e.Exprs[from].Range().End.Byte), from
			continue
		}
		if before == last && !trailing {
			all = append(all, splice{after, after, ","})
			before = -1
		}
		comma := ","
		if i == len(order)-1 && !trailing {
			comma = ""
		}
		all = append(all, splice{at, at, indent + indented(texts[i], indent, lb) + comma + lb})
	}
	return all, true
}
