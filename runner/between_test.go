package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/policies"
)

// What happens between a plan, a decision, a removal and a stop: every story here
// once ended badly.

// stopAt cancels a context when the phase is first met.
func (f *fixture) stopAt(phase Phase, unit string) context.Context {
	ctx, cancel := context.WithCancel(f.t.Context())
	f.r.opts.Observe = func(e Event) {
		if e.Phase == phase && (unit == "" || e.Unit == unit) {
			cancel()
		}
	}
	return ctx
}

// syncUntil syncs with a context that ends on the way; what it says then is no matter.
func (f *fixture) syncUntil(ctx context.Context) {
	f.t.Helper()
	if _, err := f.r.Sync(ctx, SyncOptions{}); err != nil && ctx.Err() == nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) pending() int {
	f.t.Helper()
	var n int
	err := f.r.journal.view(func(tx *bbolt.Tx) error {
		v, err := verdicts(tx, "infra")
		n = len(v)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// interrupt leaves the journal as a Mooring that was killed during an apply of the
// branch's head would, and opens it again.
func (f *fixture) interrupt(id string) {
	f.t.Helper()
	err := f.r.journal.update(func(tx *bbolt.Tx) error {
		m, err := getMemory(tx, "infra", id)
		if err != nil {
			return err
		}
		run := &Run{Repository: "infra", Commit: f.git.Head(githttp.Branch), Status: Running, Started: noon, Units: []UnitResult{{ID: id, Kind: KindWorkspace, Status: Running}}}
		if err := createRun(tx, run); err != nil {
			return err
		}
		m.Intent, m.Touched = &intent{Run: run.ID, Started: noon}, true
		return putMemory(tx, m)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.reopen()
}

func TestYesToAChangeIsNoneToAnEnd(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`), "b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`)})
	f.expect("a applied, b applied, c applied")
	f.git.Write("replace", map[string]string{"a/main.tf": replacing(`"2"`)})
	change := f.expect("a held")[0]
	f.approve(change.ID)
	f.git.Remove("away with a", "a")
	end := f.expect("a held")[0]
	if end.ID == change.ID || !end.Unit("a").Removal || end.Unit("a").Destroy != 1 {
		t.Fatalf("the end of a: %s", detail([]Run{end}))
	}
	if n := len(f.state("a").Resources); n != 1 {
		t.Fatalf("a has %d resources while its end waits", n)
	}
	if _, err := f.r.Approve(t.Context(), Decision{Run: change.ID, By: "ada"}); err == nil {
		t.Error("the overtaken change can still be approved")
	}
	f.approve(end.ID)
	f.expect("a applied")
	if n := len(f.state("a").Resources); n != 0 {
		t.Errorf("a has %d resources after its end", n)
	}
}

func TestDiscardedOrDeferredUnitThatIsRemovedIsStillEnded(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`), "b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`)})
	f.expect("a applied, b applied, c applied")
	f.git.Write("replace", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := f.expect("a held")[0]
	if _, err := f.r.Discard(t.Context(), Decision{Run: run.ID, By: "ada"}); err != nil {
		t.Fatal(err)
	}
	f.git.Remove("away with a", "a")
	if end := f.expect("a held")[0]; !end.Unit("a").Removal {
		t.Errorf("what waits is no end: %s", detail([]Run{end}))
	}
}

func TestInterruptedStaysKnownOverAFailedPlan(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`), "b/main.tf": module(`"b"`)})
	f.expect("a applied, b applied")
	f.interrupt("a")
	f.expect("a interrupted")
	f.git.Write("a plan that fails", map[string]string{"a/main.tf": module(`nonsense.here`)})
	f.expect("a failed")
	f.git.Write("a plan that works", map[string]string{"a/main.tf": module(`"2"`)})
	run := f.expect("a held")[0]
	if why := run.Unit("a").Reason; !strings.Contains(why, "the last apply was interrupted") {
		t.Errorf("a waits because %q", why)
	}
	f.approve(run.ID)
	f.expect("a applied")
}

func TestInterruptedStaysKnownOverAStop(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`), "b/main.tf": module(`"b"`)})
	f.expect("a applied, b applied")
	f.git.Write("change", map[string]string{"a/main.tf": module(`"2"`)})
	f.interrupt("a")
	run := f.expect("a interrupted")[0]
	f.approve(run.ID)
	f.syncUntil(f.stopAt(PhaseInit, "a"))
	f.reopen()
	f.expect("a held")
}

