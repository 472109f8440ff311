package runner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/internal/notify"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// ears keep what people are told.
type ears struct {
	heard []notify.Message
	told  chan notify.Message // nil where nobody waits for it
}

func (e *ears) Put(tx *bbolt.Tx, m notify.Message) error {
	tx.OnCommit(func() {
		if e.told != nil {
			e.told <- m
			return
		}
		e.heard = append(e.heard, m)
	})
	return nil
}

func (e *ears) states() string {
	var all []string
	for _, m := range e.heard {
		all = append(all, string(m.Event)+" "+m.State)
	}
	return strings.Join(all, ", ")
}

// scan looks once and compares what every unit came to, as fixture.expect does.
func (f *fixture) scan(want string, units ...string) Run {
	f.t.Helper()
	runs, err := f.r.Scan(f.t.Context(), ScanOptions{Units: units})
	if err != nil {
		f.t.Fatal(err)
	}
	if got := summary(runs); got != want {
		f.t.Fatalf("the scan gave\n  %s\nwant\n  %s\n%s", got, want, detail(runs))
	}
	f.noLocks()
	if len(runs) == 0 {
		return Run{}
	}
	return runs[0]
}

// editState changes a state file behind Terraform: every value old becomes new, and the serial goes on.
func (f *fixture) editState(dir, old, new string) {
	f.t.Helper()
	path := f.stateFile(dir)
	data, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		f.t.Fatalf("%s has no %q", path, old)
	}
	var state map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), old, new)), &state); err != nil {
		f.t.Fatal(err)
	}
	state["serial"] = state["serial"].(float64) + 1
	if data, err = json.Marshal(state); err == nil {
		err = errors.Join(os.WriteFile(path+".new", data, 0o600), os.Rename(path+".new", path)) // a scan may read it just now
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestADriftIsToldOnce(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "b/main.tf": module(`"two"`)})
	f.expect("a applied, b applied")
	people := &ears{}
	f.r.notify = people
	f.scan("a unchanged, b unchanged")
	f.editState("a", "one", "other")
	for range 20 {
		f.scan("a planned, b unchanged")
	}
	if got := people.states(); got != "drift new" {
		t.Fatalf("told after 20 scans of one drift: %s", got)
	}
	f.editState("a", "other", "third")
	f.scan("a planned, b unchanged")
	f.scan("a planned, b unchanged")
	f.editState("a", "third", "one")
	f.scan("a unchanged, b unchanged")
	f.scan("a unchanged, b unchanged")
	if got, want := people.states(), "drift new, drift changed, drift resolved"; got != want {
		t.Fatalf("told %s, want %s", got, want)
	}
	all, err := f.r.Drifts(DriftQuery{Ended: true})
	if err != nil || len(all) != 1 || all[0].Ended == nil || all[0].EndedBy != drift.Outside || all[0].ID != "d1" || all[0].Class != drift.OutOfBand {
		t.Errorf("history: %+v, %v", all, err)
	}
}

