//go:build !linux

package main

import "syscall"

// childOf starts a process in a group of its own, so that Ctrl-C reaches the demo alone.
func childOf() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// live starts the process and waits for its end.
func (s *server) live(started chan<- error) {
	defer close(s.ended)
	err := s.cmd.Start()
	started <- err
	if err == nil {
		s.err = s.cmd.Wait()
	}
}
