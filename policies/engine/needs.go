package engine

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/mooring-iac/mooring/policies"
)

// needsDecl declares needs(who, count), which makes what an ask rule puts under "needs".
func needsDecl() *ast.Builtin {
	return &ast.Builtin{
		Name:        "needs",
		Description: "Whom an ask rule asks for, and how many of them.",
		Decl: types.NewFunction(
			types.Args(
				types.Named("who", types.S).Description(`"team:NAME", "user:LOGIN" or "anyone"`),
				types.Named("count", types.N).Description("how many people, at least 1"),
			),
			types.Named("need", types.NewObject([]*types.StaticProperty{
				types.NewStaticProperty("who", types.S), types.NewStaticProperty("count", types.N),
			}, nil)),
		),
	}
}

// withNeeds lets a query call needs.
func withNeeds(r *rego.Rego) {
	decl := needsDecl()
	rego.Function2(&rego.Function{Name: decl.Name, Decl: decl.Decl}, func(_ rego.BuiltinContext, who, count *ast.Term) (*ast.Term, error) {
		name, _ := who.Value.(ast.String)
		number, _ := count.Value.(ast.Number)
		if _, err := need(string(name), json.Number(number)); err != nil {
			return nil, err
		}
		return ast.ObjectTerm(ast.Item(ast.StringTerm("who"), who), ast.Item(ast.StringTerm("count"), count)), nil
	})(r)
}

// maxNeed bounds how many people can be asked for: nobody has so many, and the rule means something else.
const maxNeed = 100

// need reads one need.
func need(who string, count json.Number) (policies.Need, error) {
	kind, name, named := strings.Cut(who, ":")
	switch {
	case who == "anyone":
	case named && name != "" && (kind == "team" || kind == "user"):
	default:
		return policies.Need{}, fmt.Errorf(`needs: who is %q: use "team:NAME", "user:LOGIN" or "anyone"`, who)
	}
	n, err := count.Int64()
	if err != nil || n < 1 || n > maxNeed {
		return policies.Need{}, fmt.Errorf("needs: count is %s: use a whole number from 1 to %d", count, maxNeed)
	}
	if kind == "user" && n > 1 {
		return policies.Need{}, fmt.Errorf("needs: count is %s, and %q is one person", count, who)
	}
	return policies.Need{Who: who, Count: int(n)}, nil
}

// needsOf reads what an ask rule put under "needs": one need, or an array of some.
func needsOf(value any) ([]policies.Need, error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("needs is empty: it asks nobody")
	}
	var all []policies.Need
	for _, member := range list {
		object, ok := member.(map[string]any)
		if !ok {
			return nil, fmt.Errorf(`needs is not what needs("team:NAME", 1) makes`)
		}
		who, _ := object["who"].(string)
		count, _ := object["count"].(json.Number)
		n, err := need(who, count)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
