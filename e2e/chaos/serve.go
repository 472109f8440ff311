package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// server is a mooring process that the bench started and did not wait for: serve, or a sync that is to be killed.
type server struct {
	world   *world
	cmd     *exec.Cmd
	log     string        // path of its standard error
	stdout  string        // path of its standard output
	ended   chan struct{} // closed when the process is gone
	cleanup func()        // instead of a process: something to undo with the world
}

// start starts a mooring command and leaves it running.
func (w *world) start(args ...string) *server {
	return w.startCommand(w.command(w.ctx, args...))
}

func (w *world) startCommand(cmd *exec.Cmd) *server {
	w.logs++
	s := &server{world: w, cmd: cmd, ended: make(chan struct{})}
	s.log = filepath.Join(w.dir, fmt.Sprintf("%02d.stderr", w.logs))
	s.stdout = filepath.Join(w.dir, fmt.Sprintf("%02d.stdout", w.logs))
	stderr, err := os.Create(s.log)
	w.must(err, "make a log")
	defer stderr.Close()
	stdout, err := os.Create(s.stdout)
	w.must(err, "make a log")
	defer stdout.Close()
	s.cmd.Stdout, s.cmd.Stderr = stdout, stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the bench
	w.logf("start %s > %s", strings.Join(s.cmd.Args, " "), s.log)
	w.must(s.cmd.Start(), "start "+strings.Join(s.cmd.Args, " "))
	go func() {
		_ = s.cmd.Wait() // how it ended is in its ProcessState
		close(s.ended)
	}()
	w.servers = append(w.servers, s)
	return s
}

// serve starts `mooring serve` and waits until it can be asked.
func (w *world) serve(args ...string) *server {
	s := w.start(append([]string{"serve"}, args...)...)
	w.await(30*time.Second, "mooring serve comes up", func() bool {
		if s.gone() {
			w.failf("mooring serve ended at once, exit %d: %s", s.cmd.ProcessState.ExitCode(), s.said())
		}
		return strings.Contains(s.said(), "msg=serving")
	})
	return s
}

func (s *server) gone() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// said is what it wrote to standard error.
func (s *server) said() string {
	b, err := os.ReadFile(s.log)
	s.world.must(err, "read a log")
	return string(b)
}

func (s *server) printed() string {
	b, err := os.ReadFile(s.stdout)
	s.world.must(err, "read a log")
	return string(b)
}

func (s *server) proc() (proc, bool) {
	if s.cmd == nil || s.gone() {
		return proc{}, false
	}
	return readProc(s.cmd.Process.Pid)
}

// kill9 kills the process alone, and nothing below it.
func (s *server) kill9() {
	if s.gone() {
		return
	}
	_ = s.cmd.Process.Kill() // gone meanwhile
	<-s.ended
	s.world.logf("killed %d", s.cmd.Process.Pid)
}

// stop asks it to end and answers its exit code and how long it took.
func (s *server) stop(timeout time.Duration) (int, time.Duration) {
	if s.gone() {
		s.world.failf("%s ended by itself, exit %d: %s", strings.Join(s.cmd.Args, " "), s.cmd.ProcessState.ExitCode(), clip(s.said()))
	}
	_ = s.cmd.Process.Signal(unix.SIGTERM) // gone meanwhile
	took := s.world.await(timeout, "it ends after SIGTERM", s.gone)
	return s.cmd.ProcessState.ExitCode(), took
}

// drained stops a server that has to end well.
func (s *server) drained() {
	if code, _ := s.stop(limit); code != 0 {
		s.world.failf("exit %d after SIGTERM: %s", code, clip(s.said()))
	}
}

// stopAll ends every process of the world, whatever state it is in, and undoes what it set up.
func (w *world) stopAll() {
	err := w.guarded(func() {
		w.kill(w.members)
		w.await(20*time.Second, "every process of the world is gone", func() bool { return len(w.members()) == 0 })
	})
	if err != nil && w.ctx.Err() == nil {
		fmt.Fprintf(w.out, "  %v:%s\n", err, describe(w.members()))
	}
	for _, s := range w.servers {
		if s.cleanup != nil {
			s.cleanup()
		} else if errors.Is(err, nil) {
			<-s.ended
		}
	}
	w.servers = nil
}
