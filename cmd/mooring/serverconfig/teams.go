package serverconfig

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Teams are who may, of those who may write anyway. nil limits nobody.
type Teams struct{ Apply, Approve []string }

var teamPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._ -]*)*$`)

func (d *decoder) teams(a *hcl.Attribute, kind string) Teams {
	var t Teams
	if a == nil {
		return t
	}
	object, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		d.fail(a.Expr.Range(), "Wrong type", "teams is an object of lists: { apply = [\"org/team\"], approve = [\"org/dba\"] }.")
		return t
	}
	seen := map[string]bool{}
	for _, pair := range object.Items {
		at := pair.KeyExpr.Range()
		name, ok := literalKey(pair.KeyExpr)
		if !ok {
			name = "this"
		}
		if !d.known(at, "each key of teams", name, "apply", "approve") {
			continue
		}
		if seen[name] {
			d.fail(at, "Duplicate key", fmt.Sprintf("teams says already who may %s.", name))
		}
		seen[name] = true
		list := d.team(&hcl.Attribute{Name: "teams." + name, Expr: pair.ValueExpr, Range: hcl.RangeBetween(at, pair.ValueExpr.Range()), NameRange: at}, kind)
		if name == "apply" {
			t.Apply = list
		} else {
			t.Approve = list
		}
	}
	return t
}

// team reads one list. An empty one is an error, since it would limit nobody.
func (d *decoder) team(a *hcl.Attribute, kind string) []string {
	var all []string
	for _, i := range d.filled(a, a.Name+" lists who may, of those who may write") {
		if n := strings.Count(i.text, "/"); !teamPath.MatchString(i.text) || n != 1 && kind != "gitlab" {
			d.fail(i.at, "Not a team", "A team is written \"organisation/team\", a group of GitLab \"group\" or \"group/subgroup\".")
			continue
		}
		all = append(all, i.text)
	}
	return all
}
