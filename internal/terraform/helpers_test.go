package terraform

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-iac/mooring/internal/terraform/holder"
)

var toolsOnce = sync.OnceValues(func() (Tool, error) {
	dir, err := os.MkdirTemp("", "mooring-tools-")
	if err != nil {
		return Tool{}, err
	}
	defer os.RemoveAll(dir)
	tools := &Tools{Dir: dir, PathEnv: os.Getenv("PATH")}
	return tools.Find(context.Background(), "terraform", []string{">= 1.5"})
})

// realTool is the Terraform of this machine.
func realTool(t testing.TB) Tool {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no terraform on PATH, and CI must not skip")
		}
		t.Skip("SKIPPED: no terraform on PATH; this test runs the real one")
	}
	tool, err := toolsOnce()
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// before is a tool that runs a script and then is the real one, $real, which lies beside it: the machine's may lie where no run
// sees it.
func before(t testing.TB, tool Tool, digest, script string) Tool {
	t.Helper()
	dir := t.TempDir()
	name, real := filepath.Join(dir, "terraform"), filepath.Join(dir, "real")
	if err := os.Link(tool.Path, real); err != nil { // another disk, or another's file
		content, err := os.ReadFile(tool.Path)
		if err == nil {
			err = writeExecutable(real, content, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := writeExecutable(name, []byte("#!/bin/sh\nreal="+real+"\n"+script+"\nexec $real \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tool.Path, tool.Digest = name, digest
	return tool
}

// repo is a checkout, a data directory and what is written to both.
type repo struct {
	t    testing.TB
	tree string
	home *Home
}

func newRepo(t testing.TB, files map[string]string) *repo {
	t.Helper()
	return newRepoWith(t, Options{PathEnv: os.Getenv("PATH")}, files)
}

func newRepoWith(t testing.TB, opts Options, files map[string]string) *repo {
	t.Helper()
	opts.AskHolder = holder.Ask
	base, err := os.MkdirTemp("", "mt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(base) })
	// What the test makes for itself is where Terraform may write, and the providers it names are where it may read.
	opts.Sandbox.Write = append(opts.Sandbox.Write, filepath.Dir(t.TempDir()))
	if opts.CLIConfig != "" {
		for _, m := range regexp.MustCompile(`path\s*=\s*"([^"]+)"`).FindAllStringSubmatch(read(t, opts.CLIConfig), -1) {
			opts.Sandbox.Read = append(opts.Sandbox.Read, m[1])
		}
	}
	home, err := New(filepath.Join(base, "data"), opts)
	if err != nil {
		t.Fatal(err)
	}
	if mode := os.Getenv("MOORING_TEST_CONFINE"); mode != "" {
		home.confined = Confinement{Mode: mode}
	}
	r := &repo{t: t, tree: filepath.Join(base, "c1"), home: home}
	writeTree(t, r.tree, files)
	return r
}

// commit makes another checkout with these files, as another commit would.
func (r *repo) commit(files map[string]string) {
	r.t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(r.tree), "c")
	if err != nil {
		r.t.Fatal(err)
	}
	r.tree = dir
	writeTree(r.t, r.tree, files)
}

func (r *repo) spec(dir string) Spec {
	return Spec{Repository: "infra", Key: dir, Dir: dir, Tree: r.tree, Tool: realTool(r.t)}
}

// open opens a session that the test closes at its end, if not before.
func (r *repo) open(spec Spec) *Session {
	r.t.Helper()
	s, err := r.home.Open(r.t.Context(), spec)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Close() })
	return s
}

func (r *repo) ready(spec Spec) *Session {
	r.t.Helper()
	s := r.open(spec)
	var out bytes.Buffer
	if err := s.Init(r.t.Context(), &out); err != nil {
		r.t.Fatalf("init: %v\n%s", err, &out)
	}
	return s
}

func (r *repo) plan(s *Session, opts PlanOptions) *Plan {
	r.t.Helper()
	plan, err := s.Plan(r.t.Context(), io.Discard, opts)
	if err != nil {
		r.t.Fatalf("plan: %v", err)
	}
	return plan
}

// converge runs a workspace to the end and closes the session.
func (r *repo) converge(spec Spec) *Plan {
	r.t.Helper()
	s := r.ready(spec)
	defer s.Close()
	plan := r.plan(s, PlanOptions{})
	if plan.Changes {
		if err := only(s.Apply(r.t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
			r.t.Fatalf("apply: %v", err)
		}
	}
	return plan
}

func writeTree(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// gitRepo makes a Git repository with one commit and returns its path.
func gitRepo(t testing.TB, files map[string]string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no git on PATH, and CI must not skip")
		}
		t.Skip("SKIPPED: no git on PATH; this test has a module in a Git repository")
	}
	dir := t.TempDir()
	writeTree(t, dir, files)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "x"}} {
		command := exec.Command("git", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// only is the error of an apply.
func only(_ Applied, err error) error { return err }

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of supervisors
	program = nil                            // here they are this program, so that races of theirs are found too
	os.Exit(m.Run())
}
