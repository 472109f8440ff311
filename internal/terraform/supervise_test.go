package terraform

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the runner hands down are pipes that block, as os/exec leaves them. Who waits for one in the kernel has no deadline, and has the
// supervisor's only processor with it.
func TestInheritedPipesArePolled(t *testing.T) {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(ends[1])
	pipe, err := openPipe(ends[0])
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if err := pipe.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := pipe.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading an empty pipe: %v", err)
	}
}

// Where the small supervisor cannot be started (data on a file system without execution, say) Mooring itself is one.
func TestMooringIsItsOwnSupervisorWhereTheSmallOneCannotStart(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]os.FileMode{"not executable": 0o400, "no program": 0o500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, map[string]string{"main.tf": "resource \"terraform_data\" \"a\" {}\n"})
			r.home.supervisorOnce.Do(func() { r.home.supervisor = filepath.Join(t.TempDir(), "mooring") })
			if err := os.WriteFile(r.home.supervisor, []byte{0x7f, 'E', 'L', 'F', 0}, mode); err != nil {
				t.Fatal(err)
			}
			plan, err := r.ready(r.spec(".")).Plan(t.Context(), io.Discard, PlanOptions{})
			if err != nil || plan.Add != 1 {
				t.Errorf("%+v, %v", plan, err)
			}
		})
	}
}

// A supervisor writes down what it does and keeps plans in every confinement, although its commands see nothing of the run directory.
func TestARunIsWrittenDown(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		r := newRepo(t, map[string]string{"a/main.tf": resourceA})
		r.home.confined = Confinement{Mode: mode}
		s := r.ready(r.spec("a"))
		plan := r.plan(s, PlanOptions{})
		if _, err := plan.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := only(s.Apply(t.Context(), io.Discard, plan, ApplyOptions{})); err != nil {
			t.Fatal(err)
		}
		var ended result
		if err := readJSON(filepath.Join(s.RunDir(), resultName), &ended); err != nil || ended.Command != "apply" || ended.Digest != plan.Digest || ended.Reply.Failure != nil {
			t.Errorf("result: %+v, %v", ended, err)
		}
		events := read(t, filepath.Join(s.RunDir(), eventsName))
		for _, command := range []string{"init", "plan", "show", "apply"} {
			if strings.Count(events, `"command":"`+command+`"`) != 2 {
				t.Errorf("no beginning and end of %s:\n%s", command, events)
			}
		}
		if _, err := os.Stat(filepath.Join(s.RunDir(), ballastName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("ballast after the apply: %v", err)
		}
		if output := read(t, filepath.Join(s.RunDir(), outputName)); strings.Contains(output, "terraform_version") {
			t.Errorf("terraform-exec asked for the version in the middle of it:\n%s", output)
		}
		if notes := s.Notes(); len(notes) > 0 {
			t.Errorf("notes: %v", notes)
		}
	})
}