func TestWhatARunHealsIsSaid(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`)})
	f.expect("a applied")
	f.editState("a", "one", "other")
	f.scan("a planned")
	f.git.Write("touch", map[string]string{"a/note.txt": "x", "a/main.tf": module(`"one"`) + "\n# touched\n"})
	f.expect("a applied")
	f.scan("a unchanged")
	all, err := f.r.Drifts(DriftQuery{Ended: true})
	if err != nil || len(all) != 1 || all[0].EndedBy != "run r3" {
		t.Errorf("history: %+v, %v", all, err)
	}
}

// A commit that is applied between the beginning of a scan and its look at the unit: compared with the commit before, all
// that it changed would be a drift.
func TestAScanThatBeganBeforeACommitWasAppliedFindsNoDrift(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "b/main.tf": module(`"two"`)})
	f.expect("a applied, b applied")
	x, err := f.r.newScan(f.t.Context(), f.r.repos[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	f.git.Write("other", map[string]string{"a/main.tf": module(`"other"`)})
	f.expect("a applied")
	people := &ears{}
	f.r.notify = people
	if err := x.execute(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := summary([]Run{*x.run}), "a skipped, b unchanged"; got != want {
		t.Errorf("the scan gave %s, want %s", got, want)
	}
	if u := x.run.Unit("a"); !strings.Contains(u.Reason, "since the scan began") || len(people.heard) > 0 {
		t.Errorf("%s: %s; people heard %s", u.Status, u.Reason, people.states())
	}
	f.scan("a unchanged, b unchanged")
}

// While a commit is taken, its units converge one by one, and the head is the last to move.
func TestAUnitThatIsAheadOfTheHeadIsComparedWithItsOwnCommit(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "b/main.tf": module(`"two"`)})
	f.expect("a applied, b applied")
	var before repositoryMemory
	remember := func(put func(tx *bbolt.Tx) error) {
		t.Helper()
		if err := f.r.journal.update(put); err != nil {
			t.Fatal(err)
		}
	}
	remember(func(tx *bbolt.Tx) (err error) {
		before, err = getRepository(tx, f.r.repos[0].cfg.Name)
		return err
	})
	f.git.Write("other", map[string]string{"a/main.tf": module(`"other"`)})
	f.expect("a applied")
	remember(func(tx *bbolt.Tx) error { return putRepository(tx, f.r.repos[0].cfg.Name, before) })
	run := f.scan("a unchanged, b unchanged")
	if notes := strings.Join(run.Unit("a").Notes, "; "); !strings.Contains(notes, "its last converged commit") {
		t.Errorf("notes of a: %q", notes)
	}
}

// A scan compares with what was converged last: what waits or failed since then is no drift.
func TestAnUndeployedCommitIsNoDrift(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"one"`)})
	f.expect("a applied")
	f.git.Write("replace", map[string]string{"a/main.tf": replacing(`"two"`)})
	f.expect("a held")
	run := f.scan("a unchanged")
	if run.Trigger != OnDrift || run.Status != Unchanged {
		t.Errorf("%+v", run)
	}
	if r := f.sync(); len(r) != 1 || r[0].Units[0].Status != Held {
		t.Errorf("the scan disturbed what waits: %s", detail(r))
	}
}

// A unit that waits is compared with its own commit, by the rules about drift that the branch has now.
func TestTheRulesAboutDriftAreTheHeads(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"one"`), "b/main.tf": module(`"two"`)})
	f.expect("a applied, b applied")
	f.editState("a", `"one"`, `"other"`)
	f.editState("b", `"two"`, `"other"`)
	f.scan("a planned, b planned")
	f.git.Write("replace", map[string]string{"a/main.tf": replacing(`"three"`), "mooring.hcl": `drift {
  ignore {
    units     = ["a", "b"]
    addresses = ["terraform_data.this"]
    reason    = "bob tries something"
    until     = "2999-01-01"
  }
}
`})
	f.expect("a held")
	for _, u := range f.scan("a unchanged, b unchanged").Units {
		if notes := strings.Join(u.Notes, "; "); !strings.Contains(notes, "bob tries something") {
			t.Errorf("notes of %s: %q", u.ID, notes)
		}
	}
}

func TestAScanSkipsALockedUnitAndTouchesNothing(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`)})
	f.expect("a applied")
	before, err := os.ReadFile(f.stateFile("a"))
	if err != nil {
		t.Fatal(err)
	}
	graph, err := f.r.repos[0].graphAt(t.Context(), f.git.Head(githttp.Branch))
	if err != nil {
		t.Fatal(err)
	}
	key := f.r.lockKey(f.r.repos[0], graph.Unit("a"))
	release := f.hold(key, "a", "r77")
	run := f.scanHeld("a skipped")
	if !strings.Contains(run.Units[0].Reason, "r77") {
		t.Errorf("who holds it is not said: %+v", run.Units[0])
	}
	release()
	f.scan("a unchanged")
	after, err := os.ReadFile(f.stateFile("a"))
	if err != nil || string(after) != string(before) {
		t.Errorf("a scan wrote the state: %v", err)
	}
	f.expect("")
}

