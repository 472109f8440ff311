package runner

import (
	"testing"
)

// An operator who takes one unit from a pull request takes all of them, and the plans: it has them all or none.
func TestAnOperatorTakesTheLocksOfAPullRequest(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"a/main.tf": module(`"one"`), "b/main.tf": module(`"one"`)}, func(o *Options) {
		o.Repositories[0].Apply = BeforeMerge
		o.Repositories[0].Review.Branches = []string{"review/*"}
	})
	f.sync()
	first := f.propose("first", map[string]string{"a/main.tf": module(`"two"`), "b/main.tf": module(`"two"`)})
	f.sync()
	second := f.propose("second", map[string]string{"b/main.tf": module(`"three"`)})
	f.repo.Push(f.author, "review/b", "Try it", map[string]string{"b/main.tf": module(`"four"`)})
	f.sync()
	says(t, f.said(second), "No plan of", "b is locked by `#1`")

	l, err := f.r.Unlock("infra", "a", "operator")
	if err != nil || l.Run != pullID(first.Number) || !IsPull(l.Run) {
		t.Fatalf("Unlock = %+v, %v", l, err)
	}
	f.sync()
	says(t, f.said(first), "unlocked by operator")
	says(t, f.said(second), "planned")
	held, err := f.r.Locks()
	if err != nil || len(held) != 1 || held[0].Unit != "b" || held[0].Run != pullID(second.Number) {
		t.Errorf("locks are %+v, %v", held, err)
	}

	for _, c := range []struct {
		name string
		q    RunsQuery
		want int
	}{
		{"the first", RunsQuery{Pull: first.Number}, 1},
		{"the second", RunsQuery{Pull: second.Number, Repository: "infra"}, 1},
		{"one that is not there", RunsQuery{Pull: 99}, 0},
		{"a review branch", RunsQuery{Branch: "review/b"}, 1},
	} {
		runs, err := f.r.Runs(c.q)
		if err != nil || len(runs) != c.want {
			t.Errorf("runs of %s: %d, %v", c.name, len(runs), err)
		}
	}
}
