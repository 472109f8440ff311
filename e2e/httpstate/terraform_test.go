package httpstate_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/httpstate"
	"github.com/mooring-iac/mooring/e2e/parts"
)

// module is a root module on disk with its state on a server.
type module struct {
	t         *testing.T
	terraform string
	dir       string
}

const two = `
resource "terraform_data" "a" { input = "one" }
resource "terraform_data" "b" { input = "two" }
`

func newServer(t *testing.T) *httpstate.Server {
	s := httpstate.New()
	t.Cleanup(s.Close)
	return s
}

// initialised writes a root module and runs init.
func initialised(t *testing.T, backend, source string) module {
	t.Helper()
	m := module{t: t, terraform: parts.TerraformForTest(t), dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(m.dir, "main.tf"), []byte(backend+source), 0o644); err != nil {
		t.Fatal(err)
	}
	m.must("init", "-no-color")
	return m
}

func (m module) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(m.t.Context(), m.terraform, args...)
	cmd.Dir = m.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "TF_CLI_CONFIG_FILE=/dev/null", "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1"}
	return cmd
}

func (m module) run(args ...string) (string, error) {
	out, err := m.command(args...).CombinedOutput()
	return string(out), err
}

func (m module) must(args ...string) string {
	m.t.Helper()
	out, err := m.run(args...)
	if err != nil {
		m.t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// refused runs a command that must fail and say each of wants.
func (m module) refused(args []string, wants ...string) {
	m.t.Helper()
	out, err := m.run(args...)
	if err == nil {
		m.t.Fatalf("terraform %s succeeded:\n%s", strings.Join(args, " "), out)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			m.t.Errorf("terraform %s does not say %q:\n%s", strings.Join(args, " "), want, out)
		}
	}
}

var apply = []string{"apply", "-auto-approve", "-no-color"}

// written are the requests of one method.
func written(s *httpstate.Server, method string) (seen []httpstate.Request) {
	for _, r := range s.Requests() {
		if r.Method == method {
			seen = append(seen, r)
		}
	}
	return seen
}

func TestApplyLocksWritesAndUnlocks(t *testing.T) {
	s := newServer(t)
	m := initialised(t, s.Backend("/network"), two)
	s.ResetRequests()
	var held httpstate.Lock
	s.OnArrival(func(r httpstate.Request) {
		if r.Method == "POST" {
			held, _ = s.Lock(r.Path)
		}
	})
	m.must(apply...)

	var methods []string
	for _, r := range s.Requests() {
		methods = append(methods, r.Method)
		if r.Status != 200 && (r.Method != "GET" || r.Status != 404) || r.Path != "/network" {
			t.Errorf("request %+v", r)
		}
		if r.Method != "GET" && r.LockID != held.ID {
			t.Errorf("%s names lock %q, held was %q", r.Method, r.LockID, held.ID)
		}
	}
	if got := strings.Join(methods, " "); !strings.HasPrefix(got, "LOCK GET") || !strings.HasSuffix(got, "POST UNLOCK") {
		t.Errorf("requests: %s", got)
	}
	if held.Operation != "OperationTypeApply" || held.Who == "" || held.Created.IsZero() {
		t.Errorf("lock while writing: %+v", held)
	}
	state, last := s.State("/network"), written(s, "POST")
	if state.Instances != 2 || state.Serial == 0 || len(state.Lineage) != 36 || last[len(last)-1].Serial != state.Serial {
		t.Errorf("state = %+v after writes %+v", state, last)
	}
	if len(s.History("/network")) != len(last) {
		t.Errorf("%d states in the history after %d writes", len(s.History("/network")), len(last))
	}
	if other := s.State("/other"); other.Raw != nil {
		t.Errorf("another path has a state: %s", other.Raw)
	}
}

func TestTerraformNamesTheHolder(t *testing.T) {
	s := newServer(t)
	m := initialised(t, s.Backend("/network"), two)
	foreign := httpstate.Lock{ID: "6c2b7a52-1c3b-4f0e-9b0f-5f0d3f0a9b11", Operation: "OperationTypeApply", Who: "grace@laptop", Version: "1.11.4", Created: time.Date(2026, 11, 26, 5, 0, 0, 0, time.UTC)}
	s.SetLock("/network", foreign)
	m.refused(apply, "HTTP remote state already locked:\nID="+foreign.ID)
	// What Terraform prints as Lock Info is the lock that it asked for: who reads an ID there reads the wrong one.
	if out, _ := m.run(apply...); strings.Contains(out, foreign.Who) || strings.Count(out, foreign.ID) != 1 {
		t.Errorf("Terraform says more of the holder than its ID; the docs of this package are old:\n%s", out)
	}
	if got, held := s.Lock("/network"); !held || got != foreign {
		t.Errorf("lock afterwards = %+v, %v", got, held)
	}
	if n := len(written(s, "POST")); n != 0 {
		t.Errorf("%d writes under a foreign lock", n)
	}

	m.must("force-unlock", "-force", foreign.ID)
	if got, held := s.Lock("/network"); held {
		t.Errorf("still locked by %+v", got)
	}
	m.must(apply...)
}

// TestForceUnlockBreaksAnyLock holds a fact that callers must know: the http backend does not send the ID to be broken.
func TestForceUnlockBreaksAnyLock(t *testing.T) {
	s := newServer(t)
	m := initialised(t, s.Backend("/network"), two)
	s.SetLock("/network", httpstate.Lock{ID: "6c2b7a52-1c3b-4f0e-9b0f-5f0d3f0a9b11"})
	s.ResetRequests()
	m.must("force-unlock", "-force", "11111111-2222-3333-4444-555555555555")
	if l, held := s.Lock("/network"); held {
		t.Errorf("held by %s: Terraform sent an ID after all; the docs of this package are old", l.ID)
	}
	if seen := written(s, "UNLOCK"); len(seen) != 1 || seen[0].LockID != "" {
		t.Errorf("unlocks: %+v, want one without an ID", seen)
	}
}

func TestFailedWriteLeavesErroredState(t *testing.T) {
	for name, fault := range map[string]httpstate.Fault{
		"every write":    {Method: "POST"},
		"cut off":        {Method: "POST", How: httpstate.Cut},
		"the last write": {Method: "POST", Instances: 2, Status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			m := initialised(t, s.Backend("/network"), two)
			s.Inject(fault)
			m.refused(apply, "Failed to save state", "errored.tfstate")
			errored := filepath.Join(m.dir, "errored.tfstate")
			kept, err := os.ReadFile(errored)
			if err != nil || !strings.Contains(string(kept), `"two"`) {
				t.Fatalf("errored.tfstate: %v\n%s", err, kept)
			}
			if stored := s.State("/network"); stored.Instances != 0 {
				t.Errorf("stored all the same: %+v", stored)
			}
			if l, held := s.Lock("/network"); held {
				t.Errorf("the lock is still held by %+v", l)
			}

			s.Heal()
			m.must("state", "push", errored)
			if stored := s.State("/network"); stored.Instances != 2 {
				t.Errorf("pushed: %+v", stored)
			}
			if out := m.must("plan", "-no-color", "-detailed-exitcode"); !strings.Contains(out, "No changes") {
				t.Errorf("plan after the push:\n%s", out)
			}
		})
	}
}

