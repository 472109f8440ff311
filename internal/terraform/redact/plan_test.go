package redact

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// config has a sensitive value, whose text begins with "canary-", in every place that a
// plan has for one, and values named "open-" beside them.
const config = `
variable "given" {
  type      = string
  sensitive = true
}
variable "fallback" {
  default   = "canary-fallback"
  sensitive = true
}
variable "object" {
  type      = object({ a = string, list = list(map(string)), n = number })
  sensitive = true
}
variable "open" { default = "open-variable" }

module "child" {
  source   = "./child"
  password = "canary-constant"
  name     = "open-name"
}

resource "terraform_data" "whole" {
  input = var.given
}
resource "terraform_data" "nested" {
  input = {
    open = "open-nested"
    map  = { deep = { secret = sensitive("canary-map"), beside = "open-beside" } }
    list = ["open-first", sensitive("canary-list"), { x = sensitive("canary-list-map") }]
    obj  = sensitive({ y = ["canary-object-list", { z = "canary-object-map" }], big = 1234567890 })
    json = jsonencode({ in = var.given })
  }
}
resource "terraform_data" "changed" {
  input = sensitive("canary-VERSION")
}
resource "terraform_data" "each" {
  for_each = toset(["a", "b"])
  input    = sensitive("canary-each-${each.key}")
}

output "secret" {
  value     = "canary-output"
  sensitive = true
}
output "secret_map" {
  value     = { k = "canary-output-map", v = ["canary-output-VERSION"] }
  sensitive = true
}
output "open" { value = "open-output" }
`

const child = `
variable "password" {
  type      = string
  sensitive = true
}
variable "name" {}
variable "unused" {
  default   = "canary-child-default"
  sensitive = true
}
resource "terraform_data" "t" {
  input = { p = var.password, n = var.name, s = sensitive("canary-child") }
}
output "secret" {
  value     = "canary-child-output"
  sensitive = true
}
`

// workspace is a root module that the real Terraform runs in.
type workspace struct {
	t   *testing.T
	dir string
}

func newWorkspace(t *testing.T, files map[string]string) workspace {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no terraform on PATH, and CI must not skip")
		}
		t.Skip("SKIPPED: no terraform on PATH; this test runs the real one")
	}
	w := workspace{t, t.TempDir()}
	for name, text := range files {
		w.write(name, text)
	}
	w.run("init", "-no-color")
	return w
}

func (w workspace) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w workspace) run(args ...string) []byte {
	w.t.Helper()
	cmd := exec.CommandContext(context.Background(), "terraform", args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE=/dev/null", "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("terraform %s: %v\n%s%s", args, err, out, &errs)
	}
	return out
}

func (w workspace) plan() (*tfjson.Plan, []byte) {
	w.t.Helper()
	w.run("plan", "-input=false", "-no-color", "-out=p.tfplan")
	raw := w.run("show", "-json", "p.tfplan")
	var p tfjson.Plan
	if err := json.Unmarshal(raw, &p); err != nil {
		w.t.Fatal(err)
	}
	return &p, raw
}

var (
	canary = regexp.MustCompile(`canary-[a-z0-9-]+`)
	open   = regexp.MustCompile(`open-[a-z0-9-]+`)
)

