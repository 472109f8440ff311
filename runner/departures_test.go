package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace"
)

// keeping is a root module whose state is a file outside the repository.
func keeping(path, value string) string {
	return `
terraform {
  backend "local" {
    path = "` + path + `"
  }
}
` + module(value)
}

func TestRemovedRootModuleIsDestroyedOnlyByAPerson(t *testing.T) {
	files := chained(`"vpc-1"`)
	files["more/main.tf"] = module(`"more"`)
	f := newFixture(t, files)
	f.expect("alone applied, more applied, network applied, db applied")

	f.git.Commit("away with the database", githttp.Change{Remove: []string{"db", "network"}, Write: map[string]string{"mooring.hcl": ""}})
	run := f.expect("db held, network held")[0]
	for _, u := range run.Units {
		if !u.Removal || u.Destroy == 0 && u.ID == "db" {
			t.Errorf("%s: removal %v, destroys %d", u.ID, u.Removal, u.Destroy)
		}
	}
	if n := len(f.state("db").Resources); n != 1 {
		t.Errorf("db has %d resources while its end waits", n)
	}
	f.expect("db held, network held")

	// The network goes after its dependant, whatever the order of approval.
	f.approve(run.ID, "network")
	runs := f.expect("db held, network held")
	if why := runs[0].Unit("network").Reason; !strings.Contains(why, "its dependant db must be gone first") {
		t.Errorf("network waits because %q", why)
	}
	f.approve(run.ID)
	f.expect("db applied, network applied")
	for _, dir := range []string{"db", "network"} {
		if n := len(f.state(dir).Resources); n != 0 {
			t.Errorf("%s has %d resources after its end", dir, n)
		}
	}
	f.expect("")
}

