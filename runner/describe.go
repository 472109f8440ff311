package runner

import (
	"slices"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// describe fills a result with what a plan would do.
func describe(u *UnitResult, p *terraform.Plan) {
	if p.JSON == nil {
		return
	}
	u.Add, u.Change, u.Destroy = p.Add, p.Change, p.Destroy
	for _, rc := range p.JSON.ResourceChanges {
		if rc.Change == nil || rc.Mode != tfjson.ManagedResourceMode || rc.Change.Actions.NoOp() && rc.Change.Importing == nil {
			continue
		}
		u.Changes = append(u.Changes, ResourceChange{Address: rc.Address, Action: action(rc.Change)})
	}
	for name := range p.JSON.OutputChanges {
		u.Outputs = append(u.Outputs, name)
	}
	slices.Sort(u.Outputs)
}

func action(c *tfjson.Change) string {
	switch a := c.Actions; {
	case a.Replace():
		return "replace"
	case c.Importing != nil && a.NoOp():
		return "import"
	case len(a) > 0:
		return string(a[0])
	}
	return "no-op"
}
