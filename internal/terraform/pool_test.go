package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// looking opens a workspace as a scan does, in namespaces.
func (r *repo) looking(dir string, change ...func(*Spec)) *Session {
	r.t.Helper()
	r.home.confined = Confinement{Mode: modeNamespaces}
	if r.home.wait == idleFor {
		r.home.wait = time.Minute // however slow the test is
	}
	spec := r.spec(dir)
	spec.Looks = true
	for _, f := range change {
		f(&spec)
	}
	return r.ready(spec)
}

// pass is one look, and the process id of the supervisor that it had.
func (r *repo) pass(dir string, change ...func(*Spec)) int {
	r.t.Helper()
	s := r.looking(dir, change...)
	r.plan(s, PlanOptions{})
	if err := s.Close(); err != nil {
		r.t.Error(err)
	}
	return s.super.cmd.Process.Pid
}

// A supervisor goes on from one look to the next with the same credentials, and to nothing else.
func TestASupervisorGoesOnToTheNextLook(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/main.tf": resourceA, "b/main.tf": resourceA, "broken/main.tf": `output "a" { value = file("none") }`})
	env := func(value string) func(*Spec) {
		return func(spec *Spec) { spec.PlanEnv = map[string]string{"TOKEN": value, "OTHER": "x"} }
	}
	first := r.pass("a", env("1"))
	if next := r.pass("b", env("1")); next != first {
		t.Errorf("the next look has supervisor %d, and %d waited", next, first)
	}
	others := map[int]string{first: "the first"}
	other := func(what string, pid int) {
		t.Helper()
		if was := others[pid]; was != "" {
			t.Errorf("%s has the supervisor of %s", what, was)
		}
		others[pid] = what
	}
	other("another credential", r.pass("b", env("2")))
	other("another repository", r.pass("b", env("1"), func(spec *Spec) { spec.Repository = "second" }))
	other("a run that may change something", r.pass("b", env("1"), func(spec *Spec) { spec.Looks = false }))
	other("the next of those", r.pass("b", env("1"), func(spec *Spec) { spec.Looks = false }))

	// A look changes nothing.
	s := r.looking("a", env("3"))
	if err := only(s.Apply(t.Context(), io.Discard, r.plan(s, PlanOptions{}), ApplyOptions{})); err == nil || !strings.Contains(err.Error(), "opened to look") {
		t.Errorf("an apply in a look: %v", err)
	}
	s.Close()

	// What went otherwise than well ends with its supervisor.
	s = r.looking("broken", env("1"))
	if s.super.cmd.Process.Pid != first {
		t.Error("the first no longer waits")
	}
	if _, err := s.Plan(t.Context(), io.Discard, PlanOptions{}); err == nil {
		t.Error("a broken configuration has a plan")
	}
	s.Close()
	other("what follows on a failure", r.pass("a", env("1")))

	s = r.looking("a", env("1"))
	given := s.super.cmd.Process.Pid
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Plan(ctx, io.Discard, PlanOptions{}); err == nil {
		t.Error("a plan nobody waited for")
	}
	s.Close()
	if next := r.pass("a", env("1")); next != given {
		t.Error("what was never asked of a supervisor counts against it")
	}

	// Two side by side have two.
	s = r.looking("a", env("1"))
	if r.pass("b", env("1")) == s.super.cmd.Process.Pid {
		t.Error("two at a time have one supervisor")
	}
	s.Close()
}

