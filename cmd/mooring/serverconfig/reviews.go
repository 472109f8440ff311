package serverconfig

import (
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// Reviews says what of a repository is planned before it is on the branch.
type Reviews struct {
	Branches []string // patterns of path.Match for branches that are planned without a pull request; never the watched one
	Drafts   bool     // pull requests that are drafts, too
	Labels   []string // only pull requests with one of them; nil is all
	Forks    string   // ask or never
	Merge    string   // never, merge, squash or rebase
}

// reviewKeys are the arguments of a repository that mean nothing without a forge.
var reviewKeys = []string{"drafts", "labels", "forks", "merge"}

func (d *decoder) reviews(at hcl.Attributes) Reviews {
	return Reviews{
		Branches: d.branches(at["review_branches"], at["branch"]),
		Drafts:   d.flag(at["drafts"]),
		Labels:   d.labels(at["labels"]),
		Forks:    d.oneOf(at["forks"], "ask", "never"),
		Merge:    d.oneOf(at["merge"], "never", "merge", "squash", "rebase"),
	}
}

// checkReviews says what has no effect, or could not be asked for.
func (d *decoder) checkReviews(r Repository, at hcl.Attributes) {
	if r.Apply == "before_merge" && r.Forge == nil && at["apply"] != nil {
		d.fail(at["apply"].Range, "Nobody can ask for an apply", "apply = \"before_merge\" applies on a comment in a pull request, and this repository has no forge block.")
	}
	if r.Forge == nil {
		for _, name := range reviewKeys {
			if a := at[name]; a != nil {
				d.warn(a.NameRange, "Not used", fmt.Sprintf("%s is for pull requests, and this repository has no forge block.", name))
			}
		}
		return
	}
	if a := at["merge"]; a != nil && r.Reviews.Merge != "never" && r.Apply != "before_merge" {
		d.warn(a.NameRange, "Not used", "Mooring merges what it has applied before: that is apply = \"before_merge\".")
	}
}

func (d *decoder) branches(a, watched *hcl.Attribute) []string {
	var all []string
	for _, i := range d.filled(a, "review_branches = [\"review/*\"] plans the branches that match") {
		p := strings.TrimPrefix(i.text, "refs/heads/")
		_, err := path.Match(p, "")
		switch {
		case p == "" || err != nil || badRef.MatchString(strings.ReplaceAll(p, "*", "x")) || strings.Contains(p, "**"):
			d.fail(i.at, "Not a pattern", "Each entry of review_branches is the name of a branch. In it, \"*\" stands for any characters but \"/\".")
			continue
		case watched != nil && p == d.plainBranch(watched):
			d.fail(i.at, "The branch that is followed", fmt.Sprintf("%q is what the repository's branch says: it is applied, not reviewed.", p))
			continue
		}
		all = append(all, p)
	}
	return all
}

// plainBranch is the watched branch for a comparison; its own mistakes are said
// where it is read.
func (d *decoder) plainBranch(a *hcl.Attribute) string {
	s, _ := literal(a.Expr)
	return strings.TrimPrefix(s, "refs/heads/")
}

func (d *decoder) labels(a *hcl.Attribute) []string {
	var all []string
	for _, i := range d.filled(a, "labels = [\"plan\"] plans only pull requests with that label") {
		if strings.TrimSpace(i.text) != i.text || i.text == "" || strings.ContainsFunc(i.text, unicode.IsControl) {
			d.fail(i.at, "Not a label", "A label is not empty, has no spaces around it, and is one line.")
			continue
		}
		all = append(all, i.text)
	}
	return all
}

// filled returns the entries of a list that must have some where it is written: of
// an empty one, nobody can say whether it means all or none.
func (d *decoder) filled(a *hcl.Attribute, says string) []item {
	before := len(d.diags)
	all := d.items(a)
	if a != nil && len(all) == 0 && len(d.diags) == before {
		d.fail(a.Expr.Range(), "Empty list", fmt.Sprintf("%s. Leave it out, or say which.", says))
	}
	return all
}
