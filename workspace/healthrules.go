package workspace

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/k8s/rules"
)

// parseHealth compiles the health blocks.
func parseHealth(blocks hcl.Blocks) (rules.Rules, hcl.Diagnostics) {
	if len(blocks) == 0 {
		return rules.Rules{}, nil
	}
	compiler, err := rules.NewCompiler()
	if err != nil {
		return rules.Rules{}, hcl.Diagnostics{fault(blocks[0].DefRange, "Health rules", sentence(err))}
	}
	var all []*rules.Rule
	var diags hcl.Diagnostics
	first := map[string]hcl.Range{}
	for _, hb := range blocks {
		label := hb.Labels[0]
		if at, twice := first[label]; twice {
			diags = append(diags, fault(hb.DefRange, "Duplicate health rule", fmt.Sprintf("There is one for %q already in line %d.", label, at.Start.Line)))
			continue
		}
		first[label] = hb.DefRange
		rule, more := parseHealthRule(compiler, hb)
		diags = append(diags, more...)
		if rule != nil {
			all = append(all, rule)
		}
	}
	return rules.New(all...), diags
}

func parseHealthRule(compiler *rules.Compiler, hb *hcl.Block) (*rules.Rule, hcl.Diagnostics) {
	content, diags := hb.Body.Content(healthSchema)
	text := rules.Text{Kind: hb.Labels[0]}
	at := map[string]hcl.Range{"kind": hb.LabelRanges[0], "healthy": hb.DefRange}
	for name, into := range map[string]*string{"healthy": &text.Healthy, "failed": &text.Failed, "message": &text.Message} {
		attr := content.Attributes[name]
		if attr == nil {
			continue
		}
		var more hcl.Diagnostics
		*into, more = stringValue(attr, nil)
		diags = append(diags, more...)
		at[name] = attr.Expr.Range()
	}
	if diags.HasErrors() {
		return nil, diags
	}
	rule, err := compiler.Compile(text)
	for _, e := range fieldErrors(err) {
		summary := "Bad " + e.Field
		if e.Field == "kind" {
			summary = "Bad health rule"
		}
		diags = append(diags, fault(at[e.Field], summary, sentence(e.Err)))
	}
	return rule, diags
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
