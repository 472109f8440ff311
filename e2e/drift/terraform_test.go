package drift

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/runner"
)

// What Terraform made is changed behind it, with real providers; what nobody touched is no drift.
func TestWhatChangesBehindTerraformIsFound(t *testing.T) {
	t.Parallel()
	rc := filepath.Join(t.TempDir(), "providers.tfrc")
	if err := parts.WriteCLIConfig(rc, parts.ProvidersForTest(t)); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, setting{server: fmt.Sprintf("cli_config = %q", rc), files: func(w *world) map[string]string {
		return map[string]string{
			"files/main.tf": fmt.Sprintf("resource \"local_file\" \"edited\" {\n  filename = \"%[1]s/edited\"\n  content  = \"as it was\"\n}\n\n"+
				"resource \"local_file\" \"deleted\" {\n  filename = \"%[1]s/deleted\"\n  content  = \"as it was\"\n}\n\n"+
				"resource \"local_file\" \"kept\" {\n  filename = \"%[1]s/kept\"\n  content  = \"as it was\"\n}\n", w.real),
			"state/main.tf": w.states.Backend("/state") + "resource \"terraform_data\" \"a\" {\n  input = \"as it was\"\n}\n",
			"quiet/main.tf": "resource \"random_pet\" \"name\" {}\n\nresource \"null_resource\" \"n\" {\n  triggers = { pet = random_pet.name.id }\n}\n",
		}
	}})
	if code, _, errs := w.run("drift"); code != 1 || !strings.Contains(errs, "mooring sync") {
		t.Errorf("a scan before anything was taken: exit %d: %s", code, errs)
	}
	w.sync(0)
	if run := w.scan(0, "drift"); found(run) != "" || len(run.Units) != 3 {
		t.Fatalf("found of what nobody touched:\n%s", found(run))
	}
	w.write(filepath.Join(w.real, "edited"), "by hand")
	if err := os.Remove(filepath.Join(w.real, "deleted")); err != nil {
		t.Fatal(err)
	}
	w.edit("/state", "as it was", "pushed elsewhere")
	want := "files: local_file.deleted out_of_band deleted create\nfiles: local_file.edited out_of_band deleted create\nstate: terraform_data.a out_of_band changed update"
	run := w.scan(2, "drift")
	if found(run) != want {
		t.Errorf("found\n%s\nwant\n%s", found(run), want)
	}
	if quiet := run.Unit("quiet"); quiet.Status != runner.Unchanged {
		t.Errorf("what nobody touched is %s: %s", quiet.Status, quiet.Reason)
	}
	if run := w.scan(2, "drift", "scan", "state"); len(run.Units) != 1 || !strings.HasPrefix(found(run), "state:") {
		t.Errorf("a scan of one unit has %d:\n%s", len(run.Units), found(run))
	}
	w.scan(0, "drift", "scan", "quiet")
	if code, _, errs := w.run("drift", "scan", "nowhere"); code != 1 || !strings.Contains(errs, "nowhere: no such unit") {
		t.Errorf("a scan of a unit that is none: exit %d: %s", code, errs)
	}
	// One message a unit, however often it was looked at.
	if got := w.hook.heard("drift"); !slices.Equal(got, []string{"drift new files", "drift new state"}) && !slices.Equal(got, []string{"drift new state", "drift new files"}) {
		t.Errorf("told of %q", got)
	}
	if all := w.drifts("list", "files"); len(all) != 2 {
		t.Errorf("%d drifts of files", len(all))
	}
	acknowledged(w)
	w.write(filepath.Join(w.real, "edited"), "as it was")
	w.write(filepath.Join(w.real, "deleted"), "as it was")
	w.edit("/state", "pushed elsewhere", "as it was")
	w.scan(0, "drift")
	if all := w.drifts("list"); len(all) != 0 {
		t.Errorf("open after all was put back: %+v", all)
	}
	history(w)
}

func acknowledged(w *world) {
	w.t.Helper()
	state := w.drifts("list", "state")
	if len(state) != 1 {
		w.t.Fatalf("%d drifts of state, want one", len(state))
	}
	until := time.Now().Add(48 * time.Hour)
	all := w.drifts("ack", state[0].ID, "--until", "2d", "--why", "moved on purpose", "--by", "ada")
	if len(all) != 1 || all[0].Ack == nil || all[0].Ack.By != "ada" || all[0].Ack.Until.Sub(until).Abs() > time.Minute {
		w.t.Errorf("acknowledged: %+v", all)
	}
	if state = w.drifts("list", "state"); state[0].Ack == nil || state[0].Ack.Why != "moved on purpose" {
		w.t.Errorf("the word is not kept: %+v", state)
	}
	if code, _, errs := w.run("drift", "ack", "d999", "--until", "2d"); code != 1 || !strings.Contains(errs, "no such drift") {
		w.t.Errorf("a drift that nobody knows: exit %d: %s", code, errs)
	}
}

func history(w *world) {
	w.t.Helper()
	code, out, errs := w.run("drift", "history", "-o", "csv")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if code != 0 || err != nil || len(rows) != 4 {
		w.t.Fatalf("history: exit %d, %v, %d rows: %s%s", code, err, len(rows), out, errs)
	}
	for _, row := range rows[1:] {
		cells := map[string]string{}
		for i, name := range rows[0] {
			cells[name] = row[i]
		}
		if cells["ended"] == "" || cells["ended_by"] != "outside" || cells["class"] != "out_of_band" || (cells["unit"] == "state") != (cells["acknowledged_by"] == "ada") {
			w.t.Errorf("history has %v", cells)
		}
	}
}
