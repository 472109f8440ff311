package runner

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/policies"
)

const chain = `
workspace "network" { dir = "network" }
workspace "db" {
  dir       = "db"
  variables = { vpc = workspace.network.outputs.out }
}
`

func chained(value string) map[string]string {
	return map[string]string{
		"mooring.hcl":     chain,
		"network/main.tf": module(value),
		"db/main.tf":      "variable \"vpc\" {}\n" + module(`"db in ${var.vpc}"`),
		"alone/main.tf":   module(`"alone"`),
	}
}

func TestOutputsFlowAlongTheGraphAndOnlyTheAffectedRun(t *testing.T) {
	f := newFixture(t, chained(`"vpc-1"`))
	f.expect("alone applied, network applied, db applied")
	if got := f.state("db").Outputs["out"].Value; got != "db in vpc-1" {
		t.Errorf("db's output is %v", got)
	}
	f.expect("")

	f.git.Write("a README", map[string]string{"README.md": "hello"})
	f.expect("")

	f.git.Write("another vpc", map[string]string{"network/main.tf": module(`"vpc-2"`)})
	f.expect("network applied, db applied")
	if got := f.state("db").Outputs["out"].Value; got != "db in vpc-2" {
		t.Errorf("db's output is %v after the upstream changed", got)
	}

	f.git.Revert("back to vpc-1")
	f.expect("network applied, db applied")
	if got := f.state("db").Outputs["out"].Value; got != "db in vpc-1" {
		t.Errorf("db's output is %v after the revert", got)
	}
	f.reopen()
	f.expect("")
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil || len(runs) != 3 {
		t.Errorf("history has %d runs after a restart, %v; want 3", len(runs), err)
	}
}

func TestFailureStopsDependantsAndNotSiblings(t *testing.T) {
	files := chained(`"vpc-1"`)
	files["network/main.tf"] = `
variable "room" { default = false }
resource "terraform_data" "this" {
  lifecycle {
    precondition {
      condition     = var.room
      error_message = "no address space is left"
    }
  }
}
output "out" { value = "x" }
`
	f := newFixture(t, files)
	runs := f.expect("alone applied, network failed, db skipped")
	if runs[0].Status != Failed {
		t.Errorf("the run is %s", runs[0].Status)
	}
	u := runs[0].Unit("network")
	if !strings.Contains(u.Error, "Resource precondition failed") || !strings.Contains(u.Error, "no address space is left") {
		t.Errorf("the error does not have Terraform's words: %q", u.Error)
	}
	if why := runs[0].Unit("db").Reason; why != "network failed" {
		t.Errorf("db was skipped because %q", why)
	}
	f.expect("network failed, db skipped") // a person asked: failed units are planned again
	f.git.Write("fix it", map[string]string{"network/main.tf": module(`"vpc-1"`)})
	f.expect("network applied, db applied")
}

