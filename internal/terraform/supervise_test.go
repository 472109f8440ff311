package terraform

import (
	"errors"
	"os"
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
