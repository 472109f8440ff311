package drift

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/httpstate"
	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/e2e/program"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

// world is a Git repository, a server of states and a Mooring of its own that tells a webhook.
type world struct {
	t      *testing.T
	repo   *githttp.Repo
	states *httpstate.Server
	hook   *hook

	dir, home, config, terraform string
	real                         string // a directory whose files Terraform makes
	address                      string // where Mooring listens
	secret                       string

	mooring *program.Process
	starts  int
}

// setting is what differs between worlds.
type setting struct {
	files      func(w *world) map[string]string
	server     string // of server.hcl, at the top
	repository string // of its repository block
}

func newWorld(t *testing.T, s setting) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short leaves out what runs Terraform for a minute")
	}
	w := &world{t: t, terraform: parts.TerraformForTest(t), dir: t.TempDir(), states: httpstate.New(), secret: "webhook-" + t.Name() + "-secret-0123456789"}
	t.Cleanup(w.states.Close)
	w.hook = newHook(t, w.secret)
	w.home, w.config, w.real = filepath.Join(w.dir, "home"), filepath.Join(w.dir, "server.hcl"), filepath.Join(w.dir, "real")
	for _, dir := range []string{w.home, w.real} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	served := filepath.Join(w.dir, "remote")
	w.repo = githttp.NewRepo(t, filepath.Join(served, "infra.git"), s.files(w))
	git := githttp.New(t, served)
	w.address = freeAddress(t)
	w.write(w.config, fmt.Sprintf(`data_dir = %q
listen   = %q
grace    = "10s"
%s
sandbox {
  write = [%q]
}
notify "people" {
  webhook {
    url    = %q
    secret = env("HOOK_SECRET")
  }
}
route {
  channels = ["people"]
}
repository "infra" {
  url    = %q
  branch = "main"
  poll   = "300ms"
  apply  = "after_merge"
  policy {
    preflight = "off"
  }
%s
}
`, filepath.Join(w.dir, "data"), w.address, s.server, w.real, w.hook.URL, git.RepositoryURL("infra.git"), s.repository))
	t.Cleanup(func() {
		w.states.Heal()
		w.stop()
		if t.Failed() && w.mooring != nil {
			t.Logf("what Mooring said last:\n%s", program.Tail(w.mooring.Said()))
		}
	})
	return w
}

// freeAddress is one that nobody listens at now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// await looks again and again until there is no reason left why not.
func (w *world) await(within time.Duration, what string, whyNot func() string) {
	w.t.Helper()
	limit := time.After(within)
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		why := whyNot()
		if why == "" {
			return
		}
		select {
		case <-limit:
			w.t.Fatalf("waited %s in vain for %s: %s", within, what, why)
		case <-tick.C:
		}
	}
}

// sync makes one pass that must end with a code.
func (w *world) sync(want int) {
	w.t.Helper()
	if code, out, errs := w.run("sync"); code != want {
		w.t.Fatalf("mooring sync: exit %d, want %d:\n%s%s", code, want, out, errs)
	}
}

// scan looks for drift with a command that must end with a code, and returns the one run.
func (w *world) scan(want int, args ...string) runner.Run {
	w.t.Helper()
	code, out, errs := w.run(append(args, "-o", "json")...)
	var list struct{ Runs []runner.Run }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != want || len(list.Runs) != 1 {
		w.t.Fatalf("mooring %s: exit %d, want %d, %v:\n%s%s", strings.Join(args, " "), code, want, err, out, errs)
	}
	return list.Runs[0]
}

// drifts are what `drift list` or `drift history` knows.
func (w *world) drifts(args ...string) []drift.Record {
	w.t.Helper()
	code, out, errs := w.run(append([]string{"drift"}, append(args, "-o", "json")...)...)
	var list struct{ Drifts []drift.Record }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		w.t.Fatalf("mooring drift %s: exit %d, %v:\n%s%s", strings.Join(args, " "), code, err, out, errs)
	}
	return list.Drifts
}

// found is a scan in short: a line a finding.
func found(run runner.Run) string {
	var all []string
	for _, u := range run.Units {
		for _, d := range u.Drift {
			all = append(all, fmt.Sprintf("%s: %s %s %s %s", u.ID, d.Address, d.Class, d.Change, d.Action))
		}
	}
	return strings.Join(all, "\n")
}

// edit changes a state on the server behind Terraform: every value old becomes new, and the serial goes on.
func (w *world) edit(path, old, new string) {
	w.t.Helper()
	raw := string(w.states.State(path).Raw)
	if !strings.Contains(raw, old) {
		w.t.Fatalf("the state %s has no %q:\n%s", path, old, raw)
	}
	var state map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(raw, old, new)), &state); err != nil {
		w.t.Fatal(err)
	}
	state["serial"] = state["serial"].(float64) + 1
	b, err := json.Marshal(state)
	if err != nil {
		w.t.Fatal(err)
	}
	w.states.SetState(path, b)
}

// scans is how often a state was locked since the requests were forgotten: that is how often it was planned or applied.
func (w *world) scans(path string) (n int) {
	for _, r := range w.states.Requests() {
		if r.Method == "LOCK" && r.Path == path && r.Status == 200 {
			n++
		}
	}
	return n
}
