package terraform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// An init works with cache entries to which nothing but its private staging directory leads: until it has ended, no link in a .terraform
// says that they are used. So who uses the cache holds a shared lock on the file beside it, and who removes from it an exclusive one. It is a
// file's lock and not a mutex, because an init may be another process's, and because it ends with the process.
const packagesLock = ".lock" // after the directory's own name

// initLink leads from a view to its .terraform directory, wherever in the view that is.
const initLink = "terraform"

// ErrInitRunning is returned where provider packages could not be collected because at no moment there was no init under way.
var ErrInitRunning = errors.New("inits are under way that may use the provider packages")

// packagesPatience is how long a collection waits for a moment without an init. It must not make the inits wait instead.
const packagesPatience = 5 * time.Second

func (h *Home) lockPackages(how int) (release func(), err error) {
	file, err := os.OpenFile(h.providers+packagesLock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(file.Fd()), how)
	}
	if err != nil {
		_ = file.Close() // only opened
		return nil, err
	}
	return func() { _ = file.Close() }, nil // lets go of the lock
}

// usePackages keeps the provider cache as it is until release, and says where the links to it will be found.
func (s *Session) usePackages() (release func(), err error) {
	if release, err = s.home.lockPackages(unix.LOCK_SH); err != nil {
		return nil, err
	}
	if err := ensureLink(filepath.Join(s.view.home, initLink), s.initDir()); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// linkedPackages returns the cache entries that a .terraform directory leads to, in a view or beside.
func (h *Home) linkedPackages() (map[string]bool, error) {
	initDirs, err := filepath.Glob(filepath.Join(globQuote(h.initDirs), "*", "*"))
	if err != nil {
		return nil, err
	}
	views, err := os.ReadDir(h.views)
	if err != nil {
		return nil, err
	}
	for _, view := range views {
		if !hashedName.MatchString(view.Name()) {
			continue // the links that views share
		}
		home := filepath.Join(h.views, view.Name())
		if dir, err := os.Readlink(filepath.Join(home, initLink)); err == nil {
			initDirs = append(initDirs, dir)
			continue
		}
		found, err := findInitDirs(home) // its last init was before there was such a link
		if err != nil {
			return nil, err
		}
		initDirs = append(initDirs, found...)
	}
	linked := map[string]bool{}
	for _, dir := range initDirs {
		packages, err := installedPackages(filepath.Join(dir, "providers"))
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if target, err := os.Readlink(p.path); err == nil {
				linked[target] = true
			}
		}
	}
	return linked, nil
}

func findInitDirs(view string) (found []string, err error) {
	err = filepath.WalkDir(view, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() && entry.Name() == ".terraform" {
			found = append(found, path)
			return fs.SkipDir
		}
		return err
	})
	return found, err
}

// cacheEntry is one package in the cache.
type cacheEntry struct {
	path string
	used time.Time // when it was last seen in use: the directory's own time
	size int64
}

// CollectProviders removes packages that no .terraform leads to and that were not used since before; and where more must go, the longest
// unused ones until excess bytes are freed. Packages in use are marked as used now. Errors: ErrInitRunning.
func (h *Home) CollectProviders(ctx context.Context, now, before time.Time, excess int64, dryRun bool) (freed Freed, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("collect provider packages: %w", err)
		}
	}()
	linked, err := h.linkedPackages()
	if err != nil {
		return freed, err
	}
	if !dryRun {
		for entry := range linked {
			markUsed(entry, now)
		}
	}
	unused, err := h.unusedPackages(linked)
	if err != nil {
		return freed, err
	}
	chosen := unused[:0]
	for _, e := range unused {
		if e.used.Before(before) || excess > 0 {
			chosen = append(chosen, e)
			excess -= e.size
		}
	}
	if len(chosen) == 0 || dryRun {
		for _, e := range chosen {
			freed.add(e.size)
		}
		return freed, nil
	}
	return h.dropPackages(ctx, chosen)
}

// markUsed notes in a package's own time that it is in use. It only delays the package's end: a time that cannot be set does no harm.
func markUsed(entry string, now time.Time) { _ = os.Chtimes(entry, now, now) }

// unusedPackages lists what nothing leads to, the longest unused first.
func (h *Home) unusedPackages(linked map[string]bool) ([]cacheEntry, error) {
	known, err := installedPackages(h.providers)
	if err != nil {
		return nil, err
	}
	var unused []cacheEntry
	for _, p := range known {
		entries, err := os.ReadDir(p.path)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			path := filepath.Join(p.path, entry.Name())
			if _, ok := hexH1(entry.Name()); !ok || linked[path] {
				continue
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			size, err := Usage(path)
			if err != nil {
				return nil, err
			}
			unused = append(unused, cacheEntry{path, info.ModTime(), size})
		}
	}
	slices.SortFunc(unused, func(a, b cacheEntry) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	return unused, nil
}

// dropPackages removes those of the entries that still nothing leads to when no init is under way.
func (h *Home) dropPackages(ctx context.Context, entries []cacheEntry) (freed Freed, err error) {
	release, err := h.lockPackagesAlone(ctx)
	if err != nil {
		return freed, err
	}
	remove := func() error { return nil }
	err = func() error {
		defer release()
		linked, err := h.linkedPackages()
		if err != nil {
			return err
		}
		var aside []string
		for _, e := range entries {
			if linked[e.path] {
				continue
			}
			// The markers first: without them an entry is only used less.
			aside = append(aside, e.path+".accepted", e.path)
			freed.add(e.size)
		}
		if len(aside) == 0 {
			return nil
		}
		if remove, err = h.putAside(aside...); err != nil {
			return err
		}
		for _, e := range entries {
			h.pruneAbove(e.path)
		}
		return nil
	}()
	if remove != nil {
		err = errors.Join(err, remove()) // inits go on meanwhile
	}
	return freed, err
}

// pruneAbove removes the directories above an entry that have become empty; removing one that has not fails, as it should.
func (h *Home) pruneAbove(entry string) {
	for dir := filepath.Dir(entry); dir != h.providers && os.Remove(dir) == nil; {
		dir = filepath.Dir(dir)
	}
}

// lockPackagesAlone takes the lock in a moment without an init. It never waits in line for it: the inits behind would wait with it.
func (h *Home) lockPackagesAlone(ctx context.Context) (release func(), err error) {
	end := time.After(packagesPatience)
	for {
		release, err := h.lockPackages(unix.LOCK_EX | unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return release, err
		}
		again := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		case <-end:
			again.Stop()
			return nil, ErrInitRunning
		case <-again.C:
		}
	}
}
