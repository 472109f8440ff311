package runner

import (
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

func TestAPullRequestIsPlannedApprovedMergedAndApplied(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "other/main.tf": module(`"other"`)})
	f.expect("app applied, other applied")

	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	report := f.said(pull)
	for _, want := range []string{"app", "1 to change"} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is missing in\n%s", want, report)
		}
	}
	if strings.Contains(report, "other") {
		t.Errorf("a unit that the change leaves alone is in\n%s", report)
	}
	head := pull.State().Head
	if s := f.repo.Statuses(head)["mooring/plan"]; s.State != "success" || !strings.Contains(s.Description, "1 to change") {
		t.Errorf("mooring/plan is %+v", s)
	}
	pull.Approve(f.reviewer)
	f.sync()
	pull.Merge(f.author, "merge")
	runs := f.sync()
	t.Logf("%s", detail(runs))
	f.sync()
	if got := f.state("app").Outputs["out"].Value; got != "two" {
		t.Errorf("app has %v after the merge", got)
	}
	t.Log(f.said(pull))
	t.Log(f.repo.Statuses(head))
	_ = gitea.Branch
}