func TestRemovalThatIsRevertedDestroysNothing(t *testing.T) {
	f := newFixture(t, map[string]string{"a/main.tf": module(`"a"`), "b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`)})
	f.expect("a applied, b applied, c applied")
	f.git.Remove("away with a", "a")
	f.expect("a held")
	f.git.Revert("no, keep it")
	f.expect("a unchanged")
	f.expect("")
}

func TestMovedDirectoryKeepsItsState(t *testing.T) {
	state := filepath.Join(t.TempDir(), "a.tfstate")
	f := newFixture(t, map[string]string{"a/main.tf": keeping(state, `"a"`), "b/main.tf": module(`"b"`)})
	f.expect("a applied, b applied")
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	f.git.Commit("git mv a z", githttp.Change{Remove: []string{"a"}, Write: map[string]string{"z/main.tf": keeping(state, `"a"`)}})
	run := f.expect("z unchanged")[0]
	if !strings.Contains(strings.Join(run.Notes, "\n"), "a moved to z") {
		t.Errorf("the move is not said: %q", run.Notes)
	}
	after, err := os.ReadFile(state)
	if err != nil || string(before) != string(after) {
		t.Errorf("the state changed: %v", err)
	}
}

func TestOrphanedUnitIsLeftAlone(t *testing.T) {
	f := newFixture(t, map[string]string{
		"mooring.hcl": "discover = false\nworkspace \"a\" {\n  dir = \"a\"\n}\nworkspace \"b\" {\n  dir = \"b\"\n}\n",
		"a/main.tf":   module(`"a"`), "b/main.tf": module(`"b"`),
	})
	f.expect("a applied, b applied")
	f.git.Write("forget to mention a", map[string]string{"mooring.hcl": "discover = false\nworkspace \"b\" {\n  dir = \"b\"\n}\n"})
	f.expect("")
	if n := len(f.state("a").Resources); n != 1 {
		t.Fatalf("a has %d resources", n)
	}
	if err := f.r.Forget("", "b", "ada"); err == nil {
		t.Error("a unit that the branch has can be forgotten")
	}
	run, err := f.r.Destroy(t.Context(), "", "a", "ada")
	if err != nil {
		t.Fatal(err)
	}
	if got := summary([]Run{run}); got != "a held" {
		t.Fatalf("destroy made %s", got)
	}
	f.approve(run.ID)
	f.expect("a applied")
	if n := len(f.state("a").Resources); n != 0 {
		t.Errorf("a has %d resources after its end", n)
	}
}

func TestForgottenUnitIsLeftAsItIs(t *testing.T) {
	f := newFixture(t, map[string]string{
		"mooring.hcl": "discover = false\nworkspace \"a\" {\n  dir = \"a\"\n}\nworkspace \"b\" {\n  dir = \"b\"\n}\n",
		"a/main.tf":   module(`"a"`), "b/main.tf": module(`"b"`),
	})
	f.expect("a applied, b applied")
	f.git.Write("forget to mention a", map[string]string{"mooring.hcl": "discover = false\nworkspace \"b\" {\n  dir = \"b\"\n}\n"})
	f.expect("")
	if err := f.r.Forget("infra", "a", "ada"); err != nil {
		t.Fatal(err)
	}
	if n := len(f.state("a").Resources); n != 1 {
		t.Errorf("a has %d resources after it was forgotten", n)
	}
	if err := f.r.Forget("infra", "a", "ada"); err == nil {
		t.Error("it can be forgotten twice")
	}
}

func TestCommitThatRemovesMostUnitsIsHeldWhole(t *testing.T) {
	f := newFixture(t, map[string]string{
		"a/main.tf": module(`"a"`), "b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`), "d/main.tf": module(`"d"`),
	})
	f.expect("a applied, b applied, c applied, d applied")
	f.git.Commit("a slip", githttp.Change{Remove: []string{"a", "b", "c"}, Write: map[string]string{"d/main.tf": module(`"other"`)}})
	run := f.expect("a held, b held, c held")[0]
	if run.Status != Held || !strings.Contains(run.Held, "removes 3 of 4 units") {
		t.Fatalf("the run is %s: %q", run.Status, run.Held)
	}
	if got := f.state("d").Outputs["out"].Value; got != "d" {
		t.Errorf("d was taken although the commit is held: %v", got)
	}
	f.expect("a held, b held, c held")

	// Approved, it goes on like any other commit: removals still wait one by one.
	f.approve(run.ID)
	f.expect("a superseded, b superseded, c superseded; d applied, a held, b held, c held")
}

func TestCommitThatIsHeldWholeCanBeTakenBack(t *testing.T) {
	f := newFixture(t, map[string]string{
		"a/main.tf": module(`"a"`), "b/main.tf": module(`"b"`), "c/main.tf": module(`"c"`),
	})
	f.expect("a applied, b applied, c applied")
	f.git.Remove("a slip", "a", "b")
	run := f.expect("a held, b held")[0]
	f.git.Revert("sorry")
	f.expect("")
	if got, err := f.r.Show(run.ID); err != nil || got.Status != Superseded {
		t.Errorf("the held run is %s, %v", got.Status, err)
	}
}

func TestStateThatDoesNotContinueIsHeld(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.tfstate")
	tests := []struct {
		name  string
		spoil func(t *testing.T, f *fixture)
		why   string
	}{
		{"it vanished", func(t *testing.T, f *fixture) {
			if err := os.Remove(f.stateFile("a")); err != nil {
				t.Fatal(err)
			}
		}, "the state is empty and the last run left 1 resource in it"},
		{"another lineage", func(t *testing.T, f *fixture) {
			edit(t, f.stateFile("a"), `"lineage": "`, `"lineage": "00`)
		}, "the state has another lineage"},
		{"a lower serial", func(t *testing.T, f *fixture) {
			now := f.state("a").Serial
			edit(t, f.stateFile("a"), fmt.Sprintf(`"serial": %d`, now), fmt.Sprintf(`"serial": %d`, now-1))
		}, "the state went back to serial"},
		{"another backend", func(t *testing.T, f *fixture) {
			f.git.Write("move the state", map[string]string{"a/main.tf": keeping(other, `"2"`)})
		}, "the backend changed from"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, map[string]string{"a/main.tf": module(`"1"`)})
			f.expect("a applied")
			f.git.Write("two", map[string]string{"a/main.tf": module(`"2"`)})
			tt.spoil(t, f)
			run := f.expect("a held")[0]
			u := run.Unit("a")
			if !strings.Contains(u.Reason, tt.why) {
				t.Errorf("held because %q, want %q", u.Reason, tt.why)
			}
			f.approve(run.ID, "a") // a person accepts the state as it is
			f.expect("a applied")
			f.expect("")
		})
	}
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), old, new, 1)
	if changed == string(data) {
		t.Fatalf("%s has no %q:\n%s", path, old, data)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatLeavesNow(t *testing.T) {
	known := map[string]*memory{"a": {}, "b": {}, "c": {}, "old": {Departed: &departed{Why: "orphaned"}}}
	left := workspace.Departures{Units: []workspace.Departure{
		{Unit: workspace.Known{ID: "a"}, Fate: workspace.Destroy},
		{Unit: workspace.Known{ID: "b"}, Fate: workspace.Moved, To: "z"},
		{Unit: workspace.Known{ID: "old"}, Fate: workspace.Orphaned},
	}}
	if leaving, here := leavingNow(known, left); leaving != 1 || here != 3 {
		t.Errorf("%d of %d leave, want 1 of 3", leaving, here)
	}
}
