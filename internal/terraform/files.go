package terraform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// writeFile replaces a file by rename: a reader sees the old or the new text, a kill leaves no half.
func writeFile(name string, data []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// writeExecutable is writeFile for a program that will be started at once. A child that another goroutine forks meanwhile would inherit
// the open file and the start would fail with "text file busy", so nobody forks while it is open.
func writeExecutable(name string, data []byte, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return writeFile(name, data, mode)
}

// ensureLink makes name a symbolic link to target; whatever else is there goes.
func ensureLink(name, target string) error {
	now, err := os.Readlink(name)
	if err == nil && now == target {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return os.Symlink(target, name)
}

// ensureDir makes name a real directory; a file or a link in its place goes.
func ensureDir(name string) error {
	info, err := os.Lstat(name)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		err = os.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Mkdir(name, 0o700)
}

// ensureCopy makes name a private copy of source and touches nothing when it is one already.
func ensureCopy(name, source string, info fs.FileInfo) error {
	mode := info.Mode().Perm() | 0o600
	now, err := os.Lstat(name)
	if err == nil && now.Mode().IsRegular() && now.Size() == info.Size() {
		if same, err := sameContent(name, source); err != nil {
			return err
		} else if same {
			if now.Mode().Perm() != mode {
				return os.Chmod(name, mode)
			}
			return nil
		}
	}
	if err == nil {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return copyFile(name, source, mode)
}

func copyFile(name, source string, mode os.FileMode) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func sameContent(a, b string) (bool, error) {
	one, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	other, err := os.ReadFile(b)
	return bytes.Equal(one, other), err
}

// errNotRegular says that a file is a link, a pipe or the like where a run may write: it is not followed, and not waited for.
var errNotRegular = errors.New("not a regular file")

// readRegular reads a file that a run may have made. A run owns its view, and may leave links there that lead to what it must not see;
// Mooring, which is not confined, does not follow them.
func readRegular(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s: %w", name, errNotRegular)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s: %w", name, errNotRegular))
	}
	return io.ReadAll(file)
}