func TestUnitOfAnUnfinishedHeadCanBeRemoved(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`), "b/main.tf": module(`"1"`)})
	f.expect("a applied, b applied")
	f.git.Write("d", map[string]string{"d/main.tf": module(`"d"`)})
	f.syncUntil(f.stopAt(PhaseDone, "d"))
	f.reopen()
	f.git.Remove("no d", "d")
	run := f.expect("d held")[0]
	f.approve(run.ID)
	f.expect("d applied")
	f.git.Write("later", map[string]string{"a/main.tf": module(`"2"`)})
	f.expect("a applied")
}

// db is deferred at a commit that has an upstream which the head does not have.
func TestDeferredUnitIsTriedOnceAPass(t *testing.T) {
	dir := t.TempDir()
	network := func(v string) string {
		return "terraform {\n  backend \"local\" {\n    path = \"" + dir + "/n.tfstate\"\n  }\n}\n" + replacing(v) + "output \"out\" {\n  value = " + v + "\n}\n"
	}
	f := newFixture(t, map[string]string{
		"network/main.tf": network(`"1"`), "x/main.tf": module(`"x"`), "y/main.tf": module(`"y"`),
		"db/main.tf": "data \"terraform_remote_state\" \"n\" {\n  backend = \"local\"\n  config  = { path = \"" + dir + "/n.tfstate\" }\n}\n" + module(`data.terraform_remote_state.n.outputs.out`),
	})
	f.expect("network applied, db applied, x applied, y applied")
	f.git.Write("replace", map[string]string{"network/main.tf": network(`"2"`)})
	f.expect("network held, db deferred")
	f.git.Remove("network is somebody else's now", "network")
	var mu sync.Mutex
	begun := 0
	f.r.opts.Observe = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Phase == PhaseBegin {
			begun++
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := f.r.Sync(ctx, SyncOptions{}); err != nil {
		t.Fatal(err)
	}
	if begun > 3 {
		t.Errorf("%d executions in one pass", begun)
	}
}

func TestFailedFirstApplyIsNotForgotten(t *testing.T) {
	f := newFixture(t, map[string]string{
		"b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`),
		"a/main.tf": module(`"a"`) + "resource \"terraform_data\" \"bad\" {\n  depends_on = [terraform_data.this]\n  provisioner \"local-exec\" {\n    command = \"exit 3\"\n  }\n}\n",
	})
	f.expect("a failed, b applied, c applied")
	f.git.Write("and now it does not even plan", map[string]string{"a/main.tf": module(`nonsense.here`)})
	f.expect("a failed")
	f.git.Remove("away with a", "a")
	if got := summary(f.sync()); got != "a held" && got != "a failed" {
		t.Fatalf("a left resources behind and the removal gave %q", got)
	}
	if n := len(f.state("a").Resources); n == 0 {
		t.Error("the test makes nothing that could be left behind")
	}
}

func TestApprovedWholeCommitSurvivesAStop(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`), "b/main.tf": module(`"1"`), "c/main.tf": module(`"1"`)})
	f.expect("a applied, b applied, c applied")
	f.git.Remove("two away", "a", "b")
	run := f.expect("a held, b held")[0]
	f.approve(run.ID)
	f.syncUntil(f.stopAt(PhaseBegin, ""))
	f.reopen()
	f.expect("a held, b held")
	f.approve(f.sync()[0].ID)
	f.expect("a applied, b applied")
}

func TestOldOrphansDoNotHoldLaterCommits(t *testing.T) {
	hcl := func(names ...string) string {
		s := "discover = false\n"
		for _, n := range names {
			s += "workspace \"" + n + "\" {\n  dir = \"" + n + "\"\n}\n"
		}
		return s
	}
	f := newFixture(t, map[string]string{"mooring.hcl": hcl("a", "b", "c"), "a/main.tf": module(`"1"`), "b/main.tf": module(`"1"`), "c/main.tf": module(`"1"`)})
	f.expect("a applied, b applied, c applied")
	f.git.Write("one less", map[string]string{"mooring.hcl": hcl("b", "c")})
	f.expect("")
	f.git.Write("and another", map[string]string{"mooring.hcl": hcl("c")})
	f.expect("")
	f.git.Write("work goes on", map[string]string{"c/main.tf": module(`"2"`)})
	f.expect("c applied")
}

func TestDestroyThatWaitedForAPassLooksAgain(t *testing.T) {
	hcl := "workspace \"b\" {\n  dir = \"b\"\n}\n"
	f := newFixture(t, map[string]string{"mooring.hcl": "discover = false\nworkspace \"a\" {\n  dir = \"a\"\n}\n" + hcl, "a/main.tf": module(`"a"`), "b/main.tf": module(`"b"`)})
	f.expect("a applied, b applied")
	f.git.Write("forget to mention a", map[string]string{"mooring.hcl": "discover = false\n" + hcl})
	f.expect("")
	repo, err := f.r.repository("infra")
	if err != nil {
		t.Fatal(err)
	}
	repo.pass.Lock() // a pass is under way
	done := make(chan error, 1)
	go func() { _, err := f.r.Destroy(t.Context(), "", "a", "ada"); done <- err }()
	err = f.r.journal.update(func(tx *bbolt.Tx) error { // and brings a back
		m, err := getMemory(tx, "infra", "a")
		if err != nil {
			return err
		}
		m.Departed = nil
		return putMemory(tx, m)
	})
	if err != nil {
		t.Fatal(err)
	}
	repo.pass.Unlock()
	if err := <-done; err == nil {
		t.Error("a unit that the branch has again was planned to be destroyed")
	}
}

func TestDiscardWhileAnotherApprovalIsCarriedOut(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, map[string]string{"a/main.tf": module(`"a"`), "b/main.tf": replacing(`"1"`)}, func(o *Options) { o.Repositories[0].AutoApply = policies.Never })
	f.approve(f.sync()[0].ID)
	f.expect("a applied, b applied")
	f.git.Write("one", map[string]string{"a/w.tf": strings.ReplaceAll(waiting(dir), `"this"`, `"w"`)})
	first := f.expect("a held")[0].ID
	f.git.Write("two", map[string]string{"b/main.tf": replacing(`"2"`)})
	runs := f.expect("a held; b held")
	second := runs[1].ID
	before := f.state("b").Serial
	f.approve(first)
	f.approve(second)
	var wg sync.WaitGroup
	wg.Go(func() { f.sync() })
	awaitFile(t, filepath.Join(dir, "began"))
	if _, err := f.r.Discard(t.Context(), Decision{Run: second, By: "bob"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	f.sync()
	run, err := f.r.Show(second)
	if err != nil || run.Status != Discarded || f.state("b").Serial != before {
		t.Errorf("%s is %s, %v; b's state went from serial %d to %d", second, run.Status, err, before, f.state("b").Serial)
	}
}

func TestRemovalWithNothingToDestroyEnds(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": "resource \"terraform_data\" \"x\" {\n  count = 0\n}\n", "b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`)})
	f.sync()
	f.git.Remove("away", "a")
	f.expect("a unchanged")
	f.expect("")
}

