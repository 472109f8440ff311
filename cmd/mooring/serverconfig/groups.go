package serverconfig

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// Team is a group that rules may name, beside the teams of forges.
type Team struct {
	Name    string
	Members []string // logins
}

var teamSchema = attributes("members")

func (d *decoder) group(b *hcl.Block) Team {
	at := d.content(b.Body, teamSchema).Attributes
	t := Team{Name: b.Labels[0]}
	if at["members"] == nil {
		d.fail(b.DefRange, "Team without members", fmt.Sprintf("Team %q needs members = [\"login\", …]. A team that the forge has needs no block here.", t.Name))
	}
	for _, i := range d.filled(at["members"], "members lists the logins of a team, and nobody is in this one") {
		switch login := i.text; {
		case strings.HasPrefix(login, "@"):
			d.fail(i.at, "Not a login", fmt.Sprintf("A login is written without @: %q.", strings.TrimPrefix(login, "@")))
		case login == "" || strings.ContainsFunc(login, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '/' }):
			d.fail(i.at, "Not a login", "A login is what the forge calls a person: one word.")
		case slices.ContainsFunc(t.Members, func(m string) bool { return strings.EqualFold(m, login) }):
			d.warn(i.at, "Named twice", fmt.Sprintf("%q is in the team already, and counts once.", login))
		default:
			t.Members = append(t.Members, login)
		}
	}
	return t
}
