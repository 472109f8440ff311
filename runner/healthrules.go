package runner

import (
	"errors"

	"github.com/mooring-iac/mooring/k8s/rules"
	"github.com/mooring-iac/mooring/workspace"
)

// healthRules compiles what mooring.hcl says of the health of kinds.
func healthRules(all []workspace.HealthRule) (rules.Rules, error) {
	if len(all) == 0 {
		return rules.Rules{}, nil
	}
	compiler, err := rules.NewCompiler()
	if err != nil {
		return rules.Rules{}, err
	}
	var compiled []*rules.Rule
	for _, r := range all {
		rule, err := compiler.Compile(rules.Text(r))
		if err != nil {
			return rules.Rules{}, err
		}
		compiled = append(compiled, rule)
	}
	return rules.New(compiled...), nil
}

// HealthFaults finds what is wrong with a rule, so that a scan says it with its place in the file.
func HealthFaults(r workspace.HealthRule) []workspace.HealthFault {
	compiler, err := rules.NewCompiler()
	if err != nil {
		return []workspace.HealthFault{{Part: "kind", Err: err}}
	}
	_, err = compiler.Compile(rules.Text(r))
	var faults []workspace.HealthFault
	for _, e := range fieldErrors(err) {
		faults = append(faults, workspace.HealthFault{Part: e.Field, Err: e.Err})
	}
	return faults
}

// fieldErrors takes the faults of a rule apart.
func fieldErrors(err error) []*rules.FieldError {
	var all []*rules.FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, fieldErrors(e)...)
		}
		return all
	}
	var one *rules.FieldError
	if errors.As(err, &one) {
		all = append(all, one)
	}
	return all
}
