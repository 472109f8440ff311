package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNotBuilt tells that a part is not in the cache and that it was not allowed to build it.
var ErrNotBuilt = errors.New("part is not built")

// part is one thing in the cache.
type part struct {
	name    string
	version string // of what it is built from; part of the directory's name
	about   string // what a person is told while it is built, after "building "
	build   func(ctx context.Context, log io.Writer, dir string) error
}

// find returns the directory of a part that is already there.
func (p part) find() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, p.name+"-"+p.version)
	switch _, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s %s: %w", p.name, p.version, ErrNotBuilt)
	case err != nil:
		return "", fmt.Errorf("look for %s: %w", p.name, err)
	}
	return dir, nil
}

// ensure returns the directory of a part and builds it first when it is not there. Progress goes to log.
func (p part) ensure(ctx context.Context, log io.Writer) (string, error) {
	dir, err := p.find()
	if !errors.Is(err, ErrNotBuilt) {
		return dir, err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make cache: %w", err)
	}
	unlock, err := lock(ctx, log, filepath.Join(cache, "lock"))
	if err != nil {
		return "", fmt.Errorf("build %s: %w", p.name, err)
	}
	defer unlock()
	dir, err = p.find() // another process may have built it while we waited
	if !errors.Is(err, ErrNotBuilt) {
		return dir, err
	}
	return p.publish(ctx, log, cache)
}

// publish builds a part in a directory of its own and gives it its name when it is whole. The caller holds the lock, so
// every unfinished directory found here is one that a killed process left.
func (p part) publish(ctx context.Context, log io.Writer, cache string) (string, error) {
	dir := filepath.Join(cache, p.name+"-"+p.version)
	unfinished := filepath.Join(cache, "unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return "", fmt.Errorf("clear unfinished build: %w", err)
	}
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return "", fmt.Errorf("make build directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(unfinished) }()

	begin := time.Now()
	fmt.Fprintf(log, "building %s, into %s\n", p.about, dir)
	if err := p.build(ctx, log, unfinished); err != nil {
		return "", fmt.Errorf("build %s: %w", p.name, err)
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return "", fmt.Errorf("publish %s: %w", p.name, err)
	}
	fmt.Fprintf(log, "built %s in %.0f s\n", p.name, time.Since(begin).Seconds())
	return dir, nil
}

// cacheDir is where parts are kept.
func cacheDir() (string, error) {
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home := os.Getenv("HOME")
		if home == "" {
			return "", errors.New("find cache: neither XDG_CACHE_HOME nor HOME is set")
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "mooring-e2e"), nil
}

// lock waits until this process alone holds the lock file.
func lock(ctx context.Context, log io.Writer, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	unlock = func() { _ = file.Close() }
	tick := time.NewTicker(200 * time.Millisecond) // flock has no way to wait with a context
	defer tick.Stop()
	for told := false; ; told = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return unlock, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			unlock()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !told {
			fmt.Fprintln(log, "waiting for another process that builds parts")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			unlock()
			return nil, fmt.Errorf("wait for another build: %w", ctx.Err())
		}
	}
}

// found returns a function that gives the path of a file of a part, "" for its directory, if the part is there.
func (p part) found(file string) func() (string, error) {
	return func() (string, error) {
		dir, err := p.find()
		if err != nil {
			return "", err
		}
		return filepath.Join(dir, file), nil
	}
}
