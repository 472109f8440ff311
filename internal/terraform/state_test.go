package terraform

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const resourceA = `resource "terraform_data" "a" { input = "v1" }
output "a" { value = terraform_data.a.id }
`

// Every way a local state can be configured keeps its state for good, and nothing of it lies in a checkout or only in a view.
func TestStateOutlivesCheckouts(t *testing.T) {
	t.Parallel()
	absolute := filepath.Join(t.TempDir(), "deep", "abs.tfstate")
	backend := func(lines string) string {
		return "terraform {\n backend \"local\" {\n" + lines + "\n}\n}\n" + resourceA
	}
	for _, tt := range []struct {
		name   string
		config string
		spec   Spec
		stored string // relative to the state directory, or absolute
	}{
		{"no backend", resourceA, Spec{}, "infra/app/terraform.tfstate"},
		{"no path", backend(""), Spec{BackendType: "local"}, "infra/app/terraform.tfstate"},
		{"relative", backend(`path = "states/app.tfstate"`), Spec{BackendType: "local", StatePath: "states/app.tfstate"}, "infra/app/states/app.tfstate"},
		{"elsewhere in the repository", backend(`path = "../../states/app.tfstate"`), Spec{BackendType: "local", StatePath: "../../states/app.tfstate"}, "states/app.tfstate"},
		{"absolute", backend(`path = "` + absolute + `"`), Spec{BackendType: "local", StatePath: absolute}, absolute},
		{"no backend, workspace", resourceA, Spec{Workspace: "staging"}, "infra/app/terraform.tfstate.d/staging/terraform.tfstate"},
		{"absolute, workspace", backend(`path = "` + absolute + `2"`), Spec{BackendType: "local", StatePath: absolute + "2", Workspace: "staging"}, "infra/app/terraform.tfstate.d/staging/terraform.tfstate"},
		{"no path, workspace", backend(""), Spec{BackendType: "local", Workspace: "staging"}, "infra/app/terraform.tfstate.d/staging/terraform.tfstate"},
		{"relative, workspace", backend(`path = "x.tfstate"`), Spec{BackendType: "local", StatePath: "x.tfstate", Workspace: "staging"}, "infra/app/terraform.tfstate.d/staging/terraform.tfstate"},
		{"workspace_dir", backend(`workspace_dir = "../all"`), Spec{BackendType: "local", WorkspaceDir: "../all", Workspace: "staging"}, "infra/all/staging/terraform.tfstate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"infra/app/main.tf": tt.config}
			r := newRepo(t, files)
			spec := tt.spec
			spec.Repository, spec.Key, spec.Dir, spec.Tree, spec.Tool = "infra", "app", "infra/app", r.tree, realTool(t)
			if first := r.converge(spec); first.Add != 1 {
				t.Fatalf("first run: %+v", first)
			}
			stored := tt.stored
			if !filepath.IsAbs(stored) {
				stored = filepath.Join(r.home.StateDir("infra"), stored)
			}
			info, err := readFileState(stored)
			if err != nil || info.Resources != 1 {
				t.Fatalf("state at %s: %+v %v", stored, info, err)
			}
			// A new checkout, and a view made from nothing.
			r.commit(files)
			spec.Tree = r.tree
			if err := r.home.Forget("infra", "app"); err != nil {
				t.Fatal(err)
			}
			s := r.ready(spec)
			plan := r.plan(s, PlanOptions{})
			if plan.Changes || plan.State.Lineage != info.Lineage {
				t.Fatalf("second run: %+v, first state %+v", plan, info)
			}
			if now, err := s.State(t.Context()); err != nil || now.Lineage != info.Lineage || now.Serial != info.Serial {
				t.Fatalf("State() = %+v %v, want %+v", now, err, info)
			}
			plan = r.plan(s, PlanOptions{Destroy: true})
			if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(stored + ".backup"); err != nil {
				t.Errorf("no backup beside the state: %v", err)
			}
			s.Close()
			if left := findFiles(t, r.tree); len(left) != 1 {
				t.Errorf("the checkout was written to: %v", left)
			}
		})
	}
}

func readFileState(name string) (StateInfo, error) {
	file, err := os.Open(name)
	if err != nil {
		return StateInfo{}, err
	}
	defer file.Close()
	return readState(file)
}