func TestLostAnswersAndRetries(t *testing.T) {
	s := newServer(t)
	backend := strings.Replace(s.Backend("/network"), "retry_max      = 0", "retry_max = 1\n    retry_wait_min = 1", 1)
	m := initialised(t, backend, two)
	s.Inject(httpstate.Fault{Method: "LOCK", Count: 1, How: httpstate.Cut, Done: true})
	s.Inject(httpstate.Fault{Method: "POST", Count: 1, Done: true})
	m.must(apply...)
	if locks := written(s, "LOCK"); len(locks) != 2 || locks[0].LockID != locks[1].LockID || locks[0].Status != 0 || locks[0].Fault != httpstate.Cut {
		t.Errorf("locks: %+v", locks)
	}
	if posts := written(s, "POST"); len(posts) != 2 || posts[0].Status != 500 || posts[1].Status != 200 || posts[0].Serial != posts[1].Serial {
		t.Errorf("writes: %+v", posts)
	}
	if n := len(s.History("/network")); n != 2 {
		t.Errorf("%d states in the history, want the same twice", n)
	}
}

func TestLockAndUnlockFail(t *testing.T) {
	s := newServer(t)
	m := initialised(t, s.Backend("/network"), two)
	s.Inject(httpstate.Fault{Method: "LOCK", Count: 1, Status: 409})
	m.refused(apply, "HTTP remote state already locked:\nID=00000000-0000-0000-0000-00000000fa17")
	s.Heal()
	s.Inject(httpstate.Fault{Method: "UNLOCK"})
	m.refused(apply, "Error releasing the state lock")
	l, held := s.Lock("/network")
	if !held || s.State("/network").Instances != 2 {
		t.Errorf("lock %+v, %v; state %+v", l, held, s.State("/network"))
	}
	s.Heal()
	m.must("force-unlock", "-force", l.ID)
}

// TestKillAtAnExactMoment kills Terraform when its write has been stored and it does not know.
func TestKillAtAnExactMoment(t *testing.T) {
	s := newServer(t)
	m := initialised(t, s.Backend("/network"), two)
	var pid atomic.Int64
	s.BeforeAnswer(func(r httpstate.Request) {
		if r.Method == "POST" {
			_ = syscall.Kill(int(pid.Load()), syscall.SIGKILL)
		}
	})
	hold := make(chan struct{})
	s.OnArrival(func(httpstate.Request) { <-hold })
	cmd := m.command(apply...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid.Store(int64(cmd.Process.Pid))
	close(hold)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("apply ended with %v, want it killed", err)
	}
	if state := s.State("/network"); state.Instances != 2 {
		t.Errorf("state = %+v", state)
	}
	if _, held := s.Lock("/network"); !held {
		t.Error("nobody holds the lock of who was killed")
	}
}

func TestPlantedStates(t *testing.T) {
	s := newServer(t)
	m := initialised(t, s.Backend("/network"), two)
	m.must(apply...)
	first := s.State("/network")
	s.SetState("/network", nil)
	m.refused([]string{"state", "list", "-no-color"}, "No state file was found")
	var file map[string]any
	if err := json.Unmarshal(first.Raw, &file); err != nil {
		t.Fatal(err)
	}
	file["lineage"], file["serial"] = "another", first.Serial+1
	other, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	s.SetState("/network", other)
	if got := s.State("/network"); got.Lineage != "another" || got.Serial != first.Serial+1 || got.Instances != 2 {
		t.Errorf("planted state = %+v", got)
	}
	path := filepath.Join(m.dir, "first.tfstate")
	if err := os.WriteFile(path, first.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	m.refused([]string{"state", "push", "-no-color", path}, "lineage")
}