// TestRealPlan finds every sensitive value in plans of the real Terraform: one that
// creates, one that changes, one that finds drift, one that destroys.
func TestRealPlan(t *testing.T) {
	version := func(v string) string { return strings.ReplaceAll(config, "VERSION", v) }
	w := newWorkspace(t, map[string]string{
		"main.tf": version("one"), "child/main.tf": child,
		"terraform.tfvars": `given = "canary-given"` + "\n" +
			`object = { a = "canary-a", list = [{ b = "canary-b" }], n = 9876543210 }` + "\n",
	})
	check := func(t *testing.T, must ...string) {
		p, raw := w.plan()
		found := FromPlan(p)
		seen := canary.FindAllString(string(raw), -1)
		if len(seen) == 0 {
			t.Fatalf("no canary in the plan: %s", raw)
		}
		for _, c := range append(seen, must...) {
			if !slices.Contains(found, c) {
				t.Errorf("%s is not found", c)
			}
		}
		for _, f := range found {
			if open.MatchString(f) {
				t.Errorf("%s is not sensitive", f)
			}
		}
		masked := New(found...).Text(string(raw))
		if left := canary.FindAllString(masked, -1); len(left) > 0 {
			t.Errorf("left in the plan: %q", left)
		}
		if lost := len(open.FindAllString(string(raw), -1)) - len(open.FindAllString(masked, -1)); lost > 0 {
			t.Errorf("%d values are lost that are not sensitive", lost)
		}
	}
	t.Run("create", func(t *testing.T) {
		check(t, "canary-given", "canary-fallback", "canary-a", "canary-b", "9876543210", "1234567890", "canary-map",
			"canary-list", "canary-list-map", "canary-object-list", "canary-object-map", "canary-one", "canary-each-a",
			"canary-output", "canary-output-map", "canary-output-one", "canary-child", "canary-constant",
			"canary-child-default", "canary-child-output", `{"in":"canary-given"}`)
		w.run("apply", "-no-color", "p.tfplan")
	})
	t.Run("change", func(t *testing.T) {
		w.write("main.tf", version("two"))
		check(t, "canary-one", "canary-two", "canary-output-one", "canary-output-two")
	})
	t.Run("drift", func(t *testing.T) {
		state, err := os.ReadFile(filepath.Join(w.dir, "terraform.tfstate"))
		if err != nil {
			t.Fatal(err)
		}
		w.write("terraform.tfstate", strings.ReplaceAll(string(state), "canary-each-a", "canary-by-hand"))
		check(t, "canary-by-hand", "canary-each-a")
	})
	t.Run("destroy", func(t *testing.T) {
		w.write("main.tf", "")
		w.write("terraform.tfvars", "")
		check(t, "canary-one", "canary-map", "canary-child", "canary-output-one", "1234567890")
	})
}

// TestWrappedByTerraform: Terraform breaks the lines of a long message, and a secret in
// it, which it does not know to be one; all of it is hidden.
func TestWrappedByTerraform(t *testing.T) {
	const secret = "correct horse battery staple and many more words after them"
	w := newWorkspace(t, map[string]string{"main.tf": `
check "c" {
  assert {
    condition     = length(terraform_data.t.id) == 0
    error_message = "Could not log in to the database of the shop with the password ` + secret + `, said the server."
  }
}
resource "terraform_data" "t" {}
`})
	w.run("apply", "-auto-approve", "-no-color")
	out := string(w.run("plan", "-no-color"))
	if strings.Contains(out, secret) || !strings.Contains(out, "staple") {
		t.Fatalf("the secret is not wrapped:\n%s", out)
	}
	if got := New(secret).Text(out); !strings.Contains(got, "password\n"+hidden) && !strings.Contains(got, "password "+hidden) || strings.Contains(got, "staple") {
		t.Errorf("left:\n%s", got)
	}
}

// TestMarksOfAnotherShape hides all of a value whose marks do not fit it.
func TestMarksOfAnotherShape(t *testing.T) {
	for _, tc := range []struct {
		value, marks string
		want         []string
	}{
		{`{"a":"secret","b":"open"}`, `{"a":true}`, []string{"secret"}},
		{`["secret","open"]`, `[true,false]`, []string{"secret"}},
		{`["open"]`, `[]`, nil},
		{`["one","two"]`, `{"a":true}`, []string{"one", "two"}},
		{`{"a":"one"}`, `[true]`, []string{"one"}},
		{`["one"]`, `[false,true]`, []string{"one"}},
		{`"one"`, `"true"`, []string{"one"}},
		{`"one"`, `{}`, nil},
		{`null`, `true`, nil},
		{`["true",null,false]`, `true`, nil},
	} {
		var c tfjson.Change
		if err := json.Unmarshal([]byte(`{"after":`+tc.value+`,"after_sensitive":`+tc.marks+`}`), &c); err != nil {
			t.Fatal(err)
		}
		p := &tfjson.Plan{OutputChanges: map[string]*tfjson.Change{"o": &c}}
		if got := FromPlan(p); !slices.Equal(got, tc.want) {
			t.Errorf("%s marked %s: %q, want %q", tc.value, tc.marks, got, tc.want)
		}
	}
	if got := FromPlan(nil); got != nil {
		t.Errorf("nil: %q", got)
	}
	if got := FromPlan(&tfjson.Plan{
		ResourceChanges: []*tfjson.ResourceChange{nil, {}}, DeferredChanges: []*tfjson.DeferredResourceChange{nil, {}},
		ActionInvocations: []*tfjson.ActionInvocation{nil, {}}, Config: &tfjson.Config{},
	}); len(got) > 0 {
		t.Errorf("empty: %q", got)
	}
}
