package runner

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// takers are two workspaces that take what network makes: down gets its output, reader reads its state. Both are held where
// that changes.
func takers(t *testing.T) (files map[string]string, network func(value string) string) {
	state := filepath.Join(t.TempDir(), "network.tfstate")
	network = func(value string) string {
		return fmt.Sprintf("terraform {\n  backend \"local\" {\n    path = %q\n  }\n}\n", state) + module(value)
	}
	marked := "resource \"terraform_data\" \"mark\" {\n  input = \"mine\"\n}\n"
	return map[string]string{
		"mooring.hcl": `
workspace "network" {
  dir = "network"
}
workspace "down" {
  dir       = "down"
  variables = { net = workspace.network.outputs.out }
}
`,
		"network/main.tf": network(`"one"`),
		"down/main.tf":    "variable \"net\" {}\n" + marked + replacing("var.net"),
		"reader/main.tf":  "data \"terraform_remote_state\" \"n\" {\n  backend = \"local\"\n  config  = { path = \"" + state + "\" }\n}\n" + marked + replacing("data.terraform_remote_state.n.outputs.out"),
	}, network
}

// What an upstream has made since is no drift of those that wait with it: they are compared with what they took when they
// converged. What others did to them is found all the same.
func TestWhatAnUpstreamMadeSinceIsNoDriftOfWhatWaits(t *testing.T) {
	files, network := takers(t)
	f := newFixture(t, files)
	f.expect("network applied, down applied, reader applied")
	f.scan("network unchanged, down unchanged, reader unchanged")
	f.git.Write("another network", map[string]string{"network/main.tf": network(`"two"`)})
	waits := f.expect("network applied, down held, reader held")[0]
	people := &ears{}
	f.r.notify = people

	f.scan("network unchanged, down unchanged, reader unchanged")
	f.reopen()
	f.r.notify = people
	run := f.scan("network unchanged, down unchanged, reader unchanged")
	if notes := strings.Join(run.Unit("reader").Notes, "; "); !strings.Contains(notes, "1 difference of an undeployed commit (waits for approval): no drift") {
		t.Errorf("it is not said that the reader has something to apply: %q", notes)
	}
	if told := people.states(); told != "" {
		t.Errorf("people were told: %s", told)
	}

	f.editState("down", `"mine"`, `"theirs"`)
	f.editState("reader", `"mine"`, `"theirs"`)
	for _, u := range f.scan("network unchanged, down planned, reader planned").Units {
		for _, d := range u.Drift {
			if d.Address != "terraform_data.mark" || d.Class != drift.OutOfBand {
				t.Errorf("%s: %s %s is %s", u.ID, d.Address, d.Change, d.Class)
			}
		}
	}
	f.editState("down", `"theirs"`, `"mine"`)
	f.editState("reader", `"theirs"`, `"mine"`)
	f.scan("network unchanged, down unchanged, reader unchanged")

	// What one takes with a yes is the measure from then on; a no leaves the other's as it was.
	f.approve(waits.ID, "down")
	f.expect("network applied, down held, reader held") // its state was moved since that was planned
	f.approve(waits.ID, "down")
	f.expect("network applied, down applied, reader held")
	if _, err := f.r.Discard(t.Context(), Decision{Run: waits.ID, Units: []string{"reader"}, By: "ada"}); err != nil {
		t.Fatal(err)
	}
	run = f.scan("network unchanged, down unchanged, reader unchanged")
	if notes := strings.Join(run.Unit("reader").Notes, "; "); !strings.Contains(notes, "1 difference of an undeployed commit (has a discarded plan): no drift") {
		t.Errorf("it is not said that the reader has something to apply: %q", notes)
	}
}

// Healing brings a unit back to what it was: what its upstream has made since waits for a person, as ever.
func TestHealingTakesNothingNewFromAnUpstream(t *testing.T) {
	files := chained(`"<one>"`)
	files["mooring.hcl"] += "drift {\n  remediate = \"apply\"\n}\n"
	files["db/main.tf"] = "variable \"vpc\" {}\nresource \"terraform_data\" \"mark\" {\n  input = \"mine\"\n}\n" + module("var.vpc")
	f := newFixture(t, files, func(o *Options) { o.Repositories[0].Drift.Remediate = workspace.RemediateApply })
	f.expect("alone applied, network applied, db applied")
	f.editState("db", `"mine"`, `"theirs"`)
	f.scan("db planned", "db")
	f.expect("db applied")
	if got := f.state("db").Outputs["out"].Value; got != "<one>" {
		t.Errorf("db's output is %v", got)
	}

	// As if a pull request had applied it, before a merge that brings it to its dependants.
	if err := f.r.journal.update(func(tx *bbolt.Tx) error {
		m, err := getMemory(tx, "infra", "network")
		if err != nil {
			return err
		}
		m.Outputs["out"] = output{Value: []byte(`"two"`), Type: []byte(`"string"`)}
		return putMemory(tx, m)
	}); err != nil {
		t.Fatal(err)
	}
	f.editState("db", `"mine"`, `"theirs"`)
	f.scan("db planned", "db")
	run := f.expect("db held")[0]
	if why := run.Unit("db").Reason; !strings.Contains(why, "variable vpc is not what it converged with") {
		t.Errorf("it is held because %q", why)
	}
}
