package edit

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// ignored refuses what ignore_changes names, or a part of which it names.
func (r *resource) ignored(path []any) *refusal {
	for _, b := range r.Body.Blocks {
		attr := b.Body.Attributes["ignore_changes"]
		if b.Type != "lifecycle" || attr == nil {
			continue
		}
		said := refuse("ignore_changes leaves it to whoever changes it").at(r.file, attr.NameRange.Start.Line)
		list, ok := attr.Expr.(*hclsyntax.TupleConsExpr)
		if !ok { // all
			return said
		}
		for _, item := range list.Exprs {
			if covers(item, path) {
				return said
			}
		}
	}
	return nil
}

func covers(item hclsyntax.Expression, path []any) bool {
	t, diags := hcl.RelTraversalForExpr(item)
	if diags.HasErrors() { // a name in quotes, as they once were
		name, ok := tree(item, nil).(scalar)
		return !ok || name.text == "*" || path[0] == name.text
	}
	for i, step := range t {
		if i == len(path) {
			return true
		}
		switch step := step.(type) {
		case hcl.TraverseAttr:
			if path[i] != step.Name {
				return false
			}
		case hcl.TraverseIndex:
			if !isStep(step.Key, path[i]) {
				return false
			}
		}
	}
	return true
}

func isStep(k cty.Value, step any) bool {
	switch {
	case k.Type() == cty.String:
		return step == k.AsString()
	case k.Type() == cty.Number:
		n, _ := k.AsBigFloat().Int64()
		return step == int(n)
	}
	return true
}