// What failed half-way is tainted: making it again is a replacement, and that is
// a person's to decide.
func TestFailedApplyIsReplacedOnlyByAPerson(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": `
resource "terraform_data" "this" {
  provisioner "local-exec" {
    command = "exit 3"
  }
}`})
	u := f.expect("a failed")[0].Unit("a")
	if !strings.Contains(u.Error, "local-exec provisioner error") || !strings.Contains(u.Error, "exit status 3") {
		t.Errorf("the error does not have Terraform's words: %q", u.Error)
	}
	f.git.Write("fix it", map[string]string{"a/main.tf": replacing(`null`)})
	run := f.expect("a held")[0]
	f.approve(run.ID)
	f.expect("a applied")
}

func TestDestroyWaitsForAPersonAndDependantsWithIt(t *testing.T) {
	files := chained(`"vpc-1"`)
	files["network/main.tf"] = replacing(`"a"`) + `output "out" { value = "o" }`
	f := newFixture(t, files)
	f.expect("alone applied, network applied, db applied")
	before := f.state("network").Serial

	f.git.Write("replace it", map[string]string{"network/main.tf": replacing(`"b"`) + `output "out" { value = "p" }`})
	runs := f.expect("network held, db deferred")
	held := runs[0]
	if u := held.Unit("network"); u.Reason != "replaces 1" || u.Add != 1 || u.Destroy != 1 {
		t.Errorf("network is held because %q, +%d -%d", u.Reason, u.Add, u.Destroy)
	}
	if f.state("network").Serial != before {
		t.Error("a held plan changed the state")
	}
	f.expect("network held, db deferred") // it still waits, and nothing is planned again
	if runs := f.sync(); runs[0].ID != held.ID {
		t.Errorf("the waiting run is %s, want %s", runs[0].ID, held.ID)
	}
	// A commit that leaves it alone leaves it waiting.
	f.git.Write("a README", map[string]string{"README.md": "hello"})
	f.expect("network held, db deferred")

	f.approve(held.ID)
	f.reopen() // the decision survives a restart
	runs = f.expect("network applied, db applied")
	if runs[0].ID != held.ID {
		t.Errorf("the approved units went on in %s, want %s", runs[0].ID, held.ID)
	}
	if n := strings.Join(runs[0].Unit("network").Notes, " "); !strings.Contains(n, "approved by ada") {
		t.Errorf("who approved is not kept: %q", n)
	}
	f.expect("")
}

func TestNewerCommitReplacesTheWaitingPlan(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	first := f.expect("a held")[0]
	plan := heldPlanOf(f, "a").File
	f.git.Write("three", map[string]string{"a/main.tf": replacing(`"3"`)})
	second := f.expect("a held")[0]
	if first.ID == second.ID {
		t.Fatal("the newer commit has no run of its own")
	}
	old, err := f.r.Show(first.ID)
	if err != nil || old.Status != Superseded {
		t.Errorf("the older run is %s, %v; want superseded", old.Status, err)
	}
	if _, err := os.Stat(plan); !os.IsNotExist(err) {
		t.Errorf("the superseded plan file is still there: %v", err)
	}
	if _, err := f.r.Approve(t.Context(), Decision{Run: first.ID, By: "ada"}); err == nil {
		t.Error("a superseded run can be approved")
	}
	// An approval that a commit overtakes is void: that commit's own plan waits.
	f.approve(second.ID)
	f.git.Write("four", map[string]string{"a/main.tf": replacing(`"4"`)})
	f.expect("a held")
}

func TestDiscardEndsWhatWaits(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := f.expect("a held")[0]
	got, err := f.r.Discard(t.Context(), Decision{Run: run.ID, By: "ada"})
	if err != nil || got.Status != Discarded {
		t.Fatalf("discard = %s, %v", got.Status, err)
	}
	f.expect("")
	f.git.Write("a README", map[string]string{"README.md": "hello"})
	f.expect("")
	f.git.Write("three", map[string]string{"a/main.tf": replacing(`"3"`)})
	f.expect("a held")
}

func TestApprovedPlanIsStaleOnceTheStateMoved(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := f.expect("a held")[0]
	// Somebody else writes the state meanwhile.
	path := f.stateFile("a")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	moved := strings.Replace(string(data), `"serial": 1`, `"serial": 5`, 1)
	if moved == string(data) {
		t.Fatalf("no serial in %s", data)
	}
	if err := os.WriteFile(path, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	f.approve(run.ID)
	again := f.expect("a held")[0]
	if why := again.Unit("a").Reason; !strings.Contains(why, "the state moved since the plan was made, so a new plan was made: replaces 1") {
		t.Errorf("it waits again because %q", why)
	}
	f.approve(run.ID)
	f.expect("a applied")
}

func TestSavedPlanThatWasTamperedWithIsNotApplied(t *testing.T) {
	for _, how := range []string{"gone", "changed"} {
		t.Run(how, func(t *testing.T) {
			f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`)})
			f.expect("a applied")
			f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
			run := f.expect("a held")[0]
			file := heldPlanOf(f, "a").File
			var err error
			if how == "gone" {
				err = os.Remove(file)
			} else {
				err = os.WriteFile(file, []byte("not a plan"), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			f.approve(run.ID)
			again := f.expect("a held")[0]
			if why := again.Unit("a").Reason; !strings.Contains(why, "the saved plan is") && !strings.Contains(why, "the saved plan was changed since it was kept") {
				t.Errorf("it waits again because %q", why)
			}
		})
	}
}

func TestApplyNeverOnlyPlans(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)}, func(o *Options) { o.Repositories[0].Apply = ApplyNever })
	f.expect("a planned")
	if info, err := os.Stat(f.stateFile("a")); err == nil && info.Size() > 0 {
		t.Errorf("a plan wrote a state of %d bytes", info.Size())
	}
	f.expect("")
	f.git.Write("more", map[string]string{"a/main.tf": module(`"2"`)})
	f.expect("a planned")
}

