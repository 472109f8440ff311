package serverconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrDataDir is what each problem with a data directory wraps.
var ErrDataDir = errors.New("data_dir cannot be used")

// PrepareDataDir makes the data directory with mode 0700 when it is absent, and
// refuses one that others may write to: who can write there can have Terraform
// run what they like.
func PrepareDataDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("%w: %w", ErrDataDir, err)
		}
		// Read again: another process may have been first, with another mode.
		info, err = os.Stat(dir)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	return checkDataDir(dir, info)
}

// CheckDataDir is PrepareDataDir for a reader: nothing is made, and a directory
// that is absent is fine.
func CheckDataDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDataDir, err)
	}
	return checkDataDir(dir, info)
}

func checkDataDir(dir string, info fs.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("%w: %s is not a directory", ErrDataDir, dir)
	}
	if m := info.Mode().Perm(); m&0o022 != 0 {
		return fmt.Errorf("%w: others may write to %s (mode %04o): chmod 700 %s", ErrDataDir, dir, m, dir)
	}
	return nil
}
