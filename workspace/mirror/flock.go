package mirror

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockShared opens path, makes it when absent, and holds it against lockAlone.
// The lock belongs to the open file: it lasts until every process that has
// inherited it is gone, however they end.
func lockShared(path string) (*os.File, error) { return lock(path, unix.LOCK_SH) }

// lockAlone fails when anyone holds path.
func lockAlone(path string) (*os.File, error) { return lock(path, unix.LOCK_EX) }

func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}