func TestCeilingLowersWhatTheRepositoryAsksFor(t *testing.T) {
	f := newFixture(t, map[string]string{
		"mooring.hcl": `workspace "a" {
  dir        = "a"
  auto_apply = "always"
}`,
		"a/main.tf": replacing(`"1"`),
	})
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := f.expect("a held")[0]
	if notes := strings.Join(append(run.Notes, run.Unit("a").Notes...), "\n"); !strings.Contains(notes, "no_destroy") {
		t.Errorf("nothing says that auto_apply was lowered: %q", notes)
	}
}

func TestCeilingOfNeverHoldsEveryChange(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)}, func(o *Options) { o.Repositories[0].AutoApply = policies.Never })
	f.expect("a held")
}

func TestSensitiveOutputsAreInTheDatabaseOnlySealed(t *testing.T) {
	const canary = "canary-7d1f2c"
	f := newFixture(t, map[string]string{
		"mooring.hcl":     chain,
		"network/main.tf": `output "out" {` + "\n  value = \"" + canary + "\"\n  sensitive = true\n}\n",
		"db/main.tf":      "variable \"vpc\" {\n  sensitive = true\n}\nresource \"terraform_data\" \"this\" {\n  input = sha256(var.vpc)\n}\n",
	})
	runs := f.expect("network applied, db applied")
	if strings.Contains(detail(runs), canary) {
		t.Error("the value is in the report")
	}
	if err := f.r.Close(); err != nil {
		t.Fatal(err)
	}
	defer f.open()
	state := f.r.home.StateDir("infra")
	err := filepath.WalkDir(f.opts.DataDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(path, state) || strings.Contains(path, "/mirrors/") || strings.Contains(path, "/views/") {
			return err // the state is Terraform's own, and this value is in the repository's files
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s holds the value in clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOfManyWaitingCommitsOnlyTheNewestRuns(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"0"`)})
	f.expect("a applied")
	for _, v := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
		f.git.Write("commit "+v, map[string]string{"a/main.tf": module(`"` + v + `"`)})
	}
	run := f.expect("a applied")[0]
	if run.Subject != "commit 10" {
		t.Errorf("the run is of %q", run.Subject)
	}
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil || len(runs) != 2 {
		t.Errorf("%d runs, %v; want 2", len(runs), err)
	}
}

func TestForcePushIsSaidAndTaken(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)})
	base := f.git.Head(githttp.Branch)
	f.expect("a applied")
	f.git.Write("two", map[string]string{"a/main.tf": module(`"2"`)})
	f.expect("a applied")
	f.git.ForceCommit(githttp.Branch, base, "two, again", githttp.Change{Write: map[string]string{"a/main.tf": module(`"2b"`)}})
	run := f.expect("a applied")[0]
	if !strings.Contains(strings.Join(run.Notes, "\n"), "force-pushed") {
		t.Errorf("the notes do not say that the branch was force-pushed: %q", run.Notes)
	}
}

func TestBrokenConfigurationFailsOnceAndHarmsNothing(t *testing.T) {
	f := newFixture(t, map[string]string{"mooring.hcl": "workspace \"a\" {\n  dri = \"a\"\n}\n", "a/main.tf": module(`"1"`)})
	runs := f.sync()
	if len(runs) != 1 || runs[0].Status != Failed || !strings.Contains(runs[0].Error, "mooring.hcl") {
		t.Fatalf("runs = %s", detail(runs))
	}
	again := f.sync()
	if len(again) != 1 || again[0].ID != runs[0].ID {
		t.Errorf("the same broken commit made another run: %s", detail(again))
	}
	f.git.Write("fix", map[string]string{"mooring.hcl": "workspace \"a\" {\n  dir = \"a\"\n}\n"})
	f.expect("a applied")
}

func TestCommitOfAChangedBlockTakesItsUnitAlone(t *testing.T) {
	f := newFixture(t, map[string]string{
		"mooring.hcl": "workspace \"a\" {\n  dir = \"a\"\n  variables = { v = \"1\" }\n}\nworkspace \"b\" { dir = \"b\" }\n",
		"a/main.tf":   "variable \"v\" {}\n" + module(`var.v`),
		"b/main.tf":   module(`"b"`),
	})
	f.expect("a applied, b applied")
	f.git.Write("two", map[string]string{"mooring.hcl": "workspace \"a\" {\n  dir = \"a\"\n  variables = { v = \"2\" }\n}\nworkspace \"b\" { dir = \"b\" }\n"})
	f.expect("a applied")
}

func heldPlanOf(f *fixture, unit string) *heldPlan {
	f.t.Helper()
	var m *memory
	err := f.r.journal.view(func(tx *bbolt.Tx) (err error) {
		m, err = getMemory(tx, "infra", unit)
		return err
	})
	if err != nil || m.Plan == nil {
		f.t.Fatalf("%s has no held plan: %v", unit, err)
	}
	return m.Plan
}

func TestStoppedBeforeItBeganIsTakenByTheNextPass(t *testing.T) {
	f := newFixture(t, chained(`"vpc-1"`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.r.Sync(ctx, SyncOptions{}); err == nil {
		t.Log("a cancelled sync made no error") // whichever step saw it first
	}
	f.reopen()
	f.expect("alone applied, network applied, db applied")
}

// Outputs are kept only where somebody refers to them; who begins to refer later
// finds them all the same.
func TestOutputThatIsReferredToLaterIsFound(t *testing.T) {
	f := newFixture(t, map[string]string{
		"network/main.tf": module(`"vpc-1"`),
		"db/main.tf":      "variable \"vpc\" { default = \"none\" }\n" + module(`"db in ${var.vpc}"`),
	})
	f.expect("db applied, network applied")
	f.git.Write("refer to it", map[string]string{"mooring.hcl": `
workspace "db" {
  dir       = "db"
  variables = { vpc = workspace["network"].outputs.out }
}
`})
	f.expect("network unchanged, db applied")
	if got := f.state("db").Outputs["out"].Value; got != "db in vpc-1" {
		t.Errorf("db's output is %v", got)
	}
}

func TestApplyNeverHoldsRemovalsAndOldApprovalsToo(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": replacing(`"1"`), "b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`)})
	f.expect("a applied, b applied, c applied")
	f.git.Write("two", map[string]string{"a/main.tf": replacing(`"2"`)})
	run := f.expect("a held")[0]
	f.approve(run.ID)
	before := f.state("a").Serial
	f.opts.Repositories[0].Apply = ApplyNever
	f.reopen()
	f.expect("a planned")
	f.git.Remove("away with b", "b")
	f.expect("b planned")
	if f.state("a").Serial != before || len(f.state("b").Resources) != 1 {
		t.Error("something was applied although apply is never")
	}
}