// An apply never waits for a scan to come to its end.
func TestAScanGivesWayToAnApply(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`)})
	f.expect("a applied")
	graph, err := f.r.repos[0].graphAt(t.Context(), f.git.Head(githttp.Branch))
	if err != nil {
		t.Fatal(err)
	}
	key := f.r.lockKey(f.r.repos[0], graph.Unit("a"))
	ctx, done, ok := f.r.lookers.look(t.Context(), key)
	if !ok {
		t.Fatal("nobody looks")
	}
	if _, _, again := f.r.lookers.look(t.Context(), key); again {
		t.Error("two look at once")
	}
	go func() {
		<-ctx.Done()
		done(false)
	}()
	f.git.Write("more", map[string]string{"a/main.tf": module(`"two"`)})
	f.expect("a applied")
}

// What was cut short touched nothing, and says so.
func TestAScanThatWasKilledIsPutAside(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`)})
	f.expect("a applied")
	x, err := f.r.newScan(t.Context(), f.r.repos[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.r.journal.update(func(tx *bbolt.Tx) error { return createRun(tx, x.run) }); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	run, err := f.r.Show(x.run.ID)
	if err != nil || run.Status != Superseded || run.Finished == nil {
		t.Errorf("%+v, %v", run, err)
	}
	f.expect("")
	f.scan("a unchanged")
}

func TestAScanOfNothing(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`)})
	if _, err := f.r.Scan(t.Context(), ScanOptions{}); err == nil || !strings.Contains(err.Error(), "mooring sync") {
		t.Errorf("before the first pass: %v", err)
	}
	f.expect("a applied")
	if _, err := f.r.Scan(t.Context(), ScanOptions{Units: []string{"nowhere"}}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a unit that is not there: %v", err)
	}
	if _, err := f.r.Scan(t.Context(), ScanOptions{Repository: "nowhere"}); err == nil {
		t.Error("a repository that is not there was scanned")
	}
}

func TestAWordIsAboutADriftAsItIs(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`)})
	f.expect("a applied")
	f.editState("a", "one", "other")
	f.scan("a planned")
	week := time.Now().Add(7 * 24 * time.Hour)
	if _, err := f.r.Acknowledge(Acknowledgement{Drift: "d9", By: "ada", Until: week}); err == nil {
		t.Error("a drift that is not there was acknowledged")
	}
	if _, err := f.r.Acknowledge(Acknowledgement{Drift: "d1", By: "ada", Until: time.Now().Add(-time.Hour)}); err == nil {
		t.Error("a word about the past was taken")
	}
	known, err := f.r.Acknowledge(Acknowledgement{Drift: "a", By: "ada", Until: week, Why: "it is mine"})
	if err != nil || len(known) != 1 || known[0].Ack == nil || known[0].Ack.By != "ada" {
		t.Fatalf("%+v, %v", known, err)
	}
	if run := f.scan("a planned"); run.Units[0].Drift[0].Ack == nil {
		t.Error("the word is lost with the next scan")
	}
	f.editState("a", "other", "third")
	if run := f.scan("a planned"); run.Units[0].Drift[0].Ack != nil {
		t.Error("the word holds for what it was not about")
	}
}

// hold takes a unit's lock for a run that is not there.
func (f *fixture) hold(key locks.Key, unit, run string) (release func()) {
	f.t.Helper()
	h := locks.Holder{Unit: unit, Repository: "infra", Run: run, Reason: "a test", Since: time.Now()}
	if err := f.r.journal.update(func(tx *bbolt.Tx) error { return locks.Acquire(tx, key, h) }); err != nil {
		f.t.Fatal(err)
	}
	return func() {
		f.t.Helper()
		if err := f.r.journal.update(func(tx *bbolt.Tx) error { return locks.Release(tx, key, run) }); err != nil {
			f.t.Fatal(err)
		}
	}
}

// scanHeld is scan while somebody holds a lock.
func (f *fixture) scanHeld(want string) Run {
	f.t.Helper()
	runs, err := f.r.Scan(f.t.Context(), ScanOptions{})
	if err != nil || summary(runs) != want {
		f.t.Fatalf("the scan gave %s, %v, want %s", summary(runs), err, want)
	}
	return runs[0]
}

// The loop scans by the schedule that the repository asks for, and what finds nothing leaves no run behind.
func TestScansFollowTheSchedule(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "mooring.hcl": "drift {\n  every   = \"1s\"\n  backoff = 1\n}\n"})
	people := &ears{told: make(chan notify.Message, 10)}
	f.r.notify = people
	f.serveUntil(func() {
		f.await("the first scan", func() bool { return f.scanOf("a").Clean > 0 })
		f.editState("a", "one", "other")
		m := <-people.told
		for m.Event != notify.Drift {
			m = <-people.told
		}
		if m.State != "new" || m.Unit != "a" {
			t.Errorf("told of %+v", m)
		}
	})
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if run.Trigger == OnDrift && run.Status == Unchanged {
			t.Errorf("a scan that found nothing is in the history: %s", detail([]Run{run}))
		}
	}
}

