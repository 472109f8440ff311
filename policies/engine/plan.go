package engine

import (
	"context"
	"fmt"
	"runtime"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mooring-iac/mooring/policies"
)

// Plan asks the rules about a plan: what terraform show -json says of the saved plan. The input of rules is the plan
// itself, with "(sensitive)" for what is marked so. A plan that cannot be read is denied, with rules or without.
func (e *Engine) Plan(ctx context.Context, plan []byte, facts policies.Facts) policies.Verdict {
	if e == nil || !e.loaded {
		return Broken(nil)
	}
	return e.judge(ctx, func() ([]task, error) {
		input, err := e.planInput(plan)
		if err != nil {
			return nil, err
		}
		known, err := factsTerm(facts)
		if err != nil {
			return nil, err
		}
		beside := map[string]*ast.Term{"mooring": known, "conftest": conftest("plan.json", facts.Dir)}
		var tasks []task
		for _, c := range e.sources {
			shown := c.store.base.with(beside)
			for _, some := range parts(c.rules, runtime.GOMAXPROCS(0)) {
				tasks = append(tasks, task{source: c, rules: some, input: input, view: shown})
			}
		}
		return tasks, nil
	})
}

// judge runs what prepare makes, within the bounds.
func (e *Engine) judge(ctx context.Context, prepare func() ([]task, error)) (v policies.Verdict) {
	ctx, stop := e.options.bound(ctx)
	defer stop()
	v = policies.Verdict{Digest: e.digest, Rules: e.Rules()}
	defer func() {
		if p := recover(); p != nil {
			v.Findings = append(v.Findings, unread(fmt.Errorf("%v", p)))
		}
	}()
	tasks, err := prepare()
	if err != nil {
		v.Findings = []policies.Finding{unread(err)}
		return v
	}
	o := e.run(ctx, tasks)
	v.Findings, v.Excepted = o.findings, o.excepted
	policies.Sort(v.Findings)
	policies.Sort(v.Excepted)
	return v
}

// unread is the finding about what cannot be judged.
func unread(err error) policies.Finding {
	return policies.Finding{Effect: policies.Deny, Rule: ruleInput, Message: err.Error()}
}

// parts deals rules out to n hands. Rules of a package go to one hand where there are packages enough for all: what they
// have in common is worked out once then.
func parts(rules []rule, n int) [][]rule {
	packages := map[string]int{}
	for _, r := range rules {
		if _, there := packages[r.namespace]; !there {
			packages[r.namespace] = len(packages)
		}
	}
	n = min(max(n, 1), len(rules))
	all := make([][]rule, n)
	for i, r := range rules {
		if len(packages) >= n {
			i = packages[r.namespace]
		}
		all[i%n] = append(all[i%n], r)
	}
	return all
}

// factsTerm is data.mooring. A list that nobody filled is an empty one: rules count its members.
func factsTerm(facts policies.Facts) (*ast.Term, error) {
	if facts.Changed == nil {
		facts.Changed = []string{}
	}
	if facts.Approvals == nil {
		facts.Approvals = []policies.Approval{}
	}
	value, err := ast.InterfaceToValue(facts)
	if err != nil {
		return nil, fmt.Errorf("the facts of the run: %w", err)
	}
	return ast.NewTerm(value), nil
}

// conftest is data.conftest: the file that Conftest says it tests.
func conftest(name, dir string) *ast.Term {
	return newTerms().of(map[string]any{"file": map[string]any{"name": name, "dir": dir}})
}
