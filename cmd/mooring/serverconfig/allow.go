package serverconfig

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

var allowSchema = attributes("repositories", "as", "namespaces", "kinds", "cluster_kinds")

func (d *decoder) allow(b *hcl.Block) Allow {
	at := d.content(b.Body, allowSchema).Attributes
	wildcards, err := workspace.CheckPattern(b.Labels[0])
	if err != nil {
		d.fail(b.LabelRanges[0], "Bad path", fmt.Sprintf("The label of an allow block is the path of manifest sets in the repository, with * and ** as in mooring.hcl: %v.", err))
	}
	a := Allow{
		Path:         b.Labels[0],
		Repositories: d.repositoryNames(at["repositories"]),
		As:           d.patterns(at["as"], wildcards, checkUser),
		Namespaces:   d.patterns(at["namespaces"], wildcards, checkNamespace),
		Kinds:        []string{"*"},
		ClusterKinds: d.patterns(at["cluster_kinds"], wildcards, k8s.CheckKindPattern),
	}
	if at["kinds"] != nil {
		a.Kinds = d.patterns(at["kinds"], wildcards, k8s.CheckKindPattern)
	}
	if at["namespaces"] == nil && at["cluster_kinds"] == nil {
		d.fail(b.DefRange, "Nothing is allowed", "An allow block names what sets may touch: namespaces = [\"*\"] for every namespace, cluster_kinds = [\"*\"] for every kind that lies in none.")
	}
	return a
}

var (
	userPattern      = regexp.MustCompile(`^[!-~]{1,253}$`)
	namespacePattern = regexp.MustCompile(`^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$`)
)

func checkUser(text string) error {
	if !userPattern.MatchString(text) {
		return fmt.Errorf("%q is no user of a cluster; a service account is \"system:serviceaccount:NAMESPACE:NAME\"", text)
	}
	return nil
}

func checkNamespace(text string) error {
	if !namespacePattern.MatchString(text) {
		return fmt.Errorf("%q is no name of a namespace, nor a pattern of some", text)
	}
	return nil
}

// patterns takes a string or a list of them, in which each.match may stand.
func (d *decoder) patterns(a *hcl.Attribute, wildcards int, check func(string) error) []string {
	if a == nil {
		return nil
	}
	exprs := []hclsyntax.Expression{}
	switch e := a.Expr.(type) {
	case *hclsyntax.TupleConsExpr:
		exprs = e.Exprs
	case hclsyntax.Expression:
		exprs = append(exprs, e)
	}
	if len(exprs) == 0 {
		d.fail(a.Expr.Range(), "Nothing is allowed", fmt.Sprintf("%s is an empty list: leave it out, or take the block away.", a.Name))
	}
	var all []string
	for _, e := range exprs {
		text, sample, ok := d.pattern(a.Name, e, wildcards)
		if !ok {
			continue
		}
		if err := check(sample); err != nil {
			d.fail(e.Range(), "Bad "+a.Name, err.Error()+".")
			continue
		}
		all = append(all, text)
	}
	return all
}

// pattern reads one string by its shape: plain text, and each.match[N] between.
// The sample has a letter in the place of each of those.
func (d *decoder) pattern(name string, e hclsyntax.Expression, wildcards int) (text, sample string, ok bool) {
	switch e := e.(type) {
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			t, s, ok := d.pattern(name, part, wildcards)
			if !ok {
				return "", "", false
			}
			text, sample = text+t, sample+s
		}
		return text, sample, true
	case *hclsyntax.TemplateWrapExpr:
		return d.pattern(name, e.Wrapped, wildcards)
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() != cty.String || e.Val.IsNull() {
			break
		}
		literal := e.Val.AsString()
		return literal, literal, !d.odd(name, e, literal)
	case *hclsyntax.ScopeTraversalExpr:
		n, is := eachMatch(e.Traversal)
		switch {
		case !is:
		case n >= wildcards:
			d.fail(e.Range(), "No such wildcard", fmt.Sprintf("The path of this allow block has %d of them; each.match counts from 0.", wildcards))
			return "", "", false
		default:
			return fmt.Sprintf("${%d}", n), "a", true
		}
	}
	d.fail(e.Range(), "Wrong value", fmt.Sprintf("%s holds strings, with each.match[0] for what the first wildcard of the path stood for: \"${each.match[0]}-*\".", name))
	return "", "", false
}

// odd refuses text that would be taken for a place to fill in.
func (d *decoder) odd(name string, e hclsyntax.Expression, literal string) bool {
	if !strings.Contains(literal, "$") {
		return false
	}
	d.fail(e.Range(), "Wrong value", fmt.Sprintf("%s holds a dollar sign, which no name in a cluster has.", name))
	return true
}

// eachMatch reads each.match[N].
func eachMatch(t hcl.Traversal) (int, bool) {
	if len(t) != 3 || t.RootName() != "each" {
		return 0, false
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	if !ok || attr.Name != "match" {
		return 0, false
	}
	index, ok := t[2].(hcl.TraverseIndex)
	if !ok || index.Key.Type() != cty.Number {
		return 0, false
	}
	n, acc := index.Key.AsBigFloat().Int64()
	return int(n), acc == 0 && n >= 0 && n < 100
}
