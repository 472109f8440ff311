package terraform

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A supervisor that is killed takes with it, or has taken after it, everything that it started: no way of leaving a
// process behind outlives the session.
func TestNothingOutlivesAKilledSupervisor(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{modeNamespaces, modeLandlock} {
		for name, leave := range map[string]string{
			"setsid": "setsid sh -c 'LATE' &", "nohup": "nohup sh -c 'LATE' >/dev/null 2>&1 &", "double fork": "(sh -c 'LATE' &) &", "in front": "sh -c 'LATE'",
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				mark := strings.ReplaceAll(mode+name, " ", "-") + "-" + filepath.Base(filepath.Dir(dir))
				late := "touch " + dir + "/began; ORPHAN=" + mark + " sleep 29; echo late > " + dir + "/late"
				r := newRepo(t, map[string]string{"app/main.tf": `resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "` + strings.ReplaceAll(leave, "LATE", late) + ` sleep 28"
  }
}`})
				r.home.confined = Confinement{Mode: mode}
				s := r.ready(r.spec("app"))
				plan := r.plan(s, PlanOptions{})
				failed := make(chan error, 1)
				go func() { failed <- only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})) }()
				waitFor(t, filepath.Join(dir, "began"))
				if len(withMark(mark)) == 0 {
					t.Fatal("the test sees no orphan")
				}
				if err := s.super.cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := <-failed; !errors.Is(err, ErrLost) {
					t.Errorf("apply: %v", err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				for deadline := time.Now().Add(time.Second); len(withMark(mark)) > 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
				}
				if left := withMark(mark); len(left) > 0 {
					t.Errorf("alive: %v", left)
				}
			})
		}
	}
}

// withMark lists processes whose environment or arguments hold a word.
func withMark(mark string) []string {
	var found []string
	for _, p := range processes() {
		if p.state == "Z" || p.pid == os.Getpid() {
			continue
		}
		dir := filepath.Join("/proc", strconv.Itoa(p.pid))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if strings.Contains(string(env)+string(args), "ORPHAN="+mark) {
			found = append(found, strconv.Itoa(p.pid)+" "+strings.ReplaceAll(string(args), "\x00", " "))
		}
	}
	return found
}

// What a kill cut off while Terraform wrote it in place is taken from Terraform's own backup, and said.
func TestACutOffStateComesFromItsBackup(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]string{"nothing": "", "half": `{"version": 4, "linea`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, map[string]string{"app/main.tf": resourceA})
			r.converge(r.spec("app"))
			state := filepath.Join(r.home.StateDir("infra"), "app", "terraform.tfstate")
			whole := read(t, state)
			if err := os.WriteFile(state+".backup", []byte(whole), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(state, []byte(left), 0o600); err != nil {
				t.Fatal(err)
			}
			s := r.ready(r.spec("app"))
			if read(t, state) != whole || !strings.Contains(strings.Join(s.Notes(), ""), "cut off after") {
				t.Errorf("state %q, notes %v", read(t, state), s.Notes())
			}
			if plan := r.plan(s, PlanOptions{}); plan.Changes || plan.State.Resources != 1 {
				t.Errorf("%+v", plan)
			}
		})
	}
}

// A command whose time is up is interrupted, and says so.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRepoWith(t, Options{Timeouts: Timeouts{Apply: time.Second}}, map[string]string{"app/main.tf": `resource "terraform_data" "a" {
  provisioner "local-exec" { command = "touch ` + dir + `/began; sleep 60" }
}`})
	s := r.ready(r.spec("app"))
	err := only(s.Apply(t.Context(), io.Discard, r.plan(s, PlanOptions{}), ApplyOptions{}))
	if !errors.Is(err, ErrStopped) || !strings.Contains(err.Error(), "its time is up after 1s") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "began")); err != nil {
		t.Error("the apply did not even begin")
	}
	if info, err := s.State(t.Context()); err != nil || info.Lineage == "" {
		t.Errorf("the state after it: %+v %v", info, err)
	}
}

// What a command leaves behind is ended with it, in every confinement, and said.
func TestWhatACommandLeavesBehindEndsWithIt(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		mark := "behind-" + mode + "-" + filepath.Base(filepath.Dir(t.TempDir()))
		r := newRepo(t, map[string]string{"app/main.tf": runs("ORPHAN=" + mark + " setsid sleep 27 >/dev/null 2>&1 </dev/null &")})
		r.home.confined = Confinement{Mode: mode}
		s := r.ready(r.spec("app"))
		if err := only(s.Apply(t.Context(), io.Discard, r.plan(s, PlanOptions{}), ApplyOptions{})); err != nil {
			t.Fatal(err)
		}
		if left := withMark(mark); len(left) > 0 {
			t.Errorf("alive: %v", left)
		}
		if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "left 1 process behind") {
			t.Errorf("notes: %q", notes)
		}
	})
}

// What the first command of a supervisor leaves behind, with its output open, does not hold it up: a plan that was approved is applied so.
func TestWhatTheFirstCommandLeavesBehindEndsWithIt(t *testing.T) {
	t.Parallel()
	for i := range 6 { // what it was is a race
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			// The provisioner's own shell ends, and so does Terraform: what is left has the pipe to terraform-exec.
			r := newRepo(t, map[string]string{"app/main.tf": resourceA})
			tool := before(t, realTool(t), "hostile", `[ "$1" = apply ] || exec $real "$@"
setsid sleep 100 &`)
			spec := r.spec("app")
			spec.Tool = tool
			s := r.ready(spec)
			plan := r.plan(s, PlanOptions{})
			kept, err := plan.Keep(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			s = r.ready(spec)
			if plan, err = s.LoadPlan(t.Context(), kept, plan.Digest); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 50*time.Second {
				t.Errorf("the apply ended after %s, with what it left", took)
			}
		})
	}
}
