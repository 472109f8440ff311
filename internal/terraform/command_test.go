package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const canary = "canary-4f9a1c"

// Variables and backend values reach Terraform in files alone: neither its command line nor its environment holds them, and nothing of
// the server's own environment gets in.
func TestNothingSecretInArguments(t *testing.T) {
	t.Setenv("MOORING_TEST_SERVER_SECRET", canary)
	t.Setenv("TF_VAR_other", canary)
	t.Setenv("TF_CLI_ARGS_plan", "-destroy")
	r := newRepo(t, map[string]string{"app/main.tf": `
terraform {
  backend "local" {}
}
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "a" {
  input = nonsensitive(sha256(var.password))
  provisioner "local-exec" {
    command = "tr '\\0' ' ' </proc/$PPID/cmdline; echo; tr '\\0' '\\n' </proc/$PPID/environ"
  }
}
`})
	r.home.confined = Confinement{Mode: modeNamespaces} // elsewhere /proc cannot be read, and variables are a 0600 file
	spec := r.spec("app")
	spec.BackendType = "local"
	spec.BackendValues = map[string]json.RawMessage{"path": []byte(`"` + canary + `.tfstate"`)}
	spec.StatePath = canary + ".tfstate"
	spec.Variables = map[string]Variable{"password": {JSON: []byte(`"` + canary + `"`), Sensitive: true}}
	spec.Env = map[string]string{"AWS_REGION": "eu-west-1"}
	spec.InitEnv = map[string]string{"TF_TOKEN_registry_example_com": canary}
	s := r.ready(spec)
	if strings.HasPrefix(s.varFile, r.tree) || !strings.HasPrefix(s.varFile, s.private) {
		t.Fatalf("variable file %s", s.varFile)
	}
	if _, err := os.Stat(s.varFile); !os.IsNotExist(err) {
		t.Errorf("the variables are on the disk: %v", err)
	}
	var out bytes.Buffer
	plan, err := s.Plan(t.Context(), &out, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Add != 1 || plan.Destroy != 0 {
		t.Fatalf("the server's TF_CLI_ARGS_plan counted: %+v", plan)
	}
	if err := only(s.Apply(t.Context(), &out, plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"apply -no-color -auto-approve -input=false", s.private + "/" + plan.name, "AWS_REGION=eu-west-1", "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "HOME=/tmp"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in: %s", want, &out)
		}
	}
	if strings.Contains(out.String(), canary) {
		t.Errorf("a secret shows: %s", &out)
	}
	run := s.run
	s.Close()
	if _, err := os.Stat(run); !os.IsNotExist(err) {
		t.Error("the run directory outlives its session")
	}
	if _, err := os.Stat(filepath.Join(r.home.StateDir("infra"), "app", canary+".tfstate")); err != nil {
		t.Errorf("backend value did not reach init: %v", err)
	}
}

func TestEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": ""})
	for _, name := range []string{"TF_VAR_x", "TF_CLI_ARGS", "TF_CLI_ARGS_apply", "TF_WORKSPACE", "TF_LOG_CORE", "TF_DATA_DIR", "HOME", "MOORING_LOCKFILE", "A=B", ""} {
		spec := r.spec("app")
		spec.Env = map[string]string{name: "x"}
		if s, err := r.home.Open(t.Context(), spec); err == nil {
			s.Close()
			t.Errorf("%q was accepted", name)
		}
	}
}

// An apply that is interrupted ends with a valid state that holds what was done, the lock free and the plan used up.
func TestCancelDuringApply(t *testing.T) {
	t.Parallel()
	started := filepath.Join(t.TempDir(), "started")
	r := newRepo(t, map[string]string{"app/main.tf": fmt.Sprintf(`
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" { command = "touch %s; exec sleep 60" }
}
resource "terraform_data" "never" { depends_on = [terraform_data.slow] }
`, started)})
	s := r.ready(r.spec("app"))
	plan := r.plan(s, PlanOptions{})
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	var out bytes.Buffer
	go func() { done <- only(s.Apply(ctx, &out, plan, ApplyOptions{})) }()
	waitFor(t, started)
	cancel(errors.New("a person said stop"))
	var err error
	select {
	case err = <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("apply goes on")
	}
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted: a person said stop") {
		t.Fatalf("%v", err)
	}
	after, stateErr := s.State(t.Context())
	if stateErr != nil || after.Lineage == "" || after.Resources < 1 || after.Resources > 2 {
		t.Fatalf("state: %+v %v\n%s", after, stateErr, &out)
	}
	if err := only(s.Apply(t.Context(), &out, plan, ApplyOptions{})); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("the plan can be used again: %v", err)
	}
	if again := r.plan(s, PlanOptions{}); again.Add == 0 || again.State.Lineage != after.Lineage {
		t.Fatalf("plan after it: %+v", again)
	}
}

