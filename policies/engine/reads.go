package engine

import "github.com/open-policy-agent/opa/v1/ast"

// kindOfSet is the kind of the input that lists what would happen to objects.
const kindOfSet = "ChangeSet"

// aboutChanges tells which rules are asked about a change set: those that name input.changes or the kind ChangeSet,
// themselves or in what they use. Rules that were written for Conftest expect an object, and would take the change set
// for one that lacks everything.
func aboutChanges(c *ast.Compiler) func(definitions []*ast.Rule) bool {
	known := map[*ast.Rule]bool{} // names it itself
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			known[r] = namesChanges(r)
		}
	}
	return func(definitions []*ast.Rule) bool {
		seen := map[*ast.Rule]bool{}
		var follow func(r *ast.Rule) bool
		follow = func(r *ast.Rule) bool {
			if seen[r] {
				return false
			}
			seen[r] = true
			if known[r] {
				return true
			}
			for used := range c.Graph.Dependencies(r) {
				if used, ok := used.(*ast.Rule); ok && follow(used) {
					return true
				}
			}
			return false
		}
		for _, r := range definitions {
			if follow(r) {
				return true
			}
		}
		return false
	}
}

func namesChanges(r *ast.Rule) bool {
	found := false
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			found = found || len(x) > 1 && x[0].Equal(ast.InputRootDocument) && x[1].Equal(ast.StringTerm("changes"))
		case ast.String:
			found = found || string(x) == kindOfSet
		}
		return found
	}).Walk(r)
	return found
}

// inputsOf finds the members of input that rules read. all is true where that cannot be said.
func inputsOf(modules map[string]*ast.Module) (names map[string]bool, all bool) {
	names = map[string]bool{}
	var visit *ast.GenericVisitor
	visit = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			if len(x) == 0 || !x[0].Equal(ast.InputRootDocument) {
				return false
			}
			if len(x) == 1 {
				all = true
				return true
			}
			name, ok := x[1].Value.(ast.String)
			if !ok {
				all = true
				return true
			}
			names[string(name)] = true
			for _, term := range x[2:] {
				visit.Walk(term)
			}
			return true
		case ast.Var:
			all = all || x.Equal(ast.InputRootDocument.Value)
		}
		return false
	})
	for _, m := range modules {
		visit.Walk(m)
	}
	return names, all
}
