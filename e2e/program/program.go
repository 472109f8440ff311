// Package program builds Mooring itself once for the tests of a package, and runs it for them.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/internal/build"
)

// Main builds Mooring as it ships, runs the tests of a package with it, and removes it. It returns the exit code. race builds it with
// the race detector: that finds races of Mooring itself, at a third of its speed.
func Main(m *testing.M, binary *string, race bool) int {
	dir, err := os.MkdirTemp("", "mooring-e2e-program-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is the system's to clear
	*binary = filepath.Join(dir, "mooring")
	var flags []string
	if race {
		flags = append(flags, "-race")
	}
	if err := build.Mooring(context.Background(), nil, *binary, flags...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Process is a Mooring under way, in a process group of its own.
type Process struct {
	Log   string        // path of what it writes
	Ended chan struct{} // closed when it is gone
	cmd   *exec.Cmd
}

// Start starts a command that writes to a new file.
func Start(cmd *exec.Cmd, log string) (*Process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{Log: log, Ended: make(chan struct{}), cmd: cmd}
	go func() {
		_ = cmd.Wait() // how it ended is in its ProcessState
		close(p.Ended)
	}()
	return p, nil
}

// Gone tells that it has ended.
func (p *Process) Gone() bool {
	select {
	case <-p.Ended:
		return true
	default:
		return false
	}
}

// ExitCode is how it ended, once it has; -1 by a signal.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Ask asks it to end.
func (p *Process) Ask() { _ = p.cmd.Process.Signal(syscall.SIGTERM) } // gone meanwhile

// Kill ends it as a power cut does, and nothing below it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // gone meanwhile
	<-p.Ended
}

// Stop asks it to end, and kills it where it does not within a time: then it is false.
func (p *Process) Stop(within time.Duration) bool {
	p.Ask()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.Ended:
		return true
	case <-timer.C:
		p.Kill()
		return false
	}
}

// Said is what it has written.
func (p *Process) Said() string { return Read(p.Log) }

// Read is what a log has, or why it cannot be read. It is never empty: tests wait until there is nothing to say any more.
func Read(log string) string {
	b, err := os.ReadFile(log)
	switch {
	case err != nil:
		return err.Error()
	case len(b) == 0:
		return "nothing was said yet"
	}
	return string(b)
}

// Run runs a command to its end. It fails only where the command cannot be run.
func Run(cmd *exec.Cmd) (code int, stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, 5*time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return 0, out.String(), errs.String(), err
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String(), nil
}

// Tail is the end of a long text.
func Tail(s string) string {
	if len(s) > 6000 {
		return "…" + s[len(s)-6000:]
	}
	return s
}