func TestNewUnitThatIsRevertedWaitsForNobody(t *testing.T) {
	f := newFixture(t, map[string]string{"b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`)}, func(o *Options) { o.Repositories[0].AutoApply = policies.Never })
	f.approve(f.sync()[0].ID)
	f.expect("b applied, c applied")
	f.git.Write("new", map[string]string{"a/main.tf": module(`"a"`)})
	run := f.expect("a held")[0]
	plan := heldPlanOf(f, "a").File
	f.approve(run.ID)
	f.git.Revert("no")
	f.expect("")
	if n := f.pending(); n != 0 {
		t.Errorf("%d decisions are pending on nothing", n)
	}
	if _, err := os.Stat(plan); !os.IsNotExist(err) {
		t.Errorf("the plan file stays: %v", err)
	}
}

func TestOpeningTheGateAppliesWhatWasOnlyPlanned(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)}, func(o *Options) { o.Repositories[0].Apply = ApplyNever })
	f.expect("a planned")
	f.opts.Repositories[0].Apply = AfterMerge
	f.reopen()
	f.expect("a applied")
}

func TestHeadThatTheOperatorRepairedIsTaken(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)})
	f.expect("a applied")
	f.git.Write("manifests", map[string]string{"a/main.tf": module(`"2"`), "k8s/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"})
	if runs := f.sync(); runs[0].Status != Failed {
		t.Fatalf("runs: %s", detail(runs))
	}
	f.git.Write("they are somebody else's", map[string]string{"mooring.hcl": "discover = false\nworkspace \"a\" {\n  dir = \"a\"\n}\n"})
	f.expect("a applied")
	if got := f.state("a").Outputs["out"].Value; got != "2" {
		t.Errorf("a's output is %v", got)
	}
}

// A sensitive output that reaches a variable which is not declared sensitive is
// printed by Terraform; Mooring knows better.
func TestSensitiveOutputIsHiddenWhereTerraformPrintsIt(t *testing.T) {
	const canary = "s3cr3t-canary-77"
	f := newFixture(t, map[string]string{
		"mooring.hcl": chain,
		"network/main.tf": `
resource "terraform_data" "this" {
  input = sensitive("s3cr3t-canary-${length("1234567") * 11}")
}
output "out" {
  value     = terraform_data.this.output
  sensitive = true
}
`,
		"db/main.tf": "variable \"vpc\" {}\n" + module(`"db in ${var.vpc}"`),
	})
	var mu sync.Mutex
	f.r.opts.Observe = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(e.Text, canary) {
			t.Errorf("event %s of %s: %s", e.Phase, e.Unit, e.Text)
		}
	}
	run := f.expect("network applied, db applied")[0]
	log, err := os.ReadFile(filepath.Join(f.opts.DataDir, "runs", run.ID, fileName("db")+".log"))
	if err != nil || strings.Contains(string(log), canary) || !strings.Contains(string(log), "(sensitive value)") {
		t.Errorf("the log of db, %v:\n%s", err, log)
	}
	f.git.Write("an error that quotes it", map[string]string{"db/check.tf": `
resource "terraform_data" "check" {
  lifecycle {
    precondition {
      condition     = length(var.vpc) > 1000
      error_message = "bad ${var.vpc}"
    }
  }
}
`})
	runs := f.expect("db failed")
	if strings.Contains(detail(runs), canary) || !strings.Contains(runs[0].Unit("db").Error, "(sensitive value)") {
		t.Errorf("the error: %s", runs[0].Unit("db").Error)
	}
}

