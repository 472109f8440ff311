package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

func TestReviewBranchesOfARepositoryWithoutAForge(t *testing.T) {
	f := newFixture(t, map[string]string{"app/main.tf": module(`"one"`), "other/main.tf": module(`"one"`)}, func(o *Options) {
		o.Repositories[0].Review.Branches = []string{"review/*"}
		o.Repositories[0].HoldDirect = true
	})
	first := f.sync()
	f.approve(first[0].ID)
	f.expect("app applied, other applied")
	one := f.git.CommitOn("review/topic", "Topic", githttp.Change{Write: map[string]string{"app/main.tf": module(`"two"`)}})
	f.git.CommitOn("topic", "Not for review", githttp.Change{Write: map[string]string{"app/main.tf": module(`"nine"`)}})
	f.sync()
	run := f.reviewed("review/topic")
	if run.Commit != one || run.Branch != "review/topic" || summary([]Run{run}) != "app planned" || run.Unit("app").Change != 1 {
		t.Errorf("the run of the branch is %s", detail([]Run{run}))
	}
	says(t, f.r.planText(run.ID, "app", diffSuffix), `"one" -> "two"`)
	two := f.git.CommitOn("review/topic", "More", githttp.Change{Write: map[string]string{"other/main.tf": module(`"two"`)}})
	f.sync()
	if run = f.reviewed("review/topic"); run.Commit != two || summary([]Run{run}) != "app planned, other planned" {
		t.Errorf("after a push the run is %s", detail([]Run{run}))
	}
	// A file that both sides changed.
	f.git.Write("By hand", map[string]string{"other/main.tf": module(`"three"`)})
	f.expect("other held")
	p, err := f.r.pull("infra", branchID("review/topic"))
	if err != nil || p.Plan.Failed == "" || !p.Plan.Done {
		t.Errorf("a branch that cannot be merged is %+v (%v)", p.Plan, err)
	}
	f.git.DeleteBranch("review/topic")
	f.sync()
	if p, err = f.r.pull("infra", branchID("review/topic")); err != nil || !p.Ended {
		t.Errorf("the branch is gone, and %+v (%v)", p, err)
	}
	if run, err = f.r.Show(run.ID); err != nil || run.Finished == nil {
		t.Errorf("its report is gone: %+v (%v)", run, err)
	}
	if got := f.state("app").Outputs["out"].Value; got != "one" {
		t.Errorf("a review branch was applied: app has %v", got)
	}
	f.noLocks()
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if run.Finished == nil {
			t.Errorf("%s is left %s", run.ID, run.Status)
		}
	}
}

// reviewed is the last run that planned a review branch.
func (f *fixture) reviewed(branch string) Run {
	f.t.Helper()
	p, err := f.r.pull("infra", branchID(branch))
	if err != nil || p.Plan == nil {
		f.t.Fatalf("%s is not planned: %v", branch, err)
	}
	run, err := f.r.Show(p.Plan.Run)
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}

func TestALongPlanIsCutInTheCommentAndWholeOnDisk(t *testing.T) {
	var many strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&many, "resource \"terraform_data\" \"number_%04d\" {\n  input = \"a value that is long enough for a limit to be reached %04d\"\n}\n", i, i)
	}
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.PublicURL = "https://mooring.example" })
	f.expect("app applied")
	pull := f.propose("many", map[string]string{"app/many.tf": many.String()})
	f.sync()
	report, run := f.said(pull), f.planOf(pull)
	if limit := f.r.repos[0].reviews.forge.MaxComment(); len(report) > limit {
		t.Errorf("the comment has %d bytes, and the forge takes %d", len(report), limit)
	}
	says(t, report, "1500", "https://mooring.example/runs/"+run.ID)
	if strings.Contains(report, "number_1499") && strings.Count(report, "number_") >= 1500 {
		t.Error("nothing was cut")
	}
	log, err := os.ReadFile(filepath.Join(f.opts.DataDir, "runs", run.ID, fileName("app")+".log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(log), f.r.planText(run.ID, "app", diffSuffix)} {
		if got := strings.Count(text, `reached 0`) + strings.Count(text, `reached 1`); got != 1500 {
			t.Errorf("what is kept on disk has %d of 1500 resources", got)
		}
	}
	f.settled(pull.State().Head)
}
