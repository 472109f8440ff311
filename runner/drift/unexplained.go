package drift

import (
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// restated reports whether a commit says something else of a resource that stays as it is: it moved, is imported or is
// no longer managed.
func restated(rc *tfjson.ResourceChange) bool {
	return rc.Change.Importing != nil || moved(rc) || slices.Contains(rc.Change.Actions, tfjson.ActionForget)
}

func moved(rc *tfjson.ResourceChange) bool {
	return rc.PreviousAddress != "" && rc.PreviousAddress != rc.Address
}

// forcing are the attributes that force a replacement; they need not differ.
func forcing(rc *tfjson.ResourceChange) []difference {
	var out []difference
	for _, p := range rc.Change.ReplacePaths {
		if steps, ok := p.([]any); ok {
			path := make([]any, 0, len(steps))
			for _, s := range steps {
				path = append(path, index(s))
			}
			out = append(out, difference{path: path})
		}
	}
	return out
}

const tainted = "it is tainted"

// remark is what else a plan says of a change; of one without fields, what forces it, too.
func remark(rc *tfjson.ResourceChange, bare bool) string {
	var out []string
	if rc.ActionReason == tfjson.ActionReasonReplaceBecauseTainted {
		out = append(out, tainted)
	}
	if forces := forcing(rc); bare && len(forces) > 0 {
		out = append(out, "because of "+written(forces[0].path))
	}
	if moved(rc) {
		out = append(out, "moved from "+rc.PreviousAddress)
	}
	if rc.Change.Importing != nil {
		out = append(out, "to be imported")
	}
	if slices.Contains(rc.Change.Actions, tfjson.ActionForget) {
		out = append(out, "to be forgotten")
	}
	return strings.Join(out, ", ")
}

// deferred are changes that Terraform puts off because it does not know enough: nothing is known of them here, either.
func (c *classifier) deferred(all []*tfjson.DeferredResourceChange, seen map[string]bool) {
	for _, d := range all {
		if d == nil || d.ResourceChange == nil || d.ResourceChange.Change == nil || seen[instance(d.ResourceChange)] {
			continue
		}
		seen[instance(d.ResourceChange)] = true
		f := Finding{Address: instance(d.ResourceChange), Kind: d.ResourceChange.Type, Class: Churn, Change: Changed, Action: "none", Message: "deferred"}
		if c.otherwise(nodeOf(d.ResourceChange)) == Undeployed {
			f.Class = Undeployed
		}
		if d.Reason != "" {
			f.Message += ": " + strings.ReplaceAll(d.Reason, "_", " ")
		}
		c.find(f, nil)
	}
}

// reads finds the data sources that would be read during an apply.
func (c *classifier) reads(all []*tfjson.ResourceChange) {
	seen := map[string]bool{}
	for _, rc := range all {
		if rc == nil || seen[rc.Address] || rc.Change == nil || rc.Mode != tfjson.DataResourceMode || !rc.Change.Actions.Read() {
			continue
		}
		seen[rc.Address] = true
		f := Finding{Address: rc.Address, Kind: rc.Type, Class: Churn, Change: Changed, Action: "none", Message: "read during an apply"}
		if c.otherwise(nodeOf(rc)) == Undeployed {
			f.Class = Undeployed
		}
		c.find(f, nil)
	}
}

// outputs finds the outputs that differ where no resource does.
func (c *classifier) outputs(all map[string]*tfjson.Change) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x := all[name]
		if x == nil || x.Actions.NoOp() {
			continue
		}
		under := func(v any) any { return map[string]any{"value": v} }
		f := Finding{Address: "output." + name, Kind: "output", Class: c.otherwise(node("", "output."+name)), Change: Changed, Action: action(x.Actions)}
		secrets := []any{under(x.BeforeSensitive), under(x.AfterSensitive)}
		for _, d := range differences(object{value: under(x.Before)}, object{under(x.After), under(x.AfterUnknown)}, secrets) {
			f.Fields = append(f.Fields, Field{Path: written(d.path), Old: d.new, New: d.old, Secret: d.secret, Planned: true, Unknown: d.unknown})
		}
		c.find(f, nil)
	}
}
