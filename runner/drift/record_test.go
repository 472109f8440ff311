package drift

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/parts"
)

var update = flag.Bool("update", false, "record the plans again, with a real Terraform and real providers")

// story is a module that is applied, what then happens to it, and what drift is found.
type story struct {
	name      string
	providers bool                             // it needs real ones
	applied   string                           // what was applied
	planned   string                           // what the plan is of; "" for the same
	behind    func(t *testing.T, dir string)   // what happens behind Terraform's back
	after     func(t *testing.T, tf terraform) // what somebody does with Terraform, elsewhere
	state     State
	want      []string
}

func (s story) file() string { return filepath.Join("testdata", "plans", s.name+".json") }

// terraform is the program, in one module.
type terraform struct{ program, dir, cli string }

func (tf terraform) run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tf.program, args...)
	cmd.Dir = tf.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tf.dir, "TF_CLI_CONFIG_FILE=" + tf.cli, "TF_IN_AUTOMATION=1"}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, errs.Bytes())
	}
	return out
}

func (tf terraform) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(tf.dir, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// record lives the story and writes down the plan at its end.
func (s story) record(t *testing.T) {
	t.Helper()
	mirror := t.TempDir()
	if s.providers {
		mirror = parts.ProvidersForTest(t)
	}
	tf := terraform{parts.TerraformForTest(t), t.TempDir(), filepath.Join(t.TempDir(), "cli.tfrc")}
	if err := parts.WriteCLIConfig(tf.cli, mirror); err != nil {
		t.Fatal(err)
	}
	tf.write(t, s.applied)
	tf.run(t, "init", "-input=false")
	tf.run(t, "apply", "-input=false", "-auto-approve")
	if s.after != nil {
		s.after(t, tf)
	}
	if s.behind != nil {
		s.behind(t, tf.dir)
	}
	if s.planned != "" {
		tf.write(t, s.planned)
	}
	tf.run(t, "plan", "-input=false", "-out=plan")
	var indented bytes.Buffer
	if err := json.Indent(&indented, tf.run(t, "show", "-json", "plan"), "", "\t"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(s.file()), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.file(), indented.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pushed replaces text in the state, as somebody does who pulls it, edits it and pushes it.
func pushed(old, new string) func(*testing.T, terraform) {
	return func(t *testing.T, tf terraform) {
		t.Helper()
		var state map[string]any
		raw := bytes.ReplaceAll(tf.run(t, "state", "pull"), []byte(old), []byte(new))
		if err := json.Unmarshal(raw, &state); err != nil {
			t.Fatal(err)
		}
		state["serial"] = state["serial"].(float64) + 1
		raw, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tf.dir, "edited"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		tf.run(t, "state", "push", "edited")
	}
}

// did runs Terraform once more, elsewhere.
func did(args ...string) func(*testing.T, terraform) {
	return func(t *testing.T, tf terraform) {
		t.Helper()
		tf.run(t, args...)
	}
}

// deletes deletes a file behind Terraform's back.
func deletes(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// edits writes a file behind Terraform's back.
func edits(name, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
