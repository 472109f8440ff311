//go:build !linux

package gitea

import "syscall"

// childOf starts a process in a group of its own, so that Ctrl-C reaches the program that started it alone.
func childOf() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func keepThread() (unlock func()) { return func() {} }
