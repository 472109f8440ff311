package gitea

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	directoryPrefix = "mooring-e2e-gitea-"
	lockFile        = "lock" // held as long as the process that made the directory lives
)

// ownDirectory makes a directory for one server. The server that all tests of a process share is stopped by the end of
// the process, after which nobody is there to remove its directory: the next one does.
func ownDirectory() (dir string, remove func(), err error) {
	sweep()
	dir, err = os.MkdirTemp("", directoryPrefix)
	if err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile+".new"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err == nil { // a lock that others see is held
		err = os.Rename(lock.Name(), filepath.Join(dir, lockFile))
	}
	remove = func() {
		_ = os.RemoveAll(dir)
		_ = lock.Close()
	}
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("make directory: %w", err)
	}
	return dir, remove, nil
}

// sweep removes the directories of processes that are gone. What it may not remove stays.
func sweep() {
	locks, _ := filepath.Glob(filepath.Join(os.TempDir(), directoryPrefix+"*", lockFile)) // the pattern is right
	for _, path := range locks {
		lock, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		_ = lock.Close()
	}
}
