package runner

import (
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

func TestAMergeQueueIsToldByTheStatusOfItsCommit(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)})
	f.expect("app applied")
	const queue = "gh-readonly-queue/" + gitea.Branch + "/pr-1-0123456"
	tried := f.repo.Push(f.owner, queue, "What the queue tries", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	if s := f.repo.Statuses(tried)["mooring/plan"]; s.State != "success" || s.Description != "1 to change in app" {
		t.Errorf("the queue's commit has %+v", s)
	}
	f.repo.DeleteBranch(f.owner, queue)
	f.sync()
	for context, s := range f.repo.Statuses(tried) {
		if s.State == "pending" {
			t.Errorf("%s is left pending: %+v", context, s)
		}
	}
	f.noLocks()
}

// A forge that has tried the merge merges lines, where we would not; its merge counts as
// long as it is one of these two commits.
func TestTheForgesOwnMergeIsTakenWhereItFits(t *testing.T) {
	f := newFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) {
		o.Repositories[0].Review.Branches = []string{"review/*"}
	})
	base := f.git.Git("rev-parse", "HEAD")
	tree := f.git.Git("rev-parse", "HEAD^{tree}")
	head := f.git.Git("commit-tree", tree, "-p", base, "-m", "head")
	later := f.git.Git("commit-tree", tree, "-p", base, "-m", "later")
	merge := f.git.Git("commit-tree", tree, "-p", base, "-p", head, "-m", "the forge's merge")
	for ref, commit := range map[string]string{"refs/pull/7/head": head, "refs/pull/7/merge": merge, "refs/pull/8/head": later} {
		f.git.SetRef(ref, commit)
	}
	v := f.r.repos[0].reviews
	for _, tt := range []struct{ name, head, offered, want string }{
		{"fits", head, merge, merge},
		{"of an older head", later, merge, later},
		{"none", head, "", head},
	} {
		made := &pullPlan{Base: base, Head: tt.head}
		why, err := v.mergeWith(t.Context(), made, tt.offered)
		if err != nil || why != "" || made.Commit != tt.want {
			t.Errorf("%s: %s, %q, %v; want %s", tt.name, made.Commit, why, err, tt.want)
		}
	}
}
