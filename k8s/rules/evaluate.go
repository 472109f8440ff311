package rules

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
)

// Verdict is what a rule says of an object.
type Verdict struct {
	Healthy, Failed bool   // both false: not healthy yet
	Message         string // the rule's own, or why it could not be evaluated
}

// Evaluate asks the rule about an object, given as decoded JSON. A rule that cannot be evaluated, because a field
// it reads is not there yet or it costs too much, says so and means "not yet".
func (r *Rule) Evaluate(object map[string]any) Verdict {
	vars := map[string]any{"object": object}
	var v Verdict
	if r.failed != nil {
		// A field that is missing is no failure.
		if failed, err := truth(r.failed, vars); err == nil && failed {
			v.Failed = true
		}
	}
	if !v.Failed {
		var err error
		if v.Healthy, err = truth(r.healthy, vars); err != nil {
			v.Message = "its health rule cannot be evaluated yet: " + err.Error()
		}
	}
	if r.message != nil && !v.Healthy {
		if text, err := evaluate[string](r.message, vars); err == nil && strings.TrimSpace(text) != "" {
			v.Message = text
		}
	}
	return v
}

func truth(p cel.Program, vars map[string]any) (bool, error) { return evaluate[bool](p, vars) }

func evaluate[T any](p cel.Program, vars map[string]any) (T, error) {
	var none T
	out, _, err := p.Eval(vars)
	if err != nil {
		return none, err
	}
	v, ok := out.Value().(T)
	if !ok {
		return none, fmt.Errorf("the expression gives %s, and must give %T", out.Type().TypeName(), none)
	}
	return v, nil
}
