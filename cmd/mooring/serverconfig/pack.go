package serverconfig

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mooring-iac/mooring/policies/pack"
)

// Pack says which of the rules that come with Mooring are asked.
type Pack struct {
	Enabled      bool
	Rules        []PackRule
	Repositories []string // none means all
}

// PackRule tunes one rule of the pack.
type PackRule struct {
	ID       string
	Settings map[string]any // effect among them; numbers are float64
}

var (
	packSchema = &hcl.BodySchema{
		Attributes: attributes("repositories").Attributes,
		Blocks:     []hcl.BlockHeaderSchema{{Type: "rule", LabelNames: []string{"id"}}},
	}
	packRuleSchema = attributes("effect", "settings")
)

func (d *decoder) pack(b *hcl.Block) Pack {
	if b == nil {
		return Pack{}
	}
	content := d.content(b.Body, packSchema)
	p := Pack{Enabled: true, Repositories: d.repositoryNames(content.Attributes["repositories"])}
	if len(content.Blocks) == 0 {
		return p // the rules are read only where one of them is tuned
	}
	rules := pack.Rules()
	seen := map[string]hcl.Range{}
	for _, one := range content.Blocks {
		id := one.Labels[0]
		i := slices.IndexFunc(rules, func(r pack.Rule) bool { return r.ID == id })
		if first, twice := seen[id]; twice {
			d.fail(one.LabelRanges[0], "Duplicate rule", fmt.Sprintf("Rule %q is tuned already at %s.", id, place(first)))
			continue
		}
		if i < 0 {
			d.fail(one.LabelRanges[0], "Unknown rule", fmt.Sprintf("The pack has no rule %q%s. All of them: mooring policy rules.", id, suggestion(id, ids(rules))))
			continue
		}
		seen[id] = one.DefRange
		p.Rules = append(p.Rules, d.packRule(one, rules[i]))
	}
	return p
}

func ids(rules []pack.Rule) []string {
	all := make([]string, len(rules))
	for i, r := range rules {
		all[i] = r.ID
	}
	return all
}

func (d *decoder) packRule(b *hcl.Block, rule pack.Rule) PackRule {
	at := d.content(b.Body, packRuleSchema).Attributes
	r := PackRule{ID: rule.ID, Settings: d.settings(at["settings"], rule)}
	if a := at["effect"]; a != nil {
		r.Settings["effect"] = d.oneOf(a, "ask", "deny", "warn", "off")
	}
	return r
}

// settings are what a rule is tuned by: values of the types that it says.
func (d *decoder) settings(a *hcl.Attribute, rule pack.Rule) map[string]any {
	all := map[string]any{}
	if a == nil {
		return all
	}
	object, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		d.fail(a.Expr.Range(), "Wrong type", "settings is an object of values: { approvals = 2 }.")
		return all
	}
	var names []string
	for _, s := range slices.Concat(rule.Settings, pack.Common()) {
		names = append(names, s.Name)
	}
	for _, pair := range object.Items {
		at := pair.KeyExpr.Range()
		name, plain := literalKey(pair.KeyExpr)
		if plain && name == "effect" {
			d.fail(at, "Effect in settings", "The effect stands beside settings: effect = \"deny\".")
			continue
		}
		if !plain || !slices.Contains(names, name) {
			d.fail(at, "Unknown setting", fmt.Sprintf("Rule %q has the settings %s%s.", rule.ID, strings.Join(names, ", "), suggestion(name, names)))
			continue
		}
		if _, twice := all[name]; twice {
			d.fail(at, "Duplicate key", fmt.Sprintf("settings says already what %s is.", name))
			continue
		}
		if v, ok := d.setting(pair.ValueExpr, rule, name); ok {
			all[name] = v
		}
	}
	return all
}

// setting is one value, as the pack takes it.
func (d *decoder) setting(e hclsyntax.Expression, rule pack.Rule, name string) (any, bool) {
	v, diags := e.Value(nil)
	if d.diags = append(d.diags, diags...); diags.HasErrors() {
		return nil, false
	}
	var value any
	data, err := ctyjson.Marshal(v, v.Type())
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	var set map[string]any
	if err == nil {
		set, err = pack.Settings(map[string]pack.Tuning{rule.ID: {Settings: map[string]any{name: value}}})
	}
	if err != nil {
		d.fail(e.Range(), "Wrong value", strings.ToUpper(err.Error()[:1])+err.Error()[1:]+".")
		return nil, false
	}
	return set[rule.ID].(map[string]any)[name], true
}
