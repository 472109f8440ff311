package terraform

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A run directory holds variables in clear, so it must not outlive its run. Whoever runs holds a lock on it, which ends with the process;
// the next start removes every directory whose lock is free.

func (h *Home) newRun() (dir string, lock *os.File, err error) {
	dir, err = os.MkdirTemp(h.runs, "")
	if err != nil {
		return "", nil, err
	}
	if lock, err = os.Open(dir); err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	return dir, lock, err
}

func (h *Home) sweepRuns() error {
	entries, err := os.ReadDir(h.runs)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := filepath.Join(h.runs, entry.Name())
		if lockIsHeld(dir) {
			continue
		}
		if err := removeAll(dir); err != nil {
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
