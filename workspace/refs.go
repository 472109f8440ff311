package workspace

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// ref is one mention of another unit in mooring.hcl.
type ref struct {
	kind   Kind
	id     string
	output string // "" for the unit itself, or for all of its outputs
	line   int
	why    string // outputs or depends_on
}

// mention is a ref that is not looked up yet.
type mention struct {
	kind   Kind
	name   string
	rest   hcl.Traversal
	rng    hcl.Range
	output string
}

// mentions finds workspace.NAME, workspace["id"] and the same of manifests anywhere
// in an expression. The index may use each.match, nothing that is known later.
func mentions(e hcl.Expression, match []string) ([]mention, hcl.Diagnostics) {
	native, ok := e.(hclsyntax.Expression)
	if !ok {
		return nil, nil
	}
	var out []mention
	var diags hcl.Diagnostics
	done := map[hclsyntax.Expression]bool{} // parts of a mention that is taken as a whole
	take := func(index *hclsyntax.IndexExpr, rest hcl.Traversal, rng hcl.Range) {
		kind, ok := bareKind(index.Collection)
		if !ok {
			return
		}
		done[index], done[index.Collection] = true, true
		name, more := indexName(kind, index, match)
		diags = append(diags, more...)
		if !more.HasErrors() {
			out = append(out, mention{kind: kind, name: name, rest: rest, rng: rng})
		}
	}
	_ = hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		switch x := n.(type) {
		case *hclsyntax.RelativeTraversalExpr:
			if index, ok := x.Source.(*hclsyntax.IndexExpr); ok {
				take(index, x.Traversal, x.Range())
			}
		case *hclsyntax.IndexExpr:
			if done[x] {
				return nil
			}
			take(x, nil, x.Range())
		case *hclsyntax.ScopeTraversalExpr:
			kind := Kind(x.Traversal.RootName())
			if done[x] || kind != KindWorkspace && kind != KindManifests {
				return nil
			}
			name, ok := secondName(x.Traversal)
			if !ok {
				diags = append(diags, fault(x.Range(), "No unit named", fmt.Sprintf("Name one: %s.NAME or %s[\"id\"].", kind, kind)))
				return nil
			}
			out = append(out, mention{kind: kind, name: name, rest: x.Traversal[2:], rng: x.Range()})
		}
		return nil
	})
	return out, diags
}

// bareKind recognises the plain word workspace or manifests.
func bareKind(e hclsyntax.Expression) (Kind, bool) {
	t, ok := e.(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(t.Traversal) != 1 {
		return "", false
	}
	kind := Kind(t.Traversal.RootName())
	return kind, kind == KindWorkspace || kind == KindManifests
}

func indexName(kind Kind, index *hclsyntax.IndexExpr, match []string) (string, hcl.Diagnostics) {
	attr := &hcl.Attribute{Name: "index", Expr: index.Key}
	v, diags := staticValue(attr, match, cty.NilType)
	if diags.HasErrors() {
		return "", hcl.Diagnostics{fault(index.Key.Range(), "Unit not known in time",
			fmt.Sprintf("Which unit %s[…] names must be told by the text and each.match alone, because it orders the run. %s", kind, diags[0].Detail))}
	}
	if !isKnownString(v) {
		return "", hcl.Diagnostics{fault(index.Key.Range(), "Wrong type", "A unit's id is a string.")}
	}
	return v.AsString(), nil
}

// outputOf reads what follows the unit: .outputs.NAME, or .outputs for all of them.
func (m *mention) outputOf() hcl.Diagnostics {
	if m.kind == KindManifests {
		return hcl.Diagnostics{fault(m.rng, "Manifests have no outputs", "Only workspaces have outputs; to run after manifests, name them in depends_on.")}
	}
	first, ok := stepName(m.rest, 0)
	if !ok || first != "outputs" {
		return hcl.Diagnostics{fault(m.rng, "Not an output", fmt.Sprintf("Only outputs of a workspace can be used: workspace.%s.outputs.NAME.", m.name))}
	}
	m.output, _ = stepName(m.rest, 1)
	return nil
}

func stepName(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	switch step := t[i].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if isKnownString(step.Key) {
			return step.Key.AsString(), true
		}
	}
	return "", false
}