func waitFor(t testing.TB, name string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never came", name)
		}
	}
}

func TestCancelledBeforeItStarts(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	s := r.ready(r.spec("app"))
	plan := r.plan(s, PlanOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := only(s.Apply(ctx, io.Discard, plan, ApplyOptions{})); !errors.Is(err, context.Canceled) {
		t.Errorf("apply: %v", err)
	}
	if _, err := s.Plan(ctx, io.Discard, PlanOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("plan: %v", err)
	}
	if _, err := r.home.Open(ctx, r.spec("app")); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
}

func TestStalePlan(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	s := r.ready(r.spec("app"))
	one, two := r.plan(s, PlanOptions{}), r.plan(s, PlanOptions{})
	if err := only(s.Apply(t.Context(), io.Discard, one, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
	err := only(s.Apply(t.Context(), io.Discard, two, ApplyOptions{}))
	if !errors.Is(err, ErrStalePlan) || !strings.HasPrefix(err.Error(), "terraform apply: Saved plan is stale\n") {
		t.Fatalf("%v", err)
	}
	// Another lineage.
	three := r.plan(s, PlanOptions{Destroy: true})
	home := filepath.Join(r.home.StateDir("infra"), "app/terraform.tfstate")
	state := read(t, home)
	start := strings.Index(state, `"lineage": "`) + len(`"lineage": "`)
	if err := os.WriteFile(home, []byte(state[:start]+"0000"+state[start+4:]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := only(s.Apply(t.Context(), io.Discard, three, ApplyOptions{})); !errors.Is(err, ErrStalePlan) {
		t.Fatalf("another lineage: %v", err)
	}
}

func TestApplyRefusesAMissingPlan(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	s := r.ready(r.spec("app"))
	other := r.plan(r.ready(Spec{Repository: "infra", Key: "other", Dir: "app", Tree: r.tree, Tool: realTool(t), StatePath: "x"}), PlanOptions{})
	for name, plan := range map[string]*Plan{"none": nil, "empty": {}, "another session's": other} {
		if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err == nil || !strings.Contains(err.Error(), "no plan of this session") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, err := s.State(t.Context()); err != nil || now.Serial != 0 {
		t.Errorf("something was applied: %+v %v", now, err)
	}
}

// A kept plan that was changed on disk, by whatever, is refused before Terraform sees it.
func TestKeptPlanThatChanged(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	s := r.ready(r.spec("app"))
	plan := r.plan(s, PlanOptions{})
	file, err := plan.Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sealed := []byte(read(t, file))
	if bytes.Contains(sealed, []byte("PK")) && bytes.Contains(sealed, []byte("tfplan")) {
		t.Error("the kept plan is in clear")
	}
	other, err := r.plan(s, PlanOptions{Destroy: true}).Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)/2] ^= 1
	for name, tt := range map[string]struct {
		data []byte
		says string
	}{
		"cut off": {sealed[:len(sealed)-7], "was changed since"}, "empty": {nil, "was changed since"}, "a byte flipped": {flipped, "was changed since"},
		"another plan": {[]byte(read(t, other)), "not the one that was approved"},
	} {
		if err := os.WriteFile(file, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.LoadPlan(t.Context(), file, plan.Digest); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadPlan(t.Context(), file, plan.Digest); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), "saved plan is gone") {
		t.Errorf("gone: %v", err)
	}
}

func TestFullDiskStartsNothing(t *testing.T) {
	t.Parallel()
	r := newRepoWith(t, Options{FreeSpace: 1 << 62}, map[string]string{"app/main.tf": resourceA})
	s := r.ready(r.spec("app"))
	plan := r.plan(s, PlanOptions{})
	err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{}))
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "MiB free") || !strings.Contains(err.Error(), r.home.state) {
		t.Fatalf("%v", err)
	}
	if now, err := s.State(t.Context()); err != nil || now.Serial != 0 {
		t.Errorf("something was applied: %+v %v", now, err)
	}
}

func TestPlanFiles(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	s := r.ready(r.spec("app"))
	r.plan(s, PlanOptions{}) // nobody keeps it
	kept := r.plan(s, PlanOptions{})
	file, err := kept.Keep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if found := findFiles(t, r.home.plans); len(found) != 1 {
		t.Errorf("plans on disk: %v", found)
	}
	// Approved later: another session, the same view.
	s = r.ready(r.spec("app"))
	plan, err := s.LoadPlan(t.Context(), file, kept.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
}

// The socket of a provider must fit into 107 bytes wherever the data directory is.
func TestTemporaryDirectoryIsShort(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	deep, err := New(filepath.Join(r.tree, "..", strings.Repeat("deep/", 20)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.home = deep
	deep.confined = Confinement{Mode: modeLandlock} // in a namespace it is /tmp
	s := r.ready(r.spec("app"))
	info, err := os.Stat(s.tmp)
	if err != nil || len(s.tmp) > 75 || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v %v", s.tmp, info, err)
	}
	r.plan(s, PlanOptions{})
	s.Close()
	if _, err := os.Stat(s.tmp); !os.IsNotExist(err) {
		t.Error("it outlives its session")
	}
}

func TestOneSessionAtATime(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	s := r.open(r.spec("app"))
	patience, lost := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer lost()
	if _, err := r.home.Open(patience, r.spec("app")); !errors.Is(err, ErrInUse) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	waits := make(chan error)
	go func() {
		waiting, err := r.home.Open(t.Context(), r.spec("app"))
		if err == nil {
			err = waiting.Close()
		}
		waits <- err
	}()
	if err := r.home.Forget("infra", "app"); !errors.Is(err, ErrInUse) {
		t.Errorf("forget: %v", err)
	}
	if _, err := s.Plan(t.Context(), io.Discard, PlanOptions{}); err == nil || !strings.Contains(err.Error(), "not initialised") {
		t.Errorf("plan before init: %v", err)
	}
	s.Close()
	s.Close()
	if err := s.Init(t.Context(), io.Discard); err == nil {
		t.Error("a closed session runs")
	}
	if err := <-waits; err != nil {
		t.Errorf("who waited: %v", err)
	}
	r.open(r.spec("app"))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	for _, tt := range []struct {
		name string
		edit func(*Spec)
		is   error
		says string
	}{
		{"cloud", func(s *Spec) { s.BackendType = "cloud" }, ErrRemoteExecution, `backend "cloud"`},
		{"remote", func(s *Spec) { s.BackendType = "remote" }, ErrRemoteExecution, "its own servers"},
		{"outside", func(s *Spec) { s.Dir = "../x" }, ErrOutside, "../x"},
		{"absolute", func(s *Spec) { s.Dir = "/etc" }, ErrOutside, "/etc"},
		{"module outside", func(s *Spec) { s.ModuleDirs = []string{"a/../../x"} }, ErrOutside, ""},
		{"var file outside", func(s *Spec) { s.VarFiles = []string{"../secret.tfvars"} }, ErrOutside, ""},
		{"no directory", func(s *Spec) { s.Dir = "nothing" }, nil, "no directory nothing in the checkout"},
		{"no var file", func(s *Spec) { s.VarFiles = []string{"prod.tfvars"} }, nil, "no file prod.tfvars in the checkout"},
		{"no backend file", func(s *Spec) { s.BackendFiles = []string{"b.hcl"} }, nil, "no file b.hcl in the checkout"},
		{"workspace name", func(s *Spec) { s.Workspace = "../x" }, nil, "not a valid name"},
		{"workspace option", func(s *Spec) { s.Workspace = "-or-create" }, nil, "not a valid name"},
		{"variable", func(s *Spec) { s.Variables = map[string]Variable{"x": {JSON: []byte("{")}} }, nil, `variable "x"`},
		{"no key", func(s *Spec) { s.Key = "" }, nil, "needs a repository and a key"},
		{"no tool", func(s *Spec) { s.Tool = Tool{} }, nil, "no tool"},
	} {
		spec := r.spec("app")
		tt.edit(&spec)
		_, err := r.home.Open(t.Context(), spec)
		if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "prepare ") {
			t.Errorf("%s: %v", tt.name, err)
		}
		r.open(r.spec("app")).Close() // it is not left in use
	}
}

// A warm .terraform that does not fit any more, in a way its digest did not show, costs one init and is said.
func TestPlanThatNeedsInit(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	r.converge(r.spec("app"))
	r.commit(map[string]string{"app/main.tf": resourceA + "module \"m\" {\n source = \"../m\"\n}", "m/main.tf": ""})
	s := r.ready(r.spec("app")) // InitInputs say nothing of the module
	if plan := r.plan(s, PlanOptions{}); plan.Changes || !strings.Contains(strings.Join(s.Notes(), ""), "initialised again") {
		t.Fatalf("%+v, notes %v", plan, s.Notes())
	}
	// A plan that fails for its own reasons does not.
	r.commit(map[string]string{"app/main.tf": `resource "terraform_data" "a" { input = file("nothing") }`})
	s.Close()
	s = r.ready(r.spec("app"))
	_, err := s.Plan(t.Context(), io.Discard, PlanOptions{})
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Summary != "Invalid function argument" || !strings.Contains(failed.Detail, `no file exists at`) || len(s.Notes()) != 0 {
		t.Fatalf("%v, notes %v", err, s.Notes())
	}
}

func TestWorkspacesAreMadeAndSelected(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": `output "w" { value = terraform.workspace }`})
	for _, tt := range []struct{ workspace, note string }{
		{"staging", `made Terraform workspace "staging"`}, {"prod", `made Terraform workspace "prod"`}, {"staging", ""}, {"", ""},
	} {
		spec := r.spec("app")
		spec.Workspace, spec.Key = tt.workspace, "app:"+tt.workspace
		spec.InitInputs = []byte(tt.note) // the second staging inits again
		s := r.ready(spec)
		plan := r.plan(s, PlanOptions{})
		if plan.Changes {
			if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
				t.Fatal(err)
			}
		}
		outputs, err := s.Outputs(t.Context())
		if err != nil || string(outputs["w"].JSON) != `"`+spec.workspaceName()+`"` || strings.Join(s.Notes(), "") != tt.note {
			t.Errorf("%+v: %v %v, notes %v", tt, outputs, err, s.Notes())
		}
		s.Close()
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("reader went away") }

// A reader that goes away does not stop an apply half way.
func TestOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": `
resource "terraform_data" "a" {
  provisioner "local-exec" { command = "head -c 1000000 /dev/zero | tr '\\0' 'x' | fold" }
}
`})
	s := r.ready(r.spec("app"))
	plan := r.plan(s, PlanOptions{})
	if err := only(s.Apply(t.Context(), brokenWriter{}, plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "what apply printed is not complete here: reader went away") {
		t.Errorf("notes: %s", notes)
	}
}

// Values of Mooring's configuration win over var files, the later var file over the earlier.
func TestVariablesAndVarFiles(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		"envs/app/main.tf": "variable \"a\" {}\nvariable \"b\" {}\nvariable \"c\" {}\nvariable \"d\" {}\noutput \"all\" { value = [var.a, var.b, var.c, var.d] }",
		"envs/app/terraform.tfvars": `a = "auto"
b = "auto"
c = "auto"
d = "auto"`,
		"common.tfvars":         "b = \"common\"\nc = \"common\"\nd = \"common\"",
		"envs/app/prod.tfvars":  "c = \"prod\"\nd = \"prod\"",
		"envs/app/terraform.md": "",
	})
	spec := r.spec("envs/app")
	spec.VarFiles = []string{"common.tfvars", "envs/app/prod.tfvars"}
	spec.Variables = map[string]Variable{"d": {JSON: []byte(`{"x":["${not} a template", 12345678901234567890]}`)}}
	r.converge(spec)
	outputs, err := r.ready(spec).Outputs(t.Context())
	if err != nil || compact(t, outputs["all"].JSON) != `["auto","common","prod",{"x":["${not}atemplate",12345678901234567890]}]` {
		t.Fatalf("%s %v", outputs["all"].JSON, err)
	}
}

// The share of the processors is what a command gets where the unit's own environment says nothing.
func TestProcessors(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		spec Spec
		want string
	}{
		"all":        {Spec{}, ""},
		"a share":    {Spec{Processors: 3}, "3"},
		"unit's own": {Spec{Processors: 3, Env: map[string]string{"GOMAXPROCS": "5"}}, "5"},
	} {
		s := &Session{home: &Home{}, spec: of.spec}
		if got := s.env()["GOMAXPROCS"]; got != of.want {
			t.Errorf("%s: GOMAXPROCS=%q, want %q", name, got, of.want)
		}
	}
}
