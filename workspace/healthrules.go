package workspace

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// HealthRule is what a health block says of a kind, in CEL.
type HealthRule struct {
	Kind    string // "group/Kind"; "Kind" alone for the core group
	Healthy string
	Failed  string // "" when nothing was said
	Message string // "" when nothing was said
}

// HealthFault is what is wrong with one part of a rule: kind, healthy, failed or message.
type HealthFault struct {
	Part string
	Err  error
}

// parseHealth reads the health blocks; check, if there is one, looks at what each says.
func parseHealth(blocks hcl.Blocks, check func(HealthRule) []HealthFault) ([]HealthRule, hcl.Diagnostics) {
	var all []HealthRule
	var diags hcl.Diagnostics
	first := map[string]hcl.Range{}
	for _, hb := range blocks {
		label := hb.Labels[0]
		if at, twice := first[label]; twice {
			diags = append(diags, fault(hb.DefRange, "Duplicate health rule", fmt.Sprintf("There is one for %q already in line %d.", label, at.Start.Line)))
			continue
		}
		first[label] = hb.DefRange
		rule, more := parseHealthRule(hb, check)
		diags = append(diags, more...)
		all = append(all, rule)
	}
	return all, diags
}

func parseHealthRule(hb *hcl.Block, check func(HealthRule) []HealthFault) (HealthRule, hcl.Diagnostics) {
	content, diags := hb.Body.Content(healthSchema)
	rule := HealthRule{Kind: hb.Labels[0]}
	at := map[string]hcl.Range{"kind": hb.LabelRanges[0], "healthy": hb.DefRange}
	for name, into := range map[string]*string{"healthy": &rule.Healthy, "failed": &rule.Failed, "message": &rule.Message} {
		attr := content.Attributes[name]
		if attr == nil {
			continue
		}
		var more hcl.Diagnostics
		*into, more = stringValue(attr, nil)
		diags = append(diags, more...)
		at[name] = attr.Expr.Range()
	}
	if diags.HasErrors() || check == nil {
		return rule, diags
	}
	for _, f := range check(rule) {
		summary := "Bad " + f.Part
		if f.Part == "kind" {
			summary = "Bad health rule"
		}
		diags = append(diags, fault(at[f.Part], summary, sentence(f.Err)))
	}
	return rule, diags
}
