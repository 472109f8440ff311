package pack

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mooring-iac/mooring/policies"
)

// Kind is what a rule judges.
type Kind string

// The kinds of rules, as their directories are called.
const (
	Terraform  Kind = "terraform"  // plans
	Kubernetes Kind = "kubernetes" // manifests and what a set would do
)

// Off is the effect of a rule that says nothing; policies has no name for it.
const Off policies.Effect = "off"

// Rule is one rule as its annotations tell of it.
type Rule struct {
	ID          string // such as "terraform.stateful"
	Title       string
	Description string
	Remedy      string
	Kind        Kind
	Effect      policies.Effect // where the server sets none
	Settings    []Setting       // its own; every rule has Common, too
}

// Setting is something that a server may set for a rule.
type Setting struct {
	Name    string
	Default any    // string, bool, float64 or []any
	Of      string // what a list holds: "string" or "number"
	Help    string
}

// Rules are all rules, by kind and name. They panic if the rules that were built in cannot be read, which a test forbids.
func Rules() []Rule {
	rules, err := readRules(files)
	if err != nil {
		panic(err)
	}
	return rules
}

// Common are the settings that every rule has beside its effect.
func Common() []Setting {
	a, err := annotations(files, "lib/lib.rego")
	if err != nil {
		panic(err)
	}
	return settingsOf(a)
}

func readRules(from fs.FS) ([]Rule, error) {
	var rules []Rule
	for _, kind := range []Kind{Terraform, Kubernetes} {
		names, err := fs.Glob(from, string(kind)+"/*.rego")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			a, err := annotations(from, name)
			if err != nil {
				return nil, err
			}
			if a == nil { // a second file of a rule
				continue
			}
			r := ruleOf(kind, a)
			if want := string(kind) + "." + strings.TrimSuffix(path.Base(name), ".rego"); r.ID != want {
				return nil, fmt.Errorf("%s: its id is %q, not %q", name, r.ID, want)
			}
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// annotations are those of the package that a file begins; nil where it has none.
func annotations(from fs.FS, name string) (*ast.Annotations, error) {
	src, err := fs.ReadFile(from, name)
	if err != nil {
		return nil, err
	}
	m, err := ast.ParseModuleWithOpts(name, string(src), ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, err
	}
	for _, a := range m.Annotations {
		if a.Scope == "package" {
			return a, nil
		}
	}
	return nil, nil
}

func ruleOf(kind Kind, a *ast.Annotations) Rule {
	r := Rule{Title: a.Title, Description: a.Description, Kind: kind}
	r.ID, _ = a.Custom["id"].(string)
	r.Remedy, _ = a.Custom["remedy"].(string)
	effect, _ := a.Custom["effect"].(string)
	r.Effect = policies.Effect(effect)
	r.Settings = settingsOf(a)
	return r
}

func settingsOf(a *ast.Annotations) []Setting {
	values, _ := a.Custom["settings"].(map[string]any)
	help, _ := a.Custom["help"].(map[string]any)
	of, _ := a.Custom["of"].(map[string]any)
	settings := make([]Setting, 0, len(values))
	for name, v := range values {
		s := Setting{Name: name, Default: number(v), Of: "string"}
		s.Help, _ = help[name].(string)
		if of, ok := of[name].(string); ok {
			s.Of = of
		}
		settings = append(settings, s)
	}
	slices.SortFunc(settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	return settings
}
