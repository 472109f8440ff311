package report

import (
	"bytes"
	"testing"

	"github.com/mooring-iac/mooring/runner"
)

// Of a plan that is reviewed elsewhere the report says where, and offers nothing to approve.
func TestPlansOfReviews(t *testing.T) {
	pull := runner.Run{
		ID: "r7", Repository: "infra", Commit: "cc0011223344", Base: "aa0011223344", Tree: "dd0011223344", Subject: "Add dns", Author: "ada",
		Trigger: runner.OnPullRequest, PullRequest: 12, Branch: "dns", Started: noon, Seconds: 0.4,
		Units: []runner.UnitResult{
			{ID: "infra/dns", Kind: runner.KindWorkspace, Status: runner.Planned, Add: 1, Changes: []runner.ResourceChange{{Address: "terraform_data.zone", Action: "create"}}},
			{ID: "infra/db", Kind: runner.KindWorkspace, Status: runner.Deferred, Reason: "infra/dns is not applied yet"},
		},
	}
	branch := pull
	branch.ID, branch.PullRequest, branch.Branch, branch.Author, branch.Subject = "r6", 0, "review/dns", "", "review/dns"
	applied := pull
	applied.ID, applied.Units = "r8", []runner.UnitResult{{ID: "infra/dns", Kind: runner.KindWorkspace, Status: runner.Applied, Add: 1}}
	var b bytes.Buffer
	runs := []runner.Run{pull, branch, applied}
	for i := range runs {
		runs[i].Settle()
	}
	if err := Runs(&b, runs, Options{Style: plain}); err != nil {
		t.Fatal(err)
	}
	golden(t, "reviews", b.String())
}