// A run whose supervisor had another one before it finds nothing of that one, whatever it left.
func TestNothingOfALookIsThereForTheNext(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	r := newRepo(t, map[string]string{"a/main.tf": resourceA, "b/main.tf": resourceA})
	script := `
[ "$1" = plan ] || exec $real "$@"
data=` + r.home.dataDir + `; out=` + out + `
if [ ! -e $out/first ]; then
	touch $out/first
	for dir in /tmp /var/tmp /dev/shm $data/run/*/private ../../../*; do echo left >$dir/left && echo $dir >>$out/places; done 2>/dev/null
	ipcmk -M 4096 >/dev/null && ipcmk -Q >/dev/null && ipcmk -S 1 >/dev/null && ipcs >$out/ipcs
	hostname >$out/host; readlink /proc/self/ns/pid >$out/pids
else
	found() { echo "$*" >>$out/found; }
	for f in /tmp/left /var/tmp/left /dev/shm/left $data/run/*/private/left ../../../*/left $data/views/*/*/left; do [ -e $f ] && found file $f; done
	ipcs | grep 0x && found ipc
	for f in /proc/1/root /proc/1/cwd /proc/1/task/*/root /proc/1/task/*/cwd; do ls $f/ 2>/dev/null | grep -q . && found supervisor $f; done
	nsenter -t 1 -m true 2>/dev/null && found mounts of the supervisor
	[ "$(hostname)" = "$(cat $out/host)" ] && found host name
	[ "$(readlink /proc/self/ns/pid)" = "$(cat $out/pids)" ] || found another process namespace: nothing was tested
	touch $out/second
fi 2>>$out/stderr
`
	tool := before(t, realTool(t), "hostile", script)
	use := func(spec *Spec) { spec.Tool = tool }
	first, second := r.pass("a", use), r.pass("b", use)
	if first != second {
		t.Fatal("two supervisors: nothing was tested")
	}
	for _, name := range []string{"second", "places", "ipcs"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Errorf("the first run could leave less than it should try to: %v", err)
		}
	}
	if found, err := os.ReadFile(filepath.Join(out, "found")); err == nil {
		t.Errorf("the second run found of the first:\n%s", found)
	}
	if !strings.Contains(read(t, filepath.Join(out, "ipcs")), "0x") {
		t.Error("no System V object was left")
	}
}

// A supervisor that falls while it waits is not missed.
func TestASupervisorThatWaitsMayFall(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/main.tf": resourceA})
	r.pass("a")
	r.home.idleMu.Lock()
	waits := r.home.idle[0]
	waits.over.Stop()
	r.home.idleMu.Unlock()
	fallen := waits.cmd.Process.Pid
	if err := waits.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if r.pass("a") == fallen {
		t.Error("it did not fall")
	}
}

// One for which there is no other run goes.
func TestASupervisorDoesNotWaitLong(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/main.tf": resourceA})
	r.home.wait = 5 * time.Second // far longer than until the next line, however busy the machine
	pid := r.pass("a")
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	if _, err := os.Readlink(exe); err != nil {
		t.Fatal("it did not wait")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // another process's end
		if _, err := os.Readlink(exe); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("supervisor %d still waits", pid)
		}
	}
	r.home.idleMu.Lock()
	defer r.home.idleMu.Unlock()
	if len(r.home.idle) > 0 {
		t.Errorf("%d wait", len(r.home.idle))
	}
}

// One that was told to stop while it waited takes no run, before it has done anything for it: another one is started then.
func TestASupervisorThatWasToldToStopTakesNoRun(t *testing.T) {
	t.Parallel()
	p := &supervisorProcess{}
	told := errors.New("told to stop")
	p.stop(told)
	if err := (&supervisor{supervisorProcess: p, set: setup{Format: runFormat}}).begin(); !errors.Is(err, told) {
		t.Errorf("a run begins: %v", err)
	}
}

// One that a run has tampered with, or left something in, is given no other run.
func TestASupervisorThatIsNotAsBeforeEnds(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"a process left behind": "(setsid sleep 60 >/dev/null 2>&1 </dev/null &)",
		"its limits":            "prlimit --pid 1 --fsize=4194304 || exit 3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, map[string]string{"a/main.tf": resourceA})
			tool := before(t, realTool(t), "hostile", script)
			s := r.looking("a", func(spec *Spec) { spec.Tool = tool })
			r.plan(s, PlanOptions{}) // a plan that fails ends its supervisor whatever it did
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if n := len(r.home.idle); n > 0 {
				t.Errorf("%d wait for the next run", n)
			}
		})
	}
}

// A kill between the making of a nameless file and its end leaves it with its name: the next start clears it away.
func TestAFileAmongRunsIsClearedAway(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	name := filepath.Join(r.home.runs, ".stderr-1")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.home.SweepRuns(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("it is still there")
	}
}
