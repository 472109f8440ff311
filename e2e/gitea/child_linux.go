package gitea

import (
	"runtime"
	"syscall"
)

// childOf starts a process in a group of its own, so that Ctrl-C reaches the program that started it alone, and has the
// kernel end it when that program is gone without a word.
func childOf() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// keepThread keeps the goroutine on its thread. The kernel's word comes when the thread that started a process ends.
func keepThread() (unlock func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
