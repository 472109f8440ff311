// Package rules holds health rules that people write themselves, in CEL: what makes an object of a kind healthy or
// broken. An expression sees one variable, object, and nothing else; what it may cost is bounded.
package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
)

const (
	// costLimit bounds one evaluation, in CEL's own units: a rule over a list of a thousand conditions costs about
	// ten thousand.
	costLimit = 1_000_000
	// maxLength bounds an expression, in bytes.
	maxLength = 4096
)

// Text is a rule as it was written.
type Text struct {
	Kind    string // "group/Kind"; "Kind" alone for the core group
	Healthy string // true: the object is healthy
	Failed  string // true: it will not become so; "" for never
	Message string // what is said of it while it is not healthy; "" for nothing
}

// Rule is one compiled rule. It is safe for concurrent use.
type Rule struct {
	Group, Kind              string
	healthy, failed, message cel.Program // the last two may be nil
}

// Rules are compiled rules by group and kind. The zero value has none.
type Rules struct {
	by map[[2]string]*Rule
}

// New collects rules; of two for one kind the later counts.
func New(all ...*Rule) Rules {
	r := Rules{by: make(map[[2]string]*Rule, len(all))}
	for _, rule := range all {
		r.by[[2]string{rule.Group, rule.Kind}] = rule
	}
	return r
}

// For returns the rule of a kind, nil when there is none.
func (r Rules) For(group, kind string) *Rule { return r.by[[2]string{group, kind}] }

// FieldError is a fault in one field of a Text: Kind, Healthy, Failed or Message.
type FieldError struct {
	Field string // kind, healthy, failed, message
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the fault.
func (e *FieldError) Unwrap() error { return e.Err }

// Compiler compiles rules.
type Compiler struct{ env *cel.Env }

// NewCompiler sets up the language: CEL's standard functions and macros, and optional fields.
func NewCompiler() (*Compiler, error) {
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType), cel.OptionalTypes(),
		cel.ParserExpressionSizeLimit(maxLength), cel.ParserRecursionLimit(50))
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	return &Compiler{env: env}, nil
}

// Compile checks a rule. The error joins a *FieldError for each faulty field.
func (c *Compiler) Compile(t Text) (*Rule, error) {
	r := &Rule{}
	var errs []error
	fail := func(field string, err error) {
		if err != nil {
			errs = append(errs, &FieldError{Field: field, Err: err})
		}
	}
	var err error
	r.Group, r.Kind, err = split(t.Kind)
	fail("kind", err)
	if t.Healthy == "" {
		fail("healthy", errors.New("a rule says what healthy is"))
	}
	for _, e := range []struct {
		field, text string
		want        *cel.Type
		into        *cel.Program
	}{
		{"healthy", t.Healthy, cel.BoolType, &r.healthy},
		{"failed", t.Failed, cel.BoolType, &r.failed},
		{"message", t.Message, cel.StringType, &r.message},
	} {
		if e.text != "" {
			*e.into, err = c.program(e.text, e.want)
			fail(e.field, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return r, nil
}

// split reads "group/Kind".
func split(label string) (group, kind string, err error) {
	group, kind, found := strings.Cut(label, "/")
	if !found {
		group, kind = "", label
	}
	switch {
	case kind == "" || strings.ContainsAny(kind, "/ .") || kind[0] < 'A' || kind[0] > 'Z' || found && group == "":
		return "", "", fmt.Errorf("%q is no kind; write \"group/Kind\" without a version, \"example.com/Widget\", or \"Pod\" for the core group", label)
	case found && group == "v1":
		return "", "", fmt.Errorf("%q has a version where the group belongs; write %q for the core group", label, kind)
	case group == "" && kind == "Secret":
		// What a rule says is shown.
		return "", "", errors.New("a Secret is healthy once it is there, and no expression may read one")
	}
	return group, kind, nil
}

func (c *Compiler) program(text string, want *cel.Type) (cel.Program, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("the expression is longer than %d bytes", maxLength)
	}
	ast, issues := c.env.Compile(text)
	if issues.Err() != nil {
		e := issues.Errors()[0]
		return nil, fmt.Errorf("column %d: %s", e.Location.Column()+1, e.Message)
	}
	if t := ast.OutputType(); !t.IsExactType(want) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the expression gives %s, and must give %s", t, want)
	}
	p, err := c.env.Program(ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return p, nil
}
