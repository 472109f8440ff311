package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/mooring-iac/mooring/policies"
)

// task is some rules of a source, asked one after the other about one input.
type task struct {
	source  *compiled
	rules   []rule
	input   ast.Value
	view    *view
	subject string // of findings that name none
}

// outcome is what came of a task.
type outcome struct{ findings, excepted []policies.Finding }

// run works through tasks, as many at a time as there are processors, and puts what they found together.
func (e *Engine) run(ctx context.Context, tasks []task) outcome {
	slots := make([]outcome, len(tasks))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(tasks)) {
		workers.Go(func() {
			for i := range next {
				slots[i] = e.work(ctx, tasks[i])
			}
		})
	}
	for i := range tasks {
		next <- i
	}
	close(next)
	workers.Wait()
	var all outcome
	for _, o := range slots {
		all.findings = append(all.findings, o.findings...)
		all.excepted = append(all.excepted, o.excepted...)
	}
	return all
}

// work asks the rules of a task. Whatever goes wrong with a rule becomes a finding that denies, and the next rule is
// asked; after a bound was met none is.
func (e *Engine) work(ctx context.Context, t task) (o outcome) {
	// What rules have in common is worked out once for all of them.
	shared := topdown.NewVirtualCache()
	excepted := map[string]exceptions{}
	for _, r := range t.rules {
		if ctx.Err() != nil {
			o.findings = append(o.findings, e.limit(ctx, t, r))
			return o
		}
		values, err := t.ask(ctx, r.query, shared)
		var found []policies.Finding
		if err == nil {
			found, err = r.findings(values, t)
		}
		if err == nil && len(found) > 0 {
			ex, asked := excepted[r.namespace]
			if !asked {
				ex, err = t.exceptions(ctx, r.namespace, shared)
				excepted[r.namespace] = ex
			}
			if err == nil && ex.cover(r) {
				o.excepted = append(o.excepted, found...)
				continue
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				o.findings = append(o.findings, e.limit(ctx, t, r))
				return o
			}
			o.findings = append(o.findings, t.failed(r, err))
			shared = topdown.NewVirtualCache() // what was worked out before the failure may be half of it
		}
		o.findings = append(o.findings, found...)
	}
	return o
}

// ask evaluates one query. No values: it is undefined. A panic in OPA is an error like others.
func (t task) ask(ctx context.Context, q rego.PreparedEvalQuery, shared topdown.VirtualCache) (values []any, err error) {
	defer func() {
		if p := recover(); p != nil {
			values, err = nil, fmt.Errorf("OPA panicked: %v", p)
		}
	}()
	set, err := q.Eval(ctx, rego.EvalParsedInput(t.input), rego.EvalTransaction(t.view), rego.EvalVirtualCache(shared), rego.EvalMetrics(metrics.NoOp()))
	if err != nil {
		return nil, err
	}
	for _, result := range set {
		for _, x := range result.Expressions {
			values = append(values, x.Value)
		}
	}
	return values, nil
}

// failed is the finding about a rule that failed, or said what is no finding.
func (t task) failed(r rule, err error) policies.Finding {
	f := policies.Finding{
		Effect: policies.Deny, Rule: ruleFailed, Subject: t.subject, File: r.file, Line: r.line, Policy: t.source.source.Name,
		Message: fmt.Sprintf("%s failed: %v", r, err),
	}
	var wrong *resultError
	if errors.As(err, &wrong) {
		f.Rule, f.Message = ruleResult, fmt.Sprintf("%s %s", r, wrong.message)
		return f
	}
	var at *topdown.Error
	if errors.As(err, &at) {
		f.Message = fmt.Sprintf("%s failed: %s", r, at.Message)
		if at.Location != nil && at.Location.File != "" {
			f.File, f.Line = at.Location.File, at.Location.Row
		}
	}
	return f
}

// limit is the finding about the rule that was asked when a bound was met.
func (e *Engine) limit(ctx context.Context, t task, r rule) policies.Finding {
	return policies.Finding{
		Effect: policies.Deny, Rule: ruleLimit, Subject: t.subject, File: r.file, Line: r.line, Policy: t.source.source.Name,
		Message: fmt.Sprintf("%s; %s was not answered", e.options.stopped(ctx), r),
	}
}

// exceptions are the names that a policy excepts for one input.
type exceptions []string

func (ex exceptions) cover(r rule) bool {
	for _, name := range ex {
		if r.exceptedBy(name) {
			return true
		}
	}
	return false
}

// exceptions asks the exception rules of a namespace.
func (t task) exceptions(ctx context.Context, namespace string, shared topdown.VirtualCache) (exceptions, error) {
	q, ok := t.source.exceptions[namespace]
	if !ok {
		return nil, nil
	}
	values, err := t.ask(ctx, q, shared)
	if err != nil {
		return nil, err
	}
	var names exceptions
	for _, value := range values {
		lists, ok := value.([]any)
		if !ok {
			return nil, &resultError{"cannot be excepted: exception has to be a set of lists of names"}
		}
		for _, list := range lists {
			members, ok := list.([]any)
			if !ok {
				return nil, &resultError{"cannot be excepted: a member of exception is not a list of names"}
			}
			for _, m := range members {
				if name, ok := m.(string); ok {
					names = append(names, name)
				}
			}
		}
	}
	return names, nil
}
