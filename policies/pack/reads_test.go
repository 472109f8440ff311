package pack

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// resourceType is a resource type as the providers' documentations spell it.
var resourceType = regexp.MustCompile(`^(aws|google|azurerm|kubernetes)_[a-z0-9_]*[a-z0-9]$`)

// reads are the resource types that rules name, and of each the attributes that they read of it.
type reads map[string]map[string]bool

func (r reads) add(kind string, attributes ...string) {
	if r[kind] == nil {
		r[kind] = map[string]bool{}
	}
	for _, a := range attributes {
		r[kind][a] = true
	}
}

// of are the attributes of one type, sorted.
func (r reads) of(kind string) []string { return slices.Sorted(maps.Keys(r[kind])) }

// readsOfRules finds what the rules about plans name. A type's attributes stand in tables under its name, in functions
// for it (`public("aws_s3_bucket", rc)`), in rules that ask `rc.type == "aws_s3_bucket"`, and in what those call.
func readsOfRules(t *testing.T) reads {
	t.Helper()
	names, err := fs.Glob(files, string(Terraform)+"/*.rego")
	if err != nil || len(names) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	found := reads{}
	for _, name := range names {
		src, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ast.ParseModuleWithOpts(name, string(src), ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		f := reading{found: found, rules: map[string][]*ast.Rule{}}
		for _, r := range m.Rules {
			for ; r != nil; r = r.Else {
				f.rules[r.Head.Ref()[0].Value.String()] = append(f.rules[r.Head.Ref()[0].Value.String()], r)
			}
		}
		for _, r := range m.Rules {
			f.rule(r)
		}
	}
	return found
}

type reading struct {
	found reads
	rules map[string][]*ast.Rule // of one file, by name
}

func (f reading) rule(r *ast.Rule) {
	ast.WalkTerms(r, func(t *ast.Term) bool {
		if s, ok := t.Value.(ast.String); ok && resourceType.MatchString(string(s)) {
			f.found.add(string(s))
		}
		if o, ok := t.Value.(ast.Object); ok {
			o.Foreach(func(k, v *ast.Term) {
				if kind, ok := k.Value.(ast.String); ok && resourceType.MatchString(string(kind)) {
					f.found.add(string(kind), f.textsIn(v)...)
				}
			})
		}
		return false
	})
	for _, kind := range kindsOf(r) {
		f.found.add(kind, f.called(r, map[*ast.Rule]bool{})...)
	}
}

// kindsOf are the types that a rule is about: the first argument of a function, or what a type is compared with.
func kindsOf(r *ast.Rule) (kinds []string) {
	if len(r.Head.Args) > 0 {
		if s, ok := r.Head.Args[0].Value.(ast.String); ok && resourceType.MatchString(string(s)) {
			kinds = append(kinds, string(s))
		}
	}
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		if e.IsCall() && e.Operator().String() == "equal" {
			for i, o := range e.Operands() {
				s, ok := o.Value.(ast.String)
				if ok && resourceType.MatchString(string(s)) && strings.HasSuffix(e.Operand(1-i).String(), "type") {
					kinds = append(kinds, string(s))
				}
			}
		}
		return false
	})
	return kinds
}

// readers are functions of other packages and of Rego to which a text is the name of an attribute.
var readers = []string{"plan.after", "plan.dark", "plan.dark_in", "plan.configured", "object.get"}

// called are the texts that a rule, and what it calls in its file, hands to functions that read attributes.
func (f reading) called(r *ast.Rule, seen map[*ast.Rule]bool) (names []string) {
	if seen[r] {
		return nil
	}
	seen[r] = true
	call := func(op string, args []*ast.Term) {
		if len(args) > 0 && (op == "assign" || op == "internal.member_2") {
			// name := "policy"; some name in ["actions", "data_actions"]
			if _, list := args[1].Value.(*ast.Array); list || op == "assign" {
				names = append(names, f.textsIn(args[1])...)
			}
			return
		}
		own, local := f.rules[op]
		if !local && !slices.Contains(readers, op) {
			return
		}
		for _, a := range args {
			names = append(names, f.textsIn(a)...)
		}
		for _, o := range own {
			if len(kindsOf(o)) == 0 { // what is about one type is not about another
				names = append(names, f.called(o, seen)...)
			}
		}
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if x.IsCall() {
				call(x.Operator().String(), x.Operands())
			}
		case ast.Call:
			call(x[0].String(), x[1:])
		case *ast.Rule:
			return x != r && x != nil // an else is a rule of its own
		}
		return false
	}).Walk(r)
	return names
}

// attributeName is how the providers spell attributes and blocks.
var attributeName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// textsIn are all texts in a term that may be names of attributes; those of a table that it names, too.
func (f reading) textsIn(t *ast.Term) (all []string) {
	ast.WalkTerms(t, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case ast.String:
			if attributeName.MatchString(string(v)) {
				all = append(all, string(v))
			}
		case ast.Var:
			for _, r := range f.rules[string(v)] {
				if _, list := r.Head.Value.Value.(*ast.Array); list && len(r.Head.Args) == 0 {
					all = append(all, f.textsIn(r.Head.Value)...)
				}
			}
		case ast.Ref:
			return true // a way into a document, not names
		}
		return false
	})
	return all
}
