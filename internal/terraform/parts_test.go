package terraform

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// Real providers start and talk, from one cache, with a socket path that may be long.
func TestRealProviders(t *testing.T) {
	t.Parallel()
	mirror := parts.ProvidersForTest(t)
	cli := filepath.Join(t.TempDir(), "cli.tfrc")
	if err := parts.WriteCLIConfig(cli, mirror); err != nil {
		t.Fatal(err)
	}
	config := `
resource "null_resource" "a" {}
resource "random_id" "b" { byte_length = 4 }
resource "local_file" "c" {
  content  = random_id.b.hex
  filename = "${path.root}/made/c"
}
output "id" { value = random_id.b.hex }
`
	files := map[string]string{"a/main.tf": config, "b/main.tf": config}
	r := newRepoWith(t, Options{CLIConfig: cli}, files)
	r.converge(r.spec("a"))
	r.converge(r.spec("b"))
	s := r.ready(r.spec("a"))
	plan := r.plan(s, PlanOptions{})
	// A file that a run made in the module's own directory is gone with the next run, as in a fresh clone: what a plan of a pull request
	// leaves there must not reach the apply of the branch.
	if plan.Add != 1 || plan.Change != 0 || plan.Destroy != 0 {
		t.Fatalf("%+v", plan)
	}
	if outputs, err := s.Outputs(t.Context()); err != nil || len(outputs["id"].JSON) != 10 {
		t.Errorf("%v %v", outputs, err)
	}
	if plan = r.plan(s, PlanOptions{Destroy: true}); plan.Destroy < 2 {
		t.Fatalf("%+v", plan)
	}
	if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
		t.Fatal(err)
	}
}

// OpenTofu lives the same life.
func TestOpenTofu(t *testing.T) {
	t.Parallel()
	tofu := parts.OpenTofuForTest(t)
	tools := &Tools{Dir: t.TempDir(), Paths: map[string]string{"tofu": tofu}}
	tool, err := tools.Find(t.Context(), "tofu", []string{">= 1.6"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRepo(t, map[string]string{"app/main.tf": resourceA, "bad/main.tf": `output "x" { value = nothing.here }`})
	for _, workspace := range []string{"", "staging"} {
		spec := r.spec("app")
		spec.Tool, spec.Workspace, spec.Key = tool, workspace, "app:"+workspace
		if plan := r.converge(spec); plan.Add != 1 {
			t.Fatalf("%+v", plan)
		}
		r.commit(map[string]string{"app/main.tf": resourceA})
		spec.Tree = r.tree
		s := r.ready(spec)
		if plan := r.plan(s, PlanOptions{}); plan.Changes || plan.State.Resources != 1 {
			t.Fatalf("%+v", plan)
		}
		one, two := r.plan(s, PlanOptions{Destroy: true}), r.plan(s, PlanOptions{Destroy: true})
		if err := only(s.Apply(t.Context(), io.Discard, one, ApplyOptions{})); err != nil {
			t.Fatal(err)
		}
		if err := only(s.Apply(t.Context(), io.Discard, two, ApplyOptions{})); err == nil || !strings.HasPrefix(err.Error(), "tofu apply: Saved plan is stale") {
			t.Fatalf("%v", err)
		}
		s.Close()
	}
}

// `-reconfigure`, `-migrate-state`, `-lock=false` and `-upgrade` change what a person did not ask for.
func TestNoForbiddenFlags(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	r := newRepo(t, map[string]string{"app/main.tf": resourceA, "app/.terraform.lock.hcl": "# none\n", "app/b.hcl": "", "app/x.tfvars": ""})
	spec := r.spec("app")
	spec.Tool = before(t, spec.Tool, "spying", `echo "$@" >>`+log)
	spec.VarFiles, spec.BackendFiles, spec.Workspace = []string{"app/x.tfvars"}, nil, "blue"
	r.converge(spec)
	r.converge(spec)
	s := r.ready(spec)
	said := regexp.MustCompile(`/\S*/private/plan-\d`).ReplaceAllString(read(t, log), "PLANS")
	s.Close()
	want := []string{
		"init -lockfile=readonly -no-color -input=false -backend=true -get=true -upgrade=false",
		"workspace select -no-color blue",
		"plan -no-color -input=false -detailed-exitcode -lock-timeout=5m0s -out=F -var-file=x.tfvars -lock=true -parallelism=10 -refresh=true",
		"show -json -no-color F",
		"apply -no-color -auto-approve -input=false -lock-timeout=5m0s -lock=true -parallelism=10 -refresh=true F",
		"plan -no-color -input=false -detailed-exitcode -lock-timeout=5m0s -out=F -var-file=x.tfvars -lock=true -parallelism=10 -refresh=true",
	}
	var got []string
	for line := range strings.Lines(said) {
		words := strings.Fields(line)
		for i, word := range words {
			if at := strings.Index(word, "PLANS"); at >= 0 {
				words[i] = word[:at] + "F"
			}
		}
		got = append(got, strings.Join(words, " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("commands:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Whatever a tool does with an interrupt, it ends.
func TestGraceThenKill(t *testing.T) {
	t.Parallel()
	started := filepath.Join(t.TempDir(), "started")
	deaf := filepath.Join(t.TempDir(), "terraform")
	if err := writeExecutable(deaf, []byte("#!/bin/sh\ntrap '' INT\ntouch "+started+"\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("sleep"); err != nil {
		t.Fatal(err)
	}
	r := newRepoWith(t, Options{Grace: 1}, map[string]string{"app/main.tf": ""})
	spec := r.spec("app")
	spec.Tool = Tool{Name: "terraform", Path: deaf, Version: "1.11.4", Digest: "deaf"}
	s := r.open(spec)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Init(ctx, io.Discard) }()
	waitFor(t, started)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("%v", err)
	}
}
