package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mooring-iac/mooring/policies"
)

// Problem is why policies could not be loaded: one cause.
type Problem struct {
	Source  string // the name of the source
	File    string // "" where it is no file
	Line    int    // from 1; 0 where it is not known
	Message string
	Remedy  string // "" where there is none to say
}

func (p Problem) String() string {
	place := p.File
	if place != "" && p.Line > 0 {
		place = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	var parts []string
	for _, part := range []string{p.Source, place, p.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// LoadError is why there is no engine.
type LoadError struct {
	Problems []Problem // at least one
}

func (e *LoadError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "policies: " + strings.Join(lines, "\n")
}

// The rules that the engine's own findings name.
const (
	ruleLoad   = "policy.load"   // policies that could not be loaded
	ruleInput  = "policy.input"  // what is to be judged cannot be read
	ruleFailed = "policy.failed" // a rule that failed
	ruleResult = "policy.result" // a rule that said what is not a finding
	ruleLimit  = "policy.limit"  // a rule that needed too much time or memory
)

// Broken is the verdict where policies could not be loaded: it denies. A nil error denies too, for it is not known
// what happened.
func Broken(err error) policies.Verdict {
	var load *LoadError
	if errors.As(err, &load) {
		var all []policies.Finding
		for _, p := range load.Problems {
			all = append(all, policies.Finding{
				Effect: policies.Deny, Rule: ruleLoad, Message: p.Message, File: p.File, Line: p.Line, Remedy: p.Remedy, Policy: p.Source,
			})
		}
		if len(all) > 0 {
			policies.Sort(all)
			return policies.Verdict{Findings: all}
		}
	}
	message := "policies were not loaded"
	if err != nil {
		message += ": " + err.Error()
	}
	return policies.Verdict{Findings: []policies.Finding{{Effect: policies.Deny, Rule: ruleLoad, Message: message}}}
}

// problemsOf reads what OPA's parser and compiler say.
func (s Source) problemsOf(err error, file string) []Problem {
	var all ast.Errors
	if !errors.As(err, &all) {
		return []Problem{{Source: s.Name, File: file, Message: err.Error()}}
	}
	var problems []Problem
	for _, e := range all {
		p := Problem{Source: s.Name, File: file, Message: e.Message}
		if e.Location != nil && e.Location.File != "" {
			p.File, p.Line = e.Location.File, e.Location.Row
		}
		if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
			p.Message, p.Remedy = undefined(name)
		}
		problems = append(problems, p)
	}
	return problems
}

// undefined says of a function that is not there why it is not.
func undefined(name string) (message, remedy string) {
	if why, ok := refused[name]; ok {
		return fmt.Sprintf("%s is not there for policies: %s", name, why), "Use what data.mooring says of the run, or put what the rule needs into a data file."
	}
	if strings.HasPrefix(name, "parse_config") || strings.HasPrefix(name, "parse_combined_config") {
		return fmt.Sprintf("%s is a function of Conftest's tests that Mooring does not have", name), "Write the input into the test, or into a data file whose name ends in _test.json."
	}
	return "undefined function " + name, ""
}