func TestDriftIsHealedWhereBothAskForIt(t *testing.T) {
	config := "drift {\n  every      = \"1s\"\n  backoff    = 1\n  remediate  = \"apply\"\n}\n"
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "mooring.hcl": config}, func(o *Options) {
		o.Repositories[0].Drift.Remediate = workspace.RemediateApply
		o.Repositories[0].HoldDirect = true
	})
	f.expect("a held")
	f.approve("r1")
	f.expect("a applied")
	ended := func(n int) func() bool {
		return func() bool {
			all, err := f.r.Drifts(DriftQuery{Ended: true})
			return err == nil && len(all) == n && all[n-1].Ended != nil
		}
	}
	f.serveUntil(func() {
		for n := 1; n <= mostHealings; n++ {
			f.editState("a", `"one"`, `"other"`)
			f.await("the drift to be healed", ended(n))
			if all, err := f.r.Drifts(DriftQuery{Ended: true}); err != nil || !all[n-1].Healing() {
				t.Errorf("it ended by %q, %v", all[n-1].EndedBy, err)
			}
		}
		// Somebody changes it again and again: the breaker is open.
		f.editState("a", `"one"`, `"other"`)
		f.await("the drift to be seen", func() bool {
			open, err := f.r.Drifts(DriftQuery{})
			return err == nil && len(open) == 1
		})
		open := f.scanOf("a").Run
		f.await("another scan", func() bool { return f.scanOf("a").Run != open })
	})
	open, err := f.r.Drifts(DriftQuery{})
	if err != nil || len(open) != 1 {
		t.Fatalf("it was healed a third time: %+v, %v", open, err)
	}
	run := f.scan("a planned")
	if !strings.Contains(strings.Join(run.Units[0].Notes, "\n"), "came back") {
		t.Errorf("nothing says why it is left: %q", run.Units[0].Notes)
	}
}

func TestTheOperatorDecidesWhetherDriftIsHealed(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"one"`), "mooring.hcl": "drift {\n  remediate = \"apply\"\n}\n"}, func(o *Options) {
		o.Repositories[0].Drift.Remediate = workspace.RemediatePullRequest
	})
	f.expect("a applied")
	f.editState("a", `"one"`, `"other"`)
	run := f.scan("a planned")
	if !strings.Contains(strings.Join(run.Units[0].Notes, "\n"), "the operator does not allow it") {
		t.Errorf("%q", run.Units[0].Notes)
	}
	f.expect("")
	f.scan("a planned")
}

// What an apply would destroy is never healed.
func TestHealingDestroysNothing(t *testing.T) {
	files := map[string]string{"a/main.tf": replacing(`"one"`), "mooring.hcl": "drift {\n  remediate = \"apply\"\n}\n"}
	f := newFixture(t, files, func(o *Options) {
		o.Repositories[0].Drift.Remediate = workspace.RemediateApply
		o.Repositories[0].AutoApply = policies.Always
	})
	f.expect("a applied")
	f.editState("a", `"one"`, `"other"`)
	run := f.scan("a planned")
	if !strings.Contains(strings.Join(run.Units[0].Notes, "\n"), "destroys 1") {
		t.Errorf("%q", run.Units[0].Notes)
	}
	f.expect("")
}

// scanOf is what is known of the scans of a unit.
func (f *fixture) scanOf(unit string) (m scanMemory) {
	f.t.Helper()
	if err := f.r.journal.view(func(tx *bbolt.Tx) (err error) {
		m, err = getScan(tx, "infra", unit)
		return err
	}); err != nil {
		f.t.Fatal(err)
	}
	return m
}

// serveUntil runs the loop while f does something.
func (f *fixture) serveUntil(do func()) {
	f.t.Helper()
	ctx, stop := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.r.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			f.t.Error(err)
		}
	}()
	do()
}

// await looks again and again until something is so.
func (f *fixture) await(what string, is func() bool) {
	f.t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-limit:
			f.t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
