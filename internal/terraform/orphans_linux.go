package terraform

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// killHolder kills a process that has a file open, and no other one that got its id meanwhile: the id is looked at again once there is a
// descriptor of the process.
func killHolder(pid int, name string) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return err
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == name {
			return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
	}
	return nil
}
