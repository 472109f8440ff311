package comment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// Diff is what a plan would do, in the way Terraform says it: what is destroyed
// first, then what is replaced, forgotten, changed, created, moved and read; outputs
// last. Each line begins with what is done to it: "-", "+", "!" for a change, or a
// space. Values that are sensitive before or after are never shown. Drift is left
// out. A plan that does nothing is "".
func Diff(plan *tfjson.Plan) string {
	if plan == nil {
		return ""
	}
	var blocks []block
	for _, rc := range plan.ResourceChanges {
		if rc != nil && rc.Change != nil {
			if b, ok := resource(rc); ok {
				blocks = append(blocks, b)
			}
		}
	}
	for _, d := range plan.DeferredChanges {
		if d != nil && d.ResourceChange != nil {
			blocks = append(blocks, deferred(d))
		}
	}
	for _, a := range plan.ActionInvocations {
		if a != nil {
			blocks = append(blocks, invocation(a))
		}
	}
	slices.SortStableFunc(blocks, func(a, b block) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.address, b.address), cmp.Compare(a.text, b.text))
	})
	parts := make([]string, 0, len(blocks)+1)
	for _, b := range blocks {
		parts = append(parts, b.text)
	}
	if o := outputs(plan.OutputChanges); o != "" {
		parts = append(parts, o)
	}
	return strings.Join(parts, "\n")
}

// block is what the diff says of one resource.
type block struct {
	rank    int
	address string
	text    string
}

// The ranks of blocks, in their order.
const (
	rankDelete = iota
	rankReplace
	rankForget
	rankOther // what a newer Terraform does
	rankUpdate
	rankCreate
	rankMove
	rankAction
	rankDeferred
	rankRead
)

func resource(rc *tfjson.ResourceChange) (block, bool) {
	c := rc.Change
	b := block{address: rc.Address}
	moved := rc.PreviousAddress != "" && rc.PreviousAddress != rc.Address
	mark, verb, body := "!", "", true
	does := func(a tfjson.Action) bool { return slices.Contains(c.Actions, a) }
	switch {
	case c.Actions.NoOp() && c.Importing != nil:
		b.rank, mark, verb, body = rankMove, " ", "will be "+imported(c.Importing), false
	case c.Actions.NoOp() && moved:
		b.rank, mark, verb, body = rankMove, " ", "has moved from "+oneLine(rc.PreviousAddress), false
	case c.Actions.NoOp():
		return block{}, false
	case c.Actions.Delete():
		b.rank, mark, verb = rankDelete, "-", "will be destroyed"
	case c.Actions.CreateBeforeDestroy():
		b.rank, verb = rankReplace, "must be replaced: created, then the old one destroyed"
	case c.Actions.Replace():
		b.rank, verb = rankReplace, "must be replaced: destroyed, then created"
	case does(tfjson.ActionForget) && does(tfjson.ActionCreate):
		b.rank, verb = rankReplace, "must be replaced: the old one is forgotten, not destroyed"
	case does(tfjson.ActionForget):
		b.rank, verb, body = rankForget, "will be forgotten: Terraform no longer manages it, and does not destroy it", false
	case c.Actions.Update():
		b.rank, verb = rankUpdate, "will be changed in place"
	case c.Actions.Create():
		b.rank, mark, verb = rankCreate, "+", "will be created"
	case c.Actions.Read():
		b.rank, mark, verb, body = rankRead, " ", "will be read during apply", false
	default:
		b.rank, verb = rankOther, "has actions that are not known here: "+oneLine(fmt.Sprint(c.Actions))
	}
	var t strings.Builder
	name := oneLine(rc.Address)
	if rc.DeposedKey != "" {
		name += " (deposed object " + oneLine(rc.DeposedKey) + ")"
	}
	fmt.Fprintf(&t, "%s # %s %s\n", mark, name, verb)
	for _, note := range remarks(rc, moved && verb != "has moved from "+oneLine(rc.PreviousAddress)) {
		fmt.Fprintf(&t, "  # (%s)\n", note)
	}
	if body {
		kind := "resource"
		if rc.Mode == tfjson.DataResourceMode {
			kind = "data"
		}
		w := &writer{b: &t, replaces: paths(c.ReplacePaths)}
		w.line(mark, 0, fmt.Sprintf("%s %s %s {", kind, quoted(rc.Type), quoted(rc.Name)))
		w.object(1, nil, side{c.Before, c.BeforeSensitive, nil}, side{c.After, c.AfterSensitive, c.AfterUnknown})
		w.line(mark, 0, "}")
	}
	b.text = t.String()
	return b, true
}