func findFiles(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestStateOutsideTheRepositoryIsRefused(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	for name, spec := range map[string]Spec{
		"path":          {BackendType: "local", StatePath: "../../x.tfstate"},
		"workspace_dir": {BackendType: "local", WorkspaceDir: "../..", Workspace: "x"},
		"remote state":  {RemoteStatePaths: []string{"../../../other/x.tfstate"}},
	} {
		spec.Repository, spec.Key, spec.Dir, spec.Tree, spec.Tool = "infra", "app", "app", r.tree, realTool(t)
		if _, err := r.home.Open(t.Context(), spec); !errors.Is(err, ErrOutside) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Terraform's own lock holds between workspaces that share a state file: their views differ, the file is one.
func TestStateLockHoldsAcrossViews(t *testing.T) {
	t.Parallel()
	started, release := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "release")
	config := "terraform {\n backend \"local\" {\n path = \"../shared/x.tfstate\"\n}\n}\n"
	r := newRepoWith(t, Options{LockTimeout: 1}, map[string]string{
		"a/main.tf": config + fmt.Sprintf("resource \"terraform_data\" \"a\" {\n provisioner \"local-exec\" { command = \"touch %s; while ! [ -e %s ]; do sleep 0.01; done\" }\n}", started, release),
		"b/main.tf": config,
	})
	spec := func(dir string) Spec {
		s := r.spec(dir)
		s.BackendType, s.StatePath = "local", "../shared/x.tfstate"
		return s
	}
	a, b := r.ready(spec("a")), r.ready(spec("b"))
	plan := r.plan(a, PlanOptions{})
	done := make(chan error, 1)
	go func() { done <- only(a.Apply(t.Context(), io.Discard, plan, ApplyOptions{})) }()
	waitFor(t, started)
	_, err := b.Plan(t.Context(), io.Discard, PlanOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "terraform plan: Error acquiring the state lock") {
		t.Errorf("%v", err)
	}
	writeTree(t, filepath.Dir(release), map[string]string{"release": ""})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if plan := r.plan(b, PlanOptions{}); plan.Destroy != 1 {
		t.Errorf("b does not see a's state: %+v", plan)
	}
}

// One workspace reads another's state by relative path, before and after there is one.
func TestRemoteStateByRelativePath(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		"infra/net/main.tf": `output "vpc" { value = "vpc-1" }`,
		"infra/net/x.txt":   "x",
		"infra/db/main.tf": `
data "terraform_remote_state" "net" {
  backend = "local"
  config  = { path = "../net/terraform.tfstate" }
}
output "vpc" { value = data.terraform_remote_state.net.outputs.vpc }
`})
	db := r.spec("infra/db")
	db.RemoteStatePaths = []string{"../net/terraform.tfstate"}
	s := r.ready(db)
	_, err := s.Plan(t.Context(), io.Discard, PlanOptions{})
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Summary != "Unable to find remote state" {
		t.Fatalf("before there is a state: %v", err)
	}
	s.Close()
	r.converge(r.spec("infra/net"))
	r.converge(db)
	s = r.ready(db)
	if outputs, err := s.Outputs(t.Context()); err != nil || string(outputs["vpc"].JSON) != `"vpc-1"` {
		t.Fatalf("%v %v", outputs, err)
	}
}

// A state file that came with Git seeds the home once, says so, and is not read again.
func TestCommittedStateSeedsOnce(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	r.converge(r.spec("app"))
	committed := read(t, filepath.Join(r.home.StateDir("infra"), "app/terraform.tfstate"))

	r = newRepo(t, map[string]string{"app/main.tf": resourceA, "app/terraform.tfstate": committed, "app/terraform.tfstate.d/blue/terraform.tfstate": committed})
	for _, workspace := range []string{"", "blue"} {
		spec := r.spec("app")
		spec.Workspace = workspace
		spec.Key += ":" + workspace
		s := r.ready(spec)
		if plan := r.plan(s, PlanOptions{}); plan.Changes || plan.State.Resources != 1 {
			t.Fatalf("%q does not start from the committed state: %+v", workspace, plan)
		}
		if notes := strings.Join(s.Notes(), "\n"); (strings.Contains(notes, "app/terraform.tfstate is committed in Git")) != (workspace == "") {
			t.Fatalf("notes of %q: %s", workspace, notes)
		}
		plan := r.plan(s, PlanOptions{Destroy: true})
		if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	s := r.ready(r.spec("app"))
	if plan := r.plan(s, PlanOptions{}); plan.Add != 1 {
		t.Fatalf("the committed state was read again: %+v", plan)
	}
}

// What replaced our link in the view comes home; what does not continue the state at home is kept aside and said.
func TestStateLeftInTheViewIsRescued(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"app/main.tf": resourceA})
	r.converge(r.spec("app"))
	s := r.open(r.spec("app"))
	inView := filepath.Join(s.ViewDir(), "terraform.tfstate")
	home := filepath.Join(r.home.StateDir("infra"), "app/terraform.tfstate")
	state := read(t, home)
	newer := strings.Replace(state, `"serial": `, `"serial": 7`, 1)
	replace := func(text string) {
		t.Helper()
		if err := os.Remove(inView); err != nil {
			t.Fatal(err)
		}
		writeTree(t, s.ViewDir(), map[string]string{"terraform.tfstate": text})
	}
	replace(newer)
	s.Close()
	if read(t, home) != newer {
		t.Fatal("a newer state in the view was lost")
	}
	s = r.open(r.spec("app"))
	replace(state) // older
	// As after a kill: not closed, opened again.
	s.super.end()
	r.home.leave(s.name)
	s = r.open(r.spec("app"))
	if read(t, home) != newer {
		t.Fatal("an older state in the view replaced the one at home")
	}
	aside, _ := filepath.Glob(home + ".conflict-*")
	if len(aside) != 1 || !strings.Contains(strings.Join(s.Notes(), ""), "does not continue") {
		t.Fatalf("conflict: %v, notes %v", aside, s.Notes())
	}
	if strings.Contains(read(t, aside[0]), "lineage") {
		t.Error("a state was put aside in clear text")
	}
	if kept, err := openSealed(aside[0], r.home.identity); err != nil || string(kept) != state {
		t.Errorf("what was put aside: %v\n%s", err, kept)
	}
}

// The repository's text names a workspace's own state among those that it reads: it stays its own, to be written.
func TestOwnStateAmongThoseThatAreRead(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		r := newRepo(t, map[string]string{"app/main.tf": resourceA})
		r.home.confined = Confinement{Mode: mode}
		for _, workspace := range []string{"", "staging"} {
			spec := r.spec("app")
			spec.Workspace, spec.Key = workspace, "app:"+workspace
			spec.RemoteStatePaths = []string{"terraform.tfstate", "terraform.tfstate.d/staging/terraform.tfstate"}
			s := r.ready(spec)
			plan := r.plan(s, PlanOptions{})
			applied, err := s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})
			if err != nil || applied.State.Resources != 1 {
				t.Fatalf("%q: %+v %v", workspace, applied, err)
			}
			s.Close()
			if plan := r.plan(r.ready(spec), PlanOptions{}); plan.Changes {
				t.Errorf("%q again: %+v", workspace, plan)
			}
		}
	})
}