// One root module with two backend configurations is two workspaces; with one
// state it would be two owners of the same things.
func TestOneRootModuleWithTwoStates(t *testing.T) {
	dir := t.TempDir()
	block := func(name, state string) string {
		return "workspace \"" + name + "\" {\n  dir            = \"m\"\n  variables      = { v = \"" + name + "\" }\n  backend_config = { path = \"" + filepath.Join(dir, state) + "\" }\n}\n"
	}
	files := map[string]string{
		"mooring.hcl": block("prod", "prod.tfstate") + block("staging", "staging.tfstate"),
		"m/main.tf":   "terraform {\n  backend \"local\" {}\n}\nvariable \"v\" {}\n" + module("var.v"),
	}
	f := newFixture(t, files)
	f.expect("prod applied, staging applied")
	for _, name := range []string{"prod", "staging"} {
		data, err := os.ReadFile(filepath.Join(dir, name+".tfstate"))
		if err != nil || !strings.Contains(string(data), `"value": "`+name+`"`) {
			t.Errorf("the state of %s: %v\n%s", name, err, data)
		}
	}
	f.git.Write("a slip", map[string]string{"mooring.hcl": block("prod", "prod.tfstate") + block("staging", "prod.tfstate")})
	runs := f.expect("staging failed")
	if e := runs[0].Unit("staging").Error; !strings.Contains(e, "prod and staging keep one state") {
		t.Errorf("staging failed because %q", e)
	}
}

func TestVersionThatNobodyHasIsSaidWithItsPlace(t *testing.T) {
	f := newFixture(t, map[string]string{
		"a/main.tf":     module(`"a"`),
		"a/versions.tf": "terraform {\n  required_version = \">= 99.0\"\n}\n",
		"b/main.tf":     module(`"b"`),
	}, func(o *Options) { o.ReleasesURL = "http://127.0.0.1:9" })
	runs := f.expect("a failed, b applied")
	e := runs[0].Unit("a").Error
	for _, want := range []string{"a/versions.tf:2", ">= 99.0", "found 1.", "or change required_version"} {
		if !strings.Contains(e, want) {
			t.Errorf("the error does not say %q: %s", want, e)
		}
	}
}
