package redact

import (
	"encoding/json"
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
)

// FromPlan is every value that a plan marks as sensitive, sorted: in the changes of
// resources, drift, outputs and actions, in the planned values and the state before, in
// variables that are declared sensitive, and the constants that the configuration gives
// to sensitive variables and outputs of any module. A nil plan has none. Ephemeral and
// write-only values are not in a plan.
func FromPlan(p *tfjson.Plan) []string {
	if p == nil {
		return nil
	}
	var c collector
	for _, rc := range slices.Concat(p.ResourceChanges, p.ResourceDrift) {
		c.resource(rc)
	}
	for _, d := range p.DeferredChanges {
		if d != nil {
			c.resource(d.ResourceChange)
		}
	}
	for _, change := range p.OutputChanges {
		c.change(change)
	}
	for _, a := range p.ActionInvocations {
		if a != nil {
			c.marked(a.ConfigValues, a.ConfigSensitive)
		}
	}
	c.values(p.PlannedValues)
	if p.PriorState != nil {
		c.values(p.PriorState.Values)
	}
	if p.Config != nil && p.Config.RootModule != nil {
		for name, v := range p.Config.RootModule.Variables {
			if given := p.Variables[name]; v != nil && v.Sensitive && given != nil {
				c.all(given.Value)
			}
		}
		c.module(p.Config.RootModule)
	}
	slices.Sort(c.found)
	return slices.DeleteFunc(slices.Compact(c.found), plain)
}

// plain says that a value is one of a few which every text has.
func plain(s string) bool {
	return s == "" || s == "true" || s == "false" || s == "null"
}

type collector struct{ found []string }

func (c *collector) all(value any) { c.found = leaves(value, c.found) }

// marked collects from a value where its marks, a value of the same shape, say true. Of a
// value whose marks have another shape all is collected.
func (c *collector) marked(value, marks any) {
	switch m := marks.(type) {
	case nil:
	case bool:
		if m {
			c.all(value)
		}
	case map[string]any:
		v, ok := value.(map[string]any)
		if !ok && len(m) > 0 {
			c.all(value)
		}
		for k, e := range m {
			c.marked(v[k], e)
		}
	case []any:
		v, ok := value.([]any)
		if !ok && len(m) > 0 {
			c.all(value)
			return
		}
		if len(m) > len(v) { // which is which cannot be told
			c.all(value)
			return
		}
		for i, e := range m {
			c.marked(v[i], e)
		}
	default:
		c.all(value)
	}
}

func (c *collector) resource(rc *tfjson.ResourceChange) {
	if rc != nil {
		c.change(rc.Change)
	}
}

func (c *collector) change(change *tfjson.Change) {
	if change == nil {
		return
	}
	c.marked(change.Before, change.BeforeSensitive)
	c.marked(change.After, change.AfterSensitive)
}

func (c *collector) values(v *tfjson.StateValues) {
	if v == nil {
		return
	}
	for _, o := range v.Outputs {
		if o != nil && o.Sensitive {
			c.all(o.Value)
		}
	}
	c.stateModule(v.RootModule)
}

func (c *collector) stateModule(m *tfjson.StateModule) {
	if m == nil {
		return
	}
	for _, r := range m.Resources {
		if r == nil || len(r.SensitiveValues) == 0 {
			continue
		}
		var marks any
		if err := json.Unmarshal(r.SensitiveValues, &marks); err != nil {
			marks = true // not to be told, so all of it
		}
		c.marked(map[string]any(r.AttributeValues), marks)
	}
	for _, child := range m.ChildModules {
		c.stateModule(child)
	}
}

// module collects what the configuration itself says.
func (c *collector) module(m *tfjson.ConfigModule) {
	if m == nil {
		return
	}
	for _, v := range m.Variables {
		if v != nil && v.Sensitive {
			c.all(v.Default)
		}
	}
	for _, o := range m.Outputs {
		if o != nil && o.Sensitive {
			c.constant(o.Expression)
		}
	}
	for _, call := range m.ModuleCalls {
		if call == nil || call.Module == nil {
			continue
		}
		for name, v := range call.Module.Variables {
			if v != nil && v.Sensitive {
				c.constant(call.Expressions[name])
			}
		}
		c.module(call.Module)
	}
}

func (c *collector) constant(e *tfjson.Expression) {
	if e != nil && e.ExpressionData != nil {
		c.all(e.ConstantValue)
	}
}
