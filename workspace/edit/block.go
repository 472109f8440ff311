package edit

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// resource is the block that is edited.
type resource struct {
	placed
	modules *modules
	dir     string
	call    placed // of its module; without a block in the root module
	text    []byte // of its file
}

// edit is what is done to one attribute.
type edit struct {
	place   string // of the attribute in its file, as outline names it
	splices []splice
	want    any // the tree of the whole attribute afterwards
}

// splice puts text where text[from:to] was.
type splice struct {
	from, to int
	text     string
}

// edit makes one change of the resource and answers with the text of its file.
func (r *resource) edit(path []any, was, is any) ([]byte, *refusal) {
	for _, many := range []string{"count", "for_each"} {
		if attr := r.Body.Attributes[many]; attr != nil {
			return nil, refuse("it has %s: the change would be every copy's", many).at(r.file, attr.NameRange.Start.Line)
		}
	}
	if no := r.ignored(path); no != nil {
		return nil, no
	}
	edits, no := r.body(r.Body, fmt.Sprint(r.at), path, was, is, true)
	if no != nil {
		return nil, no
	}
	var all []splice
	for _, e := range edits {
		all = append(all, e.splices...)
	}
	text, no := apply(r.text, all)
	if no != nil {
		return nil, no
	}
	if no := r.verify(text, edits); no != nil {
		return nil, no
	}
	// What terraform fmt had nothing to say of stays so: only the columns of neighbours may move.
	if tidy := hclwrite.Format(text); bytes.Equal(hclwrite.Format(r.text), r.text) && r.verify(tidy, edits) == nil {
		return tidy, nil
	}
	return text, nil
}