// remarks are what else is known of a change.
func remarks(rc *tfjson.ResourceChange, moved bool) []string {
	var out []string
	if r := reason(rc.ActionReason); r != "" {
		out = append(out, r)
	}
	if moved {
		out = append(out, "moved from "+oneLine(rc.PreviousAddress))
	}
	if im := rc.Change.Importing; im != nil && !rc.Change.Actions.NoOp() {
		out = append(out, imported(im))
	}
	return out
}

func imported(im *tfjson.Importing) string {
	switch {
	case im.ID != "":
		return "imported from " + quoted(im.ID)
	case im.Identity != nil:
		return "imported by its identity"
	}
	return "imported"
}

func reason(r tfjson.ActionReason) string {
	switch r {
	case tfjson.ActionReasonNone:
		return ""
	case tfjson.ActionReasonReplaceBecauseCannotUpdate:
		return "it cannot be changed in place"
	case tfjson.ActionReasonReplaceBecauseTainted:
		return "it is tainted"
	case tfjson.ActionReasonReplaceByRequest:
		return "as requested"
	case tfjson.ActionReasonReplaceByTriggers:
		return "replace_triggered_by"
	case tfjson.ActionReasonDeleteBecauseNoResourceConfig:
		return "it is no longer in the configuration"
	case tfjson.ActionReasonDeleteBecauseWrongRepetition:
		return "count or for_each came or went"
	case tfjson.ActionReasonDeleteBecauseCountIndex:
		return "its index is beyond count"
	case tfjson.ActionReasonDeleteBecauseEachKey:
		return "its key is no longer in for_each"
	case tfjson.ActionReasonDeleteBecauseNoModule:
		return "its module is no longer in the configuration"
	case tfjson.ActionReasonDeleteBecauseNoMoveTarget:
		return "it was moved to an address that is not in the configuration"
	case tfjson.ActionReasonReadBecauseConfigUnknown:
		return "its configuration is not known yet"
	case tfjson.ActionReasonReadBecauseDependencyPending:
		return "it depends on what changes"
	case tfjson.ActionReasonReadBecauseCheckNested:
		return "it belongs to a check"
	}
	return oneLine(strings.ReplaceAll(string(r), "_", " "))
}

func deferred(d *tfjson.DeferredResourceChange) block {
	b := block{rank: rankDeferred, address: d.ResourceChange.Address}
	b.text = fmt.Sprintf("  # %s is deferred to a later plan\n", oneLine(b.address))
	if d.Reason != "" {
		b.text += fmt.Sprintf("  # (%s)\n", oneLine(strings.ReplaceAll(d.Reason, "_", " ")))
	}
	return b
}

func invocation(a *tfjson.ActionInvocation) block {
	b := block{rank: rankAction, address: a.Address}
	b.text = fmt.Sprintf("! # %s will be invoked\n", oneLine(a.Address))
	if t := a.LifecycleActionTrigger; t != nil {
		b.text += fmt.Sprintf("  # (by %s, %s)\n", oneLine(t.TriggeringResourceAddress), oneLine(t.ActionTriggerEvent))
	}
	if a.ConfigValues != nil || a.ConfigUnknown != nil {
		var t strings.Builder
		w := &writer{b: &t}
		w.line("!", 0, "config {")
		w.whole("!", 1, side{a.ConfigValues, a.ConfigSensitive, a.ConfigUnknown})
		w.line("!", 0, "}")
		b.text += t.String()
	}
	return b
}

func outputs(changes map[string]*tfjson.Change) string {
	var t strings.Builder
	w := &writer{b: &t}
	names := make([]string, 0, len(changes))
	wide := 0
	for name, c := range changes {
		if c == nil || c.Actions.NoOp() {
			continue
		}
		names = append(names, name)
		wide = max(wide, len(key(name)))
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	t.WriteString("  # Outputs\n")
	for _, name := range names {
		c := changes[name]
		w.value(0, pad(key(name), wide)+" = ", nil, side{c.Before, c.BeforeSensitive, nil}, side{c.After, c.AfterSensitive, c.AfterUnknown})
	}
	return t.String()
}

// paths are the paths that force a replacement.
func paths(all []any) map[string]bool {
	out := map[string]bool{}
	for _, p := range all {
		if steps, ok := p.([]any); ok {
			out[pathKey(steps)] = true
		}
	}
	return out
}

func pathKey(steps []any) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%v\x00", s)
	}
	return b.String()
}
