package runner

import (
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/policies"
)

// What the gate lets pass by itself is one thing; the end of a unit, and a state that does
// not go on from the last one, wait for a person whoever merged it.
func TestAMergeAloneIsNoYesToAnEndNorToAnotherState(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`), "gone/main.tf": module(`"gone"`), "kept/main.tf": module(`"kept"`), "more/main.tf": module(`"more"`)},
		func(o *Options) { o.Repositories[0].AutoApply = policies.Always })
	f.expect("app applied, gone applied, kept applied, more applied")

	f.repo.PushChange(f.author, "ends", "Goes", githttp.Change{Remove: []string{"gone"}})
	ends := f.repo.Open(f.author, "ends", gitea.Branch, "Goes")
	f.sync()
	says(t, f.said(ends), "1 to destroy")
	ends.Merge(f.author, "merge")
	if got := summary(f.sync()); got != "gone held" {
		t.Errorf("after a merge that nobody approved: %s", got)
	}
	if len(f.state("gone").Resources) == 0 {
		t.Fatal("gone was destroyed, and nobody said yes")
	}

	// Somebody put another state into the place of app's, before it was planned.
	f.handle("app", func(state map[string]any) { state["lineage"], state["serial"] = "another", 1 })
	moved := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	moved.Merge(f.author, "merge")
	f.sync()
	if got := f.state("app").Outputs["out"].Value; got != "one" {
		t.Errorf("a plan on another state was applied without a word of a person: %v", got)
	}
}

// Two pull requests may be taken by the same run: a yes below one is none to the other's.
func TestNobodyApprovesTheirOwnThroughAnothersPullRequest(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": replaced(`"one"`), "lib/main.tf": replaced(`"one"`)})
	f.expect("app applied, lib applied")
	mine := f.propose("mine", map[string]string{"app/main.tf": replaced(`"two"`)})
	f.repo.Push(f.reviewer, "theirs", "Theirs", map[string]string{"lib/main.tf": replaced(`"two"`)})
	theirs := f.repo.Open(f.reviewer, "theirs", gitea.Branch, "Theirs")
	f.sync()
	mine.Merge(f.author, "merge")
	theirs.Merge(f.reviewer, "merge")
	if got := summary(f.sync()); got != "app held, lib held" {
		t.Fatalf("after both merges: %s", got)
	}
	f.sync()
	theirs.Comment(f.author, "mooring approve app")
	theirs.Comment(f.author, "mooring approve")
	f.sync()
	f.sync()
	if got := f.state("app").Outputs["out"].Value; got != "one" {
		t.Errorf("the author of %s approved it below %s", mine.Name(), theirs.Name())
	}
	if got := f.state("lib").Outputs["out"].Value; got != "two" {
		t.Errorf("the yes to lib was not taken: %v\n%s", got, strings.Join(f.answers(theirs), "\n---\n"))
	}
}

// replaced is replacing with an output.
func replaced(value string) string {
	return replacing(value) + `output "out" { value = terraform_data.this.triggers_replace }`
}

// Who lets a fork run says so of the head that they were shown.
func TestAForkIsLetRunOnlyAtTheHeadThatWasShown(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)})
	f.repo.For(t)
	f.expect("app applied")
	mallory := f.server.User("mallory")
	f.repo.Collaborator(mallory, "read")
	fork := f.repo.Fork(mallory)
	fork.Push(mallory, "topic", "Harmless", map[string]string{"app/main.tf": module(`"two"`)})
	pull := f.repo.Open(mallory, fork.HeadRef("topic"), gitea.Branch, "Harmless")
	f.sync()
	says(t, f.said(pull), "fork")
	pull.Comment(f.reviewer, "mooring plan")
	// It is pushed after the word, and before Mooring hears it.
	evil := fork.Push(mallory, "topic", "Evil", map[string]string{"app/main.tf": module(`"evil"`)})
	pull.AwaitHead(evil)
	f.sync()
	f.sync()
	if runs, _ := f.r.Runs(RunsQuery{Limit: 1}); runs[0].Trigger == OnPullRequest {
		t.Fatalf("a head that nobody has looked at was run: %s", detail(runs))
	}
	says(t, strings.Join(f.answers(pull), "\n"), short(evil))
	pull.Comment(f.reviewer, "mooring plan")
	f.sync()
	says(t, f.said(pull), "1 to change")
}

// A push after an apply is another thing than what was applied.
func TestAPushAfterAnApplyIsNotApplied(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.Repositories[0].Apply = BeforeMerge })
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	first := pull.State().Head
	pull.Comment(f.author, "mooring apply")
	f.sync()
	f.status(first, "mooring/apply", "success")
	pull.Comment(f.author, "mooring apply")
	f.sync()
	says(t, strings.Join(f.answers(pull), "\n"), "applied already")
	says(t, f.said(pull), "Applied")

	second := f.repo.Push(f.author, "topic", "More", map[string]string{"app/main.tf": module(`"three"`)})
	pull.AwaitHead(second)
	f.sync()
	f.status(second, "mooring/apply", "")
	f.status(second, "mooring/plan", "success", "1 to change")
	says(t, f.said(pull), "1 to change", "three", "mooring apply")
	pull.Comment(f.author, "mooring plan")
	pull.Comment(f.author, "mooring apply") // not before the plan that was asked for is there
	f.sync()
	if got := f.state("app").Outputs["out"].Value; got != "two" {
		t.Errorf("a plan that nobody has seen was applied: %v", got)
	}
	pull.Comment(f.author, "mooring apply")
	f.sync()
	f.status(second, "mooring/apply", "success")
	if got := f.state("app").Outputs["out"].Value; got != "three" {
		t.Errorf("app has %v", got)
	}
}
