package runner

import (
	"slices"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// What a pull request applies before its merge goes by the mooring.hcl of the branch. What its own says holds after the
// merge: the unit is taken once more for that, as something that the pull request brought.
func TestWhatItsMooringHCLSaysHoldsAfterTheMerge(t *testing.T) {
	config := "workspace \"app\" {\n  dir       = \"app\"\n  variables = { v = \"one\" }\n}\n"
	code := "variable \"v\" {}\n" + module(`var.v`)
	f := newBeforeFixture(t, map[string]string{"mooring.hcl": config, "app/main.tf": code, "other/main.tf": module(`"one"`)}, func(o *Options) {
		o.Repositories[0].HoldDirect = true // nothing here is one
	})
	pull := f.propose("topic", map[string]string{
		"mooring.hcl":   strings.Replace(config, "{ v = \"one\" }", "{ v = \"two\" }\n  auto_apply = \"never\"", 1),
		"app/main.tf":   code + "output \"more\" { value = \"new\" }\n",
		"other/main.tf": module(`"two"`),
	})
	f.sync()
	says(t, f.said(pull), "it changes `mooring.hcl`")
	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply")
	f.out("app", "one")
	f.out("other", "two")
	if more := f.state("app").Outputs["more"].Value; more != "new" {
		t.Fatalf("it was not applied before its merge: %v", more)
	}

	pull.Merge(f.reviewer, "squash")
	f.sync() // while Mooring does not know that it is merged, the branch leaves alone what it applied
	runs := f.took("app planned")
	silent(t, runs[0].Unit("app").Reason, "direct push")
	f.held("")
	// What waits is no drift: the unit is compared with what it was applied from, by the rules of then.
	f.scan("app unchanged, other unchanged")
	f.took("")
	f.opts.Repositories[0].Apply = AfterMerge
	f.reopen()
	f.approve(f.took("app held")[0].ID)
	f.took("app applied")
	f.out("app", "two")
}

// What the branch brings while a pull request has its units is taken when that is merged: no later commit is needed.
func TestWhatTheBranchBroughtMeanwhileIsTakenAfterTheMerge(t *testing.T) {
	f := newBeforeFixture(t, map[string]string{"app/main.tf": module(`"one"`), "app/more.tf": ""})
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	pull.Approve(f.reviewer)
	f.says(f.author, pull, "mooring apply")
	f.out("app", "two")
	f.repo.Push(f.owner, gitea.Branch, "Elsewhere", map[string]string{"app/more.tf": "output \"more\" { value = \"new\" }\n"})
	f.sync() // the pull request has the unit
	if _, all := f.words(pull); f.state("app").Outputs["more"].Value != nil {
		t.Fatalf("the branch took what the pull request has: %q", all)
	}
	f.reopen()
	pull.Merge(f.reviewer, "merge")
	f.sync()
	runs := f.took("app planned")
	if u := runs[0].Unit("app"); !slices.Contains(u.Outputs, "more") || u.Change != 0 {
		t.Errorf("what the pull request applied is to be left, and the rest to come: %s", detail(runs))
	}
	f.took("")
}
