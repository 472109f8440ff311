package examples

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/runner"
)

// TestConverge brings each example to a real cluster with Mooring's own commands: what waits is approved until nothing
// does, and then there is nothing to do.
func TestConverge(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	parts.TerraformForTest(t)
	lookAtSources(t)
	bin := filepath.Join(t.TempDir(), "mooring")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../cmd/mooring").CombinedOutput(); err != nil {
		t.Fatalf("build mooring: %v\n%s", err, out)
	}
	for _, c := range []struct {
		name  string
		held  []string // units that wait for a person on the way, in order
		units int
	}{
		{"tour", nil, 3},
		{"platform", []string{"prod"}, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMooring(t, bin, c.name, cluster.Kubeconfig)
			if out, code := m.run("validate", "copy"); code != 0 {
				t.Fatalf("validate: exit %d: %s", code, out)
			}
			var held []string
			runs := m.sync()
			if len(runs) != 1 || len(runs[0].Units) != c.units {
				t.Fatalf("the first pass made %d runs, want one of %d units: %+v", len(runs), c.units, runs)
			}
			id := runs[0].ID
			for range len(c.held) + 1 {
				run := m.show(id)
				for _, u := range run.Units {
					switch u.Status {
					case runner.Held:
						held = append(held, u.ID)
					case runner.Applied, runner.Deferred:
					default:
						t.Fatalf("%s is %s: %s%s", u.ID, u.Status, u.Error, u.Reason)
					}
				}
				if run.Status == runner.Applied {
					break
				}
				if out, code := m.run("approve", id); code != 0 {
					t.Fatalf("approve: exit %d: %s", code, out)
				}
				m.sync()
			}
			if !slices.Equal(held, c.held) {
				t.Errorf("held on the way: %v, want %v", held, c.held)
			}
			if run := m.show(id); run.Status != runner.Applied {
				t.Errorf("the run ended %s, want applied", run.Status)
			}
			if again := m.sync(); len(again) != 0 {
				t.Errorf("a pass over what has converged made runs: %+v", again)
			}
		})
	}
}

// lookAtSources tells the go command what the result depends on: it keeps the result of a test until a file that the
// test has looked at changes, and cannot know what the build reads.
func lookAtSources(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"cmd", "internal", "k8s", "locks", "policies", "runner", "workspace"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(path) == ".go" {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// mooring is the binary with a server's configuration for one example.
type mooring struct {
	t        *testing.T
	bin, dir string
}

func newMooring(t *testing.T, bin, example, kubeconfig string) mooring {
	t.Helper()
	m := mooring{t: t, bin: bin, dir: t.TempDir()}
	copyExample(t, example, filepath.Join(m.dir, "copy"))
	git := githttp.Git{Dir: filepath.Join(m.dir, "copy")}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-qm", "Begin"}} {
		if _, err := git.Run(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf("data_dir = \"data\"\n\nrepository %q {\n  url = %q\n}\n\ncluster \"test\" {\n  kubeconfig = %q\n  default    = true\n}\n",
		example, git.Dir, kubeconfig)
	if err := os.WriteFile(filepath.Join(m.dir, "server.hcl"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m mooring) run(args ...string) (string, int) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), m.bin, args...)
	cmd.Dir = m.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	if err != nil && exit.ExitCode() == 1 {
		m.t.Logf("mooring %v: %s", args, &stderr)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// sync makes one pass and returns its runs. It fails the test on a failure; something that waits is none.
func (m mooring) sync() []runner.Run {
	m.t.Helper()
	out, code := m.run("sync", "-o", "json")
	if code != 0 && code != 2 {
		m.t.Fatalf("sync: exit %d: %s", code, out)
	}
	var list struct{ Runs []runner.Run }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		m.t.Fatalf("sync: %v: %s", err, out)
	}
	return list.Runs
}

func (m mooring) show(id string) runner.Run {
	m.t.Helper()
	out, code := m.run("show", id, "-o", "json")
	var run runner.Run
	if err := json.Unmarshal([]byte(out), &run); err != nil || code != 0 {
		m.t.Fatalf("show: exit %d, %v: %s", code, err, out)
	}
	return run
}
