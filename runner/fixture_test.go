package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/policies"
)

// fixture is a Git repository, a data directory and a Runner on both.
type fixture struct {
	t    *testing.T
	git  *githttp.Repo
	opts Options
	r    *Runner
}

// needTerraform skips where no Terraform is on PATH, and fails where it must be.
func needTerraform(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("terraform is not on PATH")
		}
		t.Skip("SKIPPED: terraform is not on PATH")
	}
}

func newFixture(t *testing.T, files map[string]string, change ...func(*Options)) *fixture {
	t.Helper()
	t.Parallel() // every fixture is alone in its directories
	needTerraform(t)
	f := &fixture{t: t, git: githttp.NewRepo(t, filepath.Join(t.TempDir(), "infra.git"), files)}
	f.opts = Options{
		DataDir: filepath.Join(t.TempDir(), "data"),
		Repositories: []RepositoryConfig{{
			Name: "infra", URL: f.git.Dir, Branch: githttp.Branch, Apply: AfterMerge, AutoApply: policies.NoDestroy,
		}},
	}
	// What a test makes for itself is where Terraform may write.
	f.opts.Sandbox.Write = append(f.opts.Sandbox.Write, filepath.Dir(t.TempDir()))
	for _, c := range change {
		c(&f.opts)
	}
	f.open()
	t.Cleanup(func() { f.r.Close() })
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	r, err := Open(f.opts)
	if err != nil {
		f.t.Fatal(err)
	}
	f.r = r
}

// reopen closes the Runner and opens another on the same data directory.
func (f *fixture) reopen() {
	f.t.Helper()
	if err := f.r.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.open()
}

func (f *fixture) sync() []Run {
	f.t.Helper()
	runs, err := f.r.Sync(f.t.Context(), SyncOptions{})
	if err != nil {
		f.t.Fatalf("sync: %v", err)
	}
	return runs
}

// expect syncs once and compares what every unit of every printed run came to,
// in the form "unit status, unit status; …" with a semicolon between runs.
func (f *fixture) expect(want string) []Run {
	f.t.Helper()
	runs := f.sync()
	if got := summary(runs); got != want {
		f.t.Fatalf("sync gave\n  %s\nwant\n  %s\n%s", got, want, detail(runs))
	}
	f.noLocks()
	return runs
}

func summary(runs []Run) string {
	var all []string
	for _, run := range runs {
		var units []string
		for _, u := range run.Units {
			units = append(units, u.ID+" "+string(u.Status))
		}
		all = append(all, strings.Join(units, ", "))
	}
	return strings.Join(all, "; ")
}

func detail(runs []Run) string {
	data, err := json.MarshalIndent(runs, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (f *fixture) noLocks() {
	f.t.Helper()
	held, err := f.r.Locks()
	if err != nil || len(held) != 0 {
		f.t.Errorf("locks left behind: %v, %v", held, err)
	}
}

func (f *fixture) approve(run string, units ...string) {
	f.t.Helper()
	if _, err := f.r.Approve(f.t.Context(), Decision{Run: run, Units: units, By: "ada"}); err != nil {
		f.t.Fatal(err)
	}
}

// state reads the state file of a root module that has no backend.
func (f *fixture) state(dir string) (s struct {
	Lineage   string
	Serial    int
	Resources []struct{ Name string }
	Outputs   map[string]struct{ Value any }
}) {
	f.t.Helper()
	path := f.stateFile(dir)
	data, err := os.ReadFile(path)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		f.t.Fatalf("%s: %v", path, err)
	}
	return s
}

func (f *fixture) stateFile(dir string) string {
	return filepath.Join(f.r.home.StateDir("infra"), dir, "terraform.tfstate")
}

// module is a root module with one resource whose input is value and which is its
// output "out".
func module(value string) string {
	return fmt.Sprintf(`
resource "terraform_data" "this" {
  input = %s
}
output "out" {
  value = terraform_data.this.output
}
`, value)
}

// replacing is module, but a changed value replaces the resource.
func replacing(value string) string {
	return fmt.Sprintf(`
resource "terraform_data" "this" {
  triggers_replace = %s
}
`, value)
}

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of supervisors
	os.Exit(m.Run())
}