func TestRunsOfARepositoryThatIsGoneWaitForNobody(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)}, func(o *Options) { o.Repositories[0].AutoApply = policies.Never })
	run := f.expect("a held")[0]
	f.opts.Repositories[0].Name = "other"
	f.reopen()
	for _, r := range f.sync() {
		if r.ID == run.ID {
			t.Error("a run of a repository that is not configured is said to wait")
		}
	}
	if _, err := f.r.Approve(t.Context(), Decision{Run: run.ID, By: "ada"}); err == nil {
		t.Error("it can be approved")
	}
	if n := f.pending(); n != 0 {
		t.Errorf("the refused approval is recorded: %d pending", n)
	}
}

// A plan holds sensitive values in clear: one that nothing waits for is gone at the
// latest when Mooring starts again.
func TestPlansThatNothingWaitsForAreCollected(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := f.expect("a held")[0]
	kept := heldPlanOf(f, "a").File
	stray := filepath.Join(filepath.Dir(kept), "stray.tfplan")
	if err := os.WriteFile(stray, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.reopen()
	if _, err := os.Stat(stray); !os.IsNotExist(err) {
		t.Errorf("the stray plan is still there: %v", err)
	}
	f.approve(run.ID)
	f.expect("a applied")
}

func TestDependantsGoOnAfterADiscard(t *testing.T) {
	files := chained(`"vpc-1"`)
	files["network/main.tf"] = replacing(`"a"`) + "output \"out\" {\n  value = \"o\"\n}\n"
	f := newFixture(t, files)
	f.expect("alone applied, network applied, db applied")
	f.git.Write("replace it", map[string]string{"network/main.tf": replacing(`"b"`) + "output \"out\" {\n  value = \"p\"\n}\n"})
	run := f.expect("network held, db deferred")[0]
	if _, err := f.r.Discard(t.Context(), Decision{Run: run.ID, By: "ada"}); err != nil {
		t.Fatal(err)
	}
	f.expect("network discarded, db unchanged") // with the outputs that are there
	f.git.Write("db goes on", map[string]string{"db/main.tf": "variable \"vpc\" {}\n" + module(`"another db in ${var.vpc}"`)})
	f.expect("db applied")
	if got := f.state("db").Outputs["out"].Value; got != "another db in o" {
		t.Errorf("db's output is %v", got)
	}
}

func TestFaultInManifestsIsFoundBeforeAnythingIsApplied(t *testing.T) {
	tests := []struct{ name, yaml, want string }{
		{"broken YAML", "a: [\n", "k8s/a.yaml:"},
		{"unknown name", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  v: ${nope}\n", "k8s/a.yaml:6: unknown ${nope}"},
		{"two of one identity", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n", "v1 ConfigMap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, map[string]string{"a/main.tf": module(`"a"`), "k8s/a.yaml": tt.yaml}, func(o *Options) {
				o.Clusters = []ClusterConfig{{Name: "away", Kubeconfig: filepath.Join(t.TempDir(), "none")}}
			})
			runs := f.sync()
			if len(runs) != 1 || runs[0].Status != Failed || len(runs[0].Units) != 0 || !strings.Contains(runs[0].Error, tt.want) {
				t.Fatalf("runs: %s", detail(runs))
			}
			if _, err := os.Stat(f.stateFile("a")); !os.IsNotExist(err) {
				t.Errorf("a was taken: %v", err)
			}
			f.noLocks()
		})
	}
}

func TestOneSyncTriesAUnitOnce(t *testing.T) {
	files := chained(`"vpc-1"`)
	files["network/main.tf"] = replacing(`"a"`) + "output \"out\" {\n  value = \"o\"\n}\n"
	f := newFixture(t, files)
	f.expect("alone applied, network applied, db applied")
	f.git.Write("replace it", map[string]string{
		"network/main.tf": replacing(`"b"`) + "output \"out\" {\n  value = \"p\"\n}\n",
		"db/main.tf":      "variable \"vpc\" {}\n" + module(`nonsense.here`),
	})
	run := f.expect("network held, db deferred")[0]
	f.approve(run.ID)
	f.expect("network applied, db failed")
}
