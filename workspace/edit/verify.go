package edit

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// verify reads an edited file again: the edited attributes must say what they should, and everything else what it said before.
func (r *resource) verify(text []byte, edits []edit) *refusal {
	unsafe := refuse("the edited file would not say what it should")
	before, no := parse(r.text, r.file)
	if no != nil {
		return no
	}
	after, no := parse(text, r.file)
	if no != nil {
		return unsafe
	}
	was, is := map[string]string{}, map[string]string{}
	exprs := map[string]hclsyntax.Expression{}
	outline(before, "", r.text, was, nil)
	outline(after, "", text, is, exprs)
	for _, e := range edits {
		expr := exprs[e.place]
		if expr == nil || !same(tree(expr, text), e.want) || !same(e.want, tree(expr, text)) {
			return unsafe
		}
		delete(was, e.place)
		delete(is, e.place)
	}
	if len(was) != len(is) {
		return unsafe
	}
	for place, said := range was {
		if now, ok := is[place]; !ok || now != said {
			return unsafe
		}
	}
	return nil
}

// outline is all that a file says, by place: 3/0/size is the attribute size of the first block in the fourth block of the file.
func outline(b *hclsyntax.Body, place string, text []byte, said map[string]string, exprs map[string]hclsyntax.Expression) {
	for name, attr := range b.Attributes {
		at := name
		if place != "" {
			at = place + "/" + name
		}
		said[at] = string(textOf(text, attr.Expr))
		if exprs != nil {
			exprs[at] = attr.Expr
		}
	}
	for i, inner := range b.Blocks {
		at := fmt.Sprint(i)
		if place != "" {
			at = place + "/" + at
		}
		said[at] = fmt.Sprintf("%s %q", inner.Type, inner.Labels)
		outline(inner.Body, at, text, said, exprs)
	}
}
