package edit

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// value edits one expression: path leads from it to what differs. It answers with the tree of the expression afterwards.
func (r *resource) value(expr hclsyntax.Expression, path []any, was, is any) ([]splice, any, *refusal) {
	expr = unwrap(expr)
	switch e := expr.(type) {
	case *hclsyntax.ObjectConsExpr:
		if len(path) == 0 {
			return r.object(e, was, is)
		}
		if k, ok := path[0].(string); ok {
			return r.items(e, []item{{k, path[1:], was, is}})
		}
	case *hclsyntax.TupleConsExpr:
		if len(path) == 0 {
			return r.tuple(e, was, is)
		}
		if i, ok := path[0].(int); ok {
			return r.element(e, i, path[1:], was, is)
		}
	default:
		if len(path) == 0 {
			return r.scalar(expr, was, is)
		}
		if _, ok := tree(expr, r.text).(raw); ok {
			return nil, nil, r.why(expr)
		}
	}
	return nil, nil, refuse("the path to the value does not fit the file").at(r.file, expr.Range().Start.Line)
}

// scalar puts one literal in the place of another.
func (r *resource) scalar(expr hclsyntax.Expression, was, is any) ([]splice, any, *refusal) {
	line := expr.Range().Start.Line
	says := tree(expr, r.text)
	if _, ok := says.(raw); ok {
		return nil, nil, r.why(expr)
	}
	if no := agree(says, was, is); no != nil && says != nil { // null leaves it to the provider, whatever that is
		return nil, nil, no.at(r.file, line)
	}
	now, ok := is.(scalar)
	if !ok {
		return nil, nil, refuse("the live value is of another shape than the file's").at(r.file, line)
	}
	at := expr.Range()
	text, no := r.like(expr, says, was, now)
	if no != nil {
		return nil, nil, no.at(r.file, line)
	}
	return []splice{{at.Start.Byte, at.End.Byte, text}}, now, nil
}

// agree refuses where a file does not say what was applied, or says the live value already.
func agree(says, was, is any) *refusal {
	switch {
	case same(says, was) && is == nil:
		return refuse("live it is not set at all: remove it by hand if that is right")
	case same(says, was):
		return nil
	case same(says, is):
		return refuse("the file says so already")
	}
	return refuse("the file says something else than what was applied")
}

// changed are the names under which two maps differ, in order.
func changed(was, is map[string]any) []string {
	names := map[string]bool{}
	for k := range was {
		names[k] = !same(was[k], is[k])
	}
	for k := range is {
		names[k] = !same(was[k], is[k])
	}
	maps.DeleteFunc(names, func(_ string, differs bool) bool { return !differs })
	return slices.Sorted(maps.Keys(names))
}
