package runner

import (
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/internal/forge"
)

// ReviewConfig says what of a repository is reviewed, and by which rules.
type ReviewConfig struct {
	Forge    *forge.Config // nil: there are no pull requests
	Branches []string      // patterns of branches that are planned as pull requests are
	Drafts   bool          // plan drafts too
	Labels   []string      // only pull requests with one of them; none is all
	NoForks  bool          // never run what comes from a fork; else somebody with write access is asked, head by head
	Require  []Requirement // what an apply before the merge needs
	Merge    string        // how Mooring merges what it has applied: merge, squash, rebase; "" is never
	Teams    TeamConfig
}

// Requirement is what must hold before an apply.
type Requirement string

// The requirements.
const (
	RequireApproved  Requirement = "approved"   // by somebody other than the author, of what is applied
	RequireMergeable Requirement = "mergeable"  // the forge would merge it
	RequireUpToDate  Requirement = "up_to_date" // it holds everything that the branch has
	RequirePolicies  Requirement = "policies"
)

// TeamConfig names those who may, besides needing write access; none is everybody
// who has it.
type TeamConfig struct{ Apply, Approve []string }

// excludes says why the configuration leaves a pull request alone, or "".
func (c ReviewConfig) excludes(pr forge.PullRequest) string {
	if pr.Draft && !c.Drafts {
		return "it is a draft"
	}
	if len(c.Labels) > 0 && !slices.ContainsFunc(c.Labels, func(l string) bool { return slices.Contains(pr.Labels, l) }) {
		return "it has none of the labels " + strings.Join(c.Labels, ", ")
	}
	return ""
}
