package terraform

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A run directory holds variables in clear, so it must not outlive its run. Whoever runs holds a lock on run/<name>.lock, which ends with
// the process; the next start removes every directory whose lock is free.

func (h *Home) newRun() (dir string, lock *os.File, err error) {
	// The lock comes first: a directory without one is nobody's.
	lock, err = os.CreateTemp(h.runs, "*.lock")
	if err != nil {
		return "", nil, err
	}
	dir = strings.TrimSuffix(lock.Name(), ".lock")
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		lock.Close()
		os.Remove(lock.Name())
		return "", nil, err
	}
	return dir, lock, nil
}

func (h *Home) sweepRuns() error {
	entries, err := os.ReadDir(h.runs)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := strings.TrimSuffix(filepath.Join(h.runs, entry.Name()), ".lock")
		if lockIsHeld(dir + ".lock") {
			continue
		}
		if err := removeAll(dir); err != nil {
			return err
		}
		if err := removeAll(dir + ".lock"); err != nil {
			return err
		}
	}
	return nil
}

func lockIsHeld(name string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK
}

func runLockName(dir string) string {
	if dir == "" {
		return ""
	}
	return dir + ".lock"
}