// body finds the attribute that a path leads to, below one block.
func (r *resource) body(b *hclsyntax.Body, place string, path []any, was, is any, top bool) ([]edit, *refusal) {
	name, ok := path[0].(string)
	if !ok {
		return nil, refuse("the path to the value does not fit the file")
	}
	if attr := b.Attributes[name]; attr != nil {
		splices, want, no := r.value(attr.Expr, path[1:], was, is)
		if no != nil {
			return nil, no.at(r.file, attr.NameRange.Start.Line)
		}
		return []edit{{place + "/" + name, splices, want}}, nil
	}
	var at []int
	for i, block := range b.Blocks {
		switch {
		case block.Type == "dynamic" && len(block.Labels) == 1 && block.Labels[0] == name:
			return nil, refuse("a dynamic block makes it").at(r.file, block.TypeRange.Start.Line)
		case block.Type == name:
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0:
		return r.add(b, place, path, is, top)
	case len(path) == 1:
		return r.blocksOf(b, place, name, at, was, is)
	}
	rest := path[1:]
	n, numbered := rest[0].(int)
	if numbered {
		rest = rest[1:]
	}
	if len(rest) == 0 { // the block as a whole
		old, ok := was.(map[string]any)
		now, okNow := is.(map[string]any)
		if !ok || !okNow || len(at) > 1 || n > 0 {
			return nil, refuse("a block %s was added or removed, or it is not known which one is meant", name).at(r.file, b.Blocks[at[0]].TypeRange.Start.Line)
		}
		return r.fields(b.Blocks[at[0]].Body, fmt.Sprintf("%s/%d", place, at[0]), old, now)
	}
	i, no := r.choose(b, name, at, n, numbered, rest, was)
	if no != nil {
		return nil, no
	}
	return r.body(b.Blocks[i].Body, fmt.Sprintf("%s/%d", place, i), rest, was, is, false)
}

// choose is the block that is meant. Of a set the position in the file says nothing, so of several blocks only the one that alone
// may say the old value is taken.
func (r *resource) choose(b *hclsyntax.Body, name string, at []int, n int, numbered bool, rest []any, was any) (int, *refusal) {
	line := b.Blocks[at[0]].TypeRange.Start.Line
	if len(at) == 1 {
		if n > 0 {
			return 0, refuse("the file has one block %s, and another one is meant", name).at(r.file, line)
		}
		return at[0], nil
	}
	if !numbered {
		return 0, refuse("the file has %d blocks %s, and it is not known which one is meant", len(at), name).at(r.file, line)
	}
	may := slices.DeleteFunc(slices.Clone(at), func(i int) bool { return !r.mayHold(b.Blocks[i].Body, rest, was) })
	if len(may) != 1 {
		return 0, refuse("the file has %d blocks %s, and it is not known which one is meant", len(at), name).at(r.file, line)
	}
	return may[0], nil
}

// mayHold is true unless the block is known to say something else at the path.
func (r *resource) mayHold(b *hclsyntax.Body, path []any, was any) bool {
	name, _ := path[0].(string)
	attr := b.Attributes[name]
	if attr == nil {
		return true // its default, or a block
	}
	t := tree(attr.Expr, r.text)
	for _, step := range path[1:] {
		switch at := t.(type) {
		case map[string]any:
			k, _ := step.(string)
			t = at[k]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(at) {
				return false
			}
			t = at[i]
		default:
			return true
		}
	}
	return maySay(t, was)
}

// blocksOf edits what differs in a list of blocks. Blocks are neither added nor removed.
func (r *resource) blocksOf(b *hclsyntax.Body, place, name string, at []int, was, is any) ([]edit, *refusal) {
	old, okOld := was.([]any)
	now, okNow := is.([]any)
	if !okOld { // a block that there is at most one of
		old, now, okOld, okNow = []any{was}, []any{is}, was != nil, is != nil
	}
	line := b.Blocks[at[0]].TypeRange.Start.Line
	switch {
	case !okOld || !okNow || len(old) != len(now) || len(old) != len(at):
		return nil, refuse("a block %s was added or removed: that is for a person to write", name).at(r.file, line)
	case len(at) > 1:
		return nil, refuse("the file has %d blocks %s, and it is not known which one is meant", len(at), name).at(r.file, line)
	}
	before, okOld := old[0].(map[string]any)
	after, okNow := now[0].(map[string]any)
	if !okOld || !okNow {
		return nil, refuse("the path to the value does not fit the file").at(r.file, line)
	}
	return r.fields(b.Blocks[at[0]].Body, fmt.Sprintf("%s/%d", place, at[0]), before, after)
}

// fields edits the attributes of a block that differ.
func (r *resource) fields(b *hclsyntax.Body, place string, was, is map[string]any) ([]edit, *refusal) {
	var all []edit
	for _, k := range changed(was, is) {
		edits, no := r.body(b, place, []any{k}, was[k], is[k], false)
		if no != nil {
			return nil, no
		}
		all = append(all, edits...)
	}
	return all, nil
}

// apply does all splices of one text. Those at the same place are done in the order that they are given in.
func apply(text []byte, all []splice) ([]byte, *refusal) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b splice) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	var out bytes.Buffer
	at := 0
	for _, s := range all {
		if s.from < at || s.to < s.from || s.to > len(text) {
			return nil, refuse("the changes touch each other in the file")
		}
		out.Write(text[at:s.from])
		out.WriteString(s.text)
		at = s.to
	}
	out.Write(text[at:])
	return out.Bytes(), nil
}

// indentOf is the white space that the line of a position begins with.
func indentOf(text []byte, at int) string {
	line := text[bytes.LastIndexByte(text[:at], '\n')+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// nextLine is where the line after a position begins; at itself where it is the beginning of one.
func nextLine(text []byte, at int) int {
	if at > 0 && text[at-1] == '\n' {
		return at
	}
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(text)
}

// lineBreak is how the file ends its lines.
func lineBreak(text []byte) string {
	if bytes.Contains(text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

func indented(text, indent, lineBreak string) string {
	return strings.ReplaceAll(text, "\n", lineBreak+indent)
}
