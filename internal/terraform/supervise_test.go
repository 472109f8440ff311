package terraform

import (
	"errors"
	"io"
	"os"
	"path/filepath"
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
