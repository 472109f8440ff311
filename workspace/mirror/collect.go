package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Freed is what a collection removed: how many things, and the bytes they took on disk.
type Freed struct {
	Removed int
	Bytes   int64
}

func (f *Freed) add(bytes int64) {
	f.Removed++
	f.Bytes += bytes
}

// Dir is where the mirror lies: below the directory that was given to Open.
func (m *Mirror) Dir() string { return m.dir }

// Collect removes checkouts that nobody holds any more, as a process of an
// earlier run that has ended meanwhile leaves one, and a damaged repository that
// was moved aside before the given time. It notes that the mirror is used now.
func (m *Mirror) Collect(now, before time.Time, dryRun bool) (Freed, error) {
	if !dryRun {
		markUsed(m.dir, now)
	}
	freed, err := m.checkouts.collect(dryRun)
	if old, _ := filepath.Glob(filepath.Join(globQuote(m.dir), oldCheckout+"*")); !dryRun { // the pattern is a good one
		for _, name := range old { // of a collection that was killed
			err = errors.Join(err, destroyTree(name))
		}
	}
	aside := filepath.Join(m.dir, asideDir)
	if info, missing := os.Stat(aside); missing == nil && info.ModTime().Before(before) {
		bytes, failed := treeSize(aside)
		if failed == nil && !dryRun {
			failed = removeTree(aside)
		}
		if failed == nil {
			freed.add(bytes)
		}
		err = errors.Join(err, failed)
	}
	if err != nil {
		return freed, fmt.Errorf("collect what is left of the mirror of %s: %w", m.loc.url, err)
	}
	return freed, nil
}

// collect is sweep beside others who hold and make checkouts: what has a name
// that begins with a dot is one that is being made or removed.
func (c *checkouts) collect(dryRun bool) (freed Freed, err error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return freed, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), lockSuffix) {
			continue
		}
		tree, failed := c.hideUnheld(filepath.Join(c.dir, e.Name()), dryRun)
		if tree != "" {
			// The slow part, without holding up others.
			bytes, unknown := treeSize(tree)
			failed = errors.Join(failed, unknown)
			if !dryRun {
				failed = errors.Join(failed, destroyTree(tree))
			}
			if failed == nil {
				freed.add(bytes)
			}
		}
		err = errors.Join(err, failed)
	}
	return freed, err
}

// hideUnheld takes a checkout out of sight and returns where it is now: where it
// was in a dry run, and "" where any process holds it.
func (c *checkouts) hideUnheld(dir string, dryRun bool) (tree string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return "", nil // released meanwhile, with its lock file
	}
	lock, busy := lockAlone(lockOf(dir))
	if busy != nil {
		return "", nil
	}
	defer func() { _ = lock.Close() }() // only opened
	if dryRun {
		return dir, nil
	}
	if tree, err = hideTree(dir); err != nil {
		return "", err
	}
	return tree, os.Remove(lockOf(dir))
}

// RemoveUnused removes the mirror in dir, which nobody has open, where it was
// not used since before and no process holds one of its checkouts. Removed is 0
// where it stays.
func RemoveUnused(dir string, before time.Time, dryRun bool) (freed Freed, err error) {
	info, err := os.Stat(dir)
	if err != nil || !info.ModTime().Before(before) {
		return freed, err
	}
	held, err := filepath.Glob(filepath.Join(globQuote(dir), "checkouts", "*"+lockSuffix))
	if err != nil {
		return freed, err
	}
	for _, name := range held {
		lock, busy := lockAlone(name)
		if busy != nil {
			return freed, nil
		}
		_ = lock.Close() // only opened: nobody opens a checkout of a mirror that nobody has open
	}
	bytes, err := treeSize(dir)
	if err == nil && !dryRun {
		err = removeTree(dir)
	}
	if err != nil {
		return freed, fmt.Errorf("remove the unused mirror %s: %w", dir, err)
	}
	freed.add(bytes)
	return freed, nil
}

// CheckoutUsage is how many bytes the checkouts of the mirror in dir take.
func CheckoutUsage(dir string) (int64, error) { return treeSize(filepath.Join(dir, "checkouts")) }

func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// markUsed notes in a directory's own time that it is used. It only delays the
// directory's end: a time that cannot be set does no harm.
func markUsed(dir string, now time.Time) { _ = os.Chtimes(dir, now, now) }

// treeSize is how many bytes the files below dir take on disk; what goes while
// it is measured takes none.
func treeSize(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = e.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if on, ok := info.Sys().(*syscall.Stat_t); ok {
			total += on.Blocks * 512
		}
		return nil
	})
	return total, err
}
