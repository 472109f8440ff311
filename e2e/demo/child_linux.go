package main

import (
	"runtime"
	"syscall"
)

// childOf starts a process in a group of its own, so that Ctrl-C reaches the demo alone, and has the kernel tell it to
// stop when the demo is gone without a word.
func childOf() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// live starts the process and waits for its end. The kernel's word comes when the thread that started it ends, so the
// thread stays as long as the process.
func (s *server) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.ended)
	err := s.cmd.Start()
	started <- err
	if err == nil {
		s.err = s.cmd.Wait()
	}
}
