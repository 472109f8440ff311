package engine

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/mooring-iac/mooring/policies"
)

// rule is a name in a package whose value is asked for. Several definitions of the name are one rule.
type rule struct {
	namespace string // "main"
	name      string // "deny_tags"
	effect    policies.Effect
	bare      string // the name without its effect, as exceptions say it: "tags"; "deny" where there is nothing else
	file      string // where it is defined first
	line      int
	changes   bool // it is asked about change sets
	query     rego.PreparedEvalQuery
}

func (r rule) String() string { return r.namespace + "." + r.name }

// exceptedBy tells whether a name in an exception means the rule. An empty name means the rules that have no name of
// their own.
func (r rule) exceptedBy(name string) bool {
	return name == r.bare || name == "" && r.bare == r.name
}

// The names of rules. Conftest's, and ask.
var ruleName = regexp.MustCompile(`^(deny|violation|warn|ask)((?:_[a-zA-Z0-9]+)*)$`)

// effectOf reads the name of a rule.
func effectOf(name string) (effect policies.Effect, bare string, ok bool) {
	m := ruleName.FindStringSubmatch(name)
	if m == nil {
		return policies.Deny, "", false
	}
	bare = strings.TrimPrefix(m[2], "_")
	if bare == "" {
		bare = m[1]
	}
	switch m[1] {
	case "warn":
		return policies.Warn, bare, true
	case "ask":
		return policies.Ask, bare, true
	}
	return policies.Deny, bare, true
}

// namespaceOf is the name of a package without "data.".
func namespaceOf(m *ast.Module) string {
	return strings.TrimPrefix(m.Package.Path.String(), "data.")
}

// rulesOf finds the rules of compiled modules in the namespaces that are asked, and which of these have exceptions.
func (s Source) rulesOf(c *ast.Compiler) (rules []rule, exceptions, packages map[string]bool) {
	names, all := s.namespaces()
	exceptions, packages = map[string]bool{}, map[string]bool{}
	found := map[string]int{} // where in rules
	definitions := map[string][]*ast.Rule{}
	for _, file := range sorted(c.Modules) {
		m := c.Modules[file]
		namespace := namespaceOf(m)
		packages[namespace] = true
		if !all && !slices.Contains(names, namespace) {
			continue
		}
		for _, r := range m.Rules {
			if len(r.Head.Args) > 0 {
				continue // a function
			}
			name := headOf(r)
			if name == "exception" {
				exceptions[namespace] = true
			}
			effect, bare, ok := effectOf(name)
			if !ok {
				continue
			}
			definitions[namespace+"."+name] = append(definitions[namespace+"."+name], r)
			made := rule{namespace: namespace, name: name, effect: effect, bare: bare, file: file, line: r.Loc().Row}
			if i, there := found[made.String()]; there {
				if rules[i].file == file {
					rules[i].line = min(rules[i].line, made.line)
				}
				continue
			}
			found[made.String()] = len(rules)
			rules = append(rules, made)
		}
	}
	about := aboutChanges(c)
	for i, r := range rules {
		rules[i].changes = about(definitions[r.String()])
	}
	slices.SortFunc(rules, func(a, b rule) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
	return rules, exceptions, packages
}

// headOf is the first part of what a rule defines: "deny" of deny contains msg, and of deny.tags contains msg.
func headOf(r *ast.Rule) string {
	if first, ok := r.Head.Ref()[0].Value.(ast.Var); ok {
		return string(first)
	}
	return string(r.Head.Name)
}

// prepare makes the query for a name of a package.
func (c *compiled) prepare(ctx context.Context, namespace, name string) (rego.PreparedEvalQuery, error) {
	return rego.New(
		rego.Query("data."+namespace+"."+name),
		rego.Compiler(c.compiler),
		rego.Store(c.store),
		rego.Capabilities(capabilities(c.source.version())),
		rego.StrictBuiltinErrors(true),
		withNeeds,
	).PrepareForEval(ctx)
}
