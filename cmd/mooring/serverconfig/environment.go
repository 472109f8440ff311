package serverconfig

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// environment is what one of env, init_env, plan_env and apply_env says: the
// variables of Mooring's environment that are passed on, and those that get a
// value of their own.
type environment struct {
	names  []string          // NAME or PREFIX_*
	values map[string]string // nil for none

	passed []passed // what is passed on and from where, for the places of messages
}

// passed is a variable of Mooring's environment that Terraform gets to see.
type passed struct {
	from string // NAME or PREFIX_* in Mooring's environment
	at   hcl.Range
}

var (
	envPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// envNames is a list of names and prefixes.
func (d *decoder) envNames(a *hcl.Attribute) environment {
	var e environment
	for _, item := range d.items(a) {
		switch {
		case !envPattern.MatchString(item.text):
			d.fail(item.at, "Not a variable's name", fmt.Sprintf("Each entry of %s is a name (\"AWS_REGION\") or a prefix (\"AWS_*\"). %q is neither.", a.Name, item.text))
		default:
			d.notOwned(item.at, a.Name, item.text)
		}
		e.names = append(e.names, item.text)
		e.passed = append(e.passed, passed{item.text, item.at})
	}
	return e
}

// envOf is a list as in envNames, or an object of values: the same name can then
// have one value in a plan and another in an apply.
func (d *decoder) envOf(a *hcl.Attribute) environment {
	if a == nil {
		return environment{}
	}
	object, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return d.envNames(a)
	}
	// Read by its shape and not evaluated, as secretBytes does: no message of HCL
	// can then hold a value.
	e := environment{values: map[string]string{}}
	first := map[string]hcl.Range{}
	for _, pair := range object.Items {
		at := pair.KeyExpr.Range()
		name, ok := literalKey(pair.KeyExpr)
		if !ok || !envName.MatchString(name) {
			d.fail(at, "Not a variable's name", fmt.Sprintf("Each key of %s is the plain name of a variable, such as AWS_ACCESS_KEY_ID.", a.Name))
			continue
		}
		if before, twice := first[name]; twice {
			d.fail(at, "Duplicate variable", fmt.Sprintf("%s has %s already at %s.", a.Name, name, place(before)))
			continue
		}
		first[name] = at
		d.notOwned(at, a.Name, name)
		e.values[name] = d.envValue(&hcl.Attribute{Name: a.Name + " " + name, Expr: pair.ValueExpr, Range: hcl.RangeBetween(at, pair.ValueExpr.Range()), NameRange: at})
		if source := envSource(pair.ValueExpr); source != "" {
			e.passed = append(e.passed, passed{source, at})
		}
	}
	return e
}

// envValue is env("NAME"), file("path") or a plain string; it may be of several
// lines, as the credentials of some clouds are.
func (d *decoder) envValue(a *hcl.Attribute) string {
	if call, ok := a.Expr.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "env" || call.Name == "file") {
		s := strings.TrimRight(d.secretBytes(a), "\r\n")
		if strings.Contains(s, "\x00") {
			d.fail(a.Expr.Range(), "Not text", fmt.Sprintf("%s holds a zero byte, which no variable can.", a.Name))
		}
		return s
	}
	s, ok := literal(a.Expr)
	if !ok || strings.Contains(s, "\x00") {
		d.fail(a.Expr.Range(), "Wrong value", fmt.Sprintf("%s is env(\"NAME\"), file(\"path\") or a plain string in quotes, and nothing around it.", a.Name))
		return ""
	}
	return s
}

// envSource names the variable that an env("NAME") reads; "" for another value.
func envSource(e hcl.Expression) string {
	if call, ok := e.(*hclsyntax.FunctionCallExpr); ok && call.Name == "env" {
		name, _ := literalArgument(call)
		return name
	}
	return ""
}

func literalKey(e hclsyntax.Expression) (string, bool) {
	key, ok := e.(*hclsyntax.ObjectConsKeyExpr)
	if !ok || key.ForceNonLiteral {
		return "", false
	}
	if word := hcl.ExprAsKeyword(key.Wrapped); word != "" {
		return word, true
	}
	return literal(key.Wrapped)
}

// literal returns the text of a string with nothing to evaluate in it.
func literal(e hcl.Expression) (string, bool) {
	tmpl, ok := e.(*hclsyntax.TemplateExpr)
	if !ok || !tmpl.IsStringLiteral() {
		return "", false
	}
	v, diags := tmpl.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// notOwned refuses a name, or a prefix, that would change what a command means
// behind the plan that a person reads.
func (d *decoder) notOwned(at hcl.Range, key, pattern string) {
	if terraform.Owned(strings.TrimSuffix(pattern, "*")) {
		d.fail(at, "Mooring sets this variable", fmt.Sprintf("%s cannot hold %s: it would change what Terraform does behind the plan that a person reads. Use variables, var_files, backend_config or workspace of mooring.hcl, or cli_config.", key, pattern))
	}
}

// environments are the four of the server, or of a repository.
type environments struct{ env, init, plan, apply environment }

func (d *decoder) environments(at hcl.Attributes) environments {
	return environments{env: d.envNames(at["env"]), init: d.envNames(at["init_env"]), plan: d.envOf(at["plan_env"]), apply: d.envOf(at["apply_env"])}
}

// applyAlone warns of credentials that are meant for apply and reach plans by
// another key of the server or of the same repository.
func (d *decoder) applyAlone(apply environment, others environments) {
	for _, p := range apply.passed {
		covering := func(pattern string) bool { return covers(pattern, p.from) }
		key, names := "env", others.env.names
		if !slices.ContainsFunc(names, covering) {
			key, names = "plan_env", others.plan.names
		}
		if i := slices.IndexFunc(names, covering); i >= 0 {
			d.warn(p.at, "Plans see this variable too", fmt.Sprintf("apply_env is for apply alone, and %s passes %s on to plans (%q). Take it out there, or name the variables one by one.", key, p.from, names[i]))
		}
	}
}

// covers tells that each variable that b names is named by a as well.
func covers(a, b string) bool {
	prefix, many := strings.CutSuffix(a, "*")
	return a == b || many && strings.HasPrefix(strings.TrimSuffix(b, "*"), prefix)
}

// item is one string of a list, with its place.
type item struct {
	text string
	at   hcl.Range
}

func (d *decoder) items(a *hcl.Attribute) []item {
	texts := d.list(a)
	if len(texts) == 0 {
		return nil
	}
	exprs, diags := hcl.ExprList(a.Expr)
	all := make([]item, len(texts))
	for i, text := range texts {
		all[i] = item{text, a.Expr.Range()}
		if !diags.HasErrors() && len(exprs) == len(texts) {
			all[i].at = exprs[i].Range()
		}
	}
	return all
}
