package runner

import (
	"testing"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/locks"
)

// What was applied for a pull request that never was merged is the branch's again at the
// next poll, whether the branch moves or not.
func TestWhatWasAppliedAndNeverMergedIsPlannedFromTheBranch(t *testing.T) {
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.Repositories[0].Apply = BeforeMerge })
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	pull.Comment(f.author, "mooring apply")
	f.sync()
	second := f.repo.Push(f.author, "topic", "More", map[string]string{"app/main.tf": module(`"three"`)})
	pull.AwaitHead(second)
	f.sync()
	if m := f.remembers("app"); m.Converged == "" || m.Taken != nil {
		t.Fatalf("nothing was applied: %+v", m)
	}
	pull.Close(f.author)
	repo := f.r.repos[0]
	if err := repo.reviews.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, err := f.r.take(t.Context(), repo, polled)
	if err != nil || len(made) != 1 {
		t.Fatalf("the next poll made %v, %v", made, err)
	}
	if run, err := f.r.Show(made[0]); err != nil || summary([]Run{run}) != "app planned" {
		t.Errorf("from the branch: %s, %v", summary([]Run{run}), err)
	}
	f.sync()
	f.settled(second)
}

func (f *fixture) remembers(unit string) (m *memory) {
	f.t.Helper()
	err := f.r.journal.view(func(tx *bbolt.Tx) (err error) {
		m, err = getMemory(tx, "infra", unit)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

// Who only looks at a unit that a pull request holds writes nothing of what is known of
// it: the pull request may be applied meanwhile.
func TestALookAtAUnitLeavesWhatItsHolderWrites(t *testing.T) {
	f := newFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) { o.Repositories[0].Apply = BeforeMerge })
	f.expect("app planned")
	repo := f.r.repos[0]
	graph, err := repo.graphAt(t.Context(), f.git.Head("main"))
	if err != nil {
		t.Fatal(err)
	}
	u := graph.Unit("app")
	x := &execution{r: f.r, repo: repo, graph: graph, run: &Run{ID: "r1", Repository: "infra", Commit: f.git.Head("main"), Units: []UnitResult{{ID: "app"}}}, tasks: map[string]task{"app": {unit: u}}, known: map[string]*memory{}}
	err = f.r.journal.update(func(tx *bbolt.Tx) error {
		return locks.Acquire(tx, f.r.lockKey(repo, u), locks.Holder{Unit: "app", Repository: "infra", Run: "#1", Since: f.r.opts.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.begin(x.tasks["app"], f.r.opts.Now()); err != nil {
		t.Fatal(err)
	}
	m := f.remembers("app")
	m.Intent = &intent{Run: "r9", Digest: "d"}
	if err := f.r.journal.update(func(tx *bbolt.Tx) error { return putMemory(tx, m) }); err != nil {
		t.Fatal(err)
	}
	if err := x.record(x.tasks["app"], outcome{UnitResult: UnitResult{Status: Planned}}, f.r.opts.Now(), true); err != nil {
		t.Fatal(err)
	}
	if m := f.remembers("app"); m.Intent == nil {
		t.Error("a look took the intent of an apply from the journal")
	}
}
