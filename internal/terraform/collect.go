package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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

// Usage is how many bytes the files below a directory take on disk. What is not there, or goes while it is measured, takes none. A file
// of several names counts only where all of them but this one are gone: removing it here would free nothing.
func Usage(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && (entry.IsDir() || entry.Type().IsRegular()) { // links take next to nothing, and views have thousands
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				if on, ok := info.Sys().(*syscall.Stat_t); ok && (info.IsDir() || on.Nlink == 1) {
					total += on.Blocks * 512
				}
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return total, err
}

// WarmName is the directory name, below views/ and elsewhere, of what is warm for a workspace.
//
// A person recognises the directory in it; backend configuration, which a key may hold, is in the digest alone.
func WarmName(repository, key string) string {
	readable, _, _ := strings.Cut(key, " ")
	return hashName(readable, repository, key)
}

// ReadablePart is the part of a warm name that stands for the key, without the digest.
func ReadablePart(name string) string { return name[:max(0, len(name)-len("-")-24)] }

// SavedPlans lists the plan files on disk, those that are being written included.
func (h *Home) SavedPlans() ([]string, error) {
	entries, err := os.ReadDir(h.plans)
	if err != nil {
		return nil, fmt.Errorf("list saved plans: %w", err)
	}
	var files []string
	for _, entry := range entries {
		files = append(files, filepath.Join(h.plans, entry.Name()))
	}
	return files, nil
}

// PlanOwner is the warm name of the workspace that a plan file belongs to; "" for a file that does not say.
func PlanOwner(file string) string {
	base := filepath.Base(file)
	if i := strings.LastIndexByte(base, '-'); i > 0 && base[0] != '.' {
		return base[:i]
	}
	return ""
}

// EmptyTrash removes what a collection that was killed had put aside already.
func (h *Home) EmptyTrash() error {
	entries, err := os.ReadDir(h.trash)
	for _, entry := range entries {
		err = errors.Join(err, removeAll(filepath.Join(h.trash, entry.Name())))
	}
	return err
}

// putAside moves things out of everybody's sight, each by one rename, and returns what removes them: that may take its time.
func (h *Home) putAside(names ...string) (remove func() error, err error) {
	dir, err := os.MkdirTemp(h.trash, "")
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if failed := os.Rename(name, filepath.Join(dir, fmt.Sprint(i))); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return func() error { return removeAll(dir) }, err
}

// warmPaths are the places of what is warm for a workspace. State is in none of them.
func (h *Home) warmPaths(name string) []string {
	return []string{filepath.Join(h.views, name), filepath.Join(h.initDirs, name), filepath.Join(h.lockFiles, name+".hcl")}
}

// CollectWarm removes views, .terraform directories and kept lock files of the workspaces that are unused. It asks again when nobody
// can open the workspace any more; one that is open is left alone, and so is a view with a state in it that nobody brought home.
func (h *Home) CollectWarm(ctx context.Context, unused func(name string) (bool, error), dryRun bool) (Freed, error) {
	var freed Freed
	names, err := h.warmNames()
	if err != nil {
		return freed, fmt.Errorf("collect workspaces: %w", err)
	}
	var failed error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return freed, errors.Join(failed, err)
		}
		if free, err := unused(name); err != nil || !free {
			failed = errors.Join(failed, err)
			continue
		}
		bytes, removed, err := h.collectWarm(name, unused, dryRun)
		if removed {
			freed.add(bytes)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("collect workspace %s: %w", name, err))
		}
	}
	if !dryRun {
		failed = errors.Join(failed, h.collectLinks())
	}
	return freed, failed
}

func (h *Home) collectWarm(name string, unused func(string) (bool, error), dryRun bool) (bytes int64, removed bool, err error) {
	for _, path := range h.warmPaths(name) {
		size, err := Usage(path)
		if err != nil {
			return 0, false, err
		}
		bytes += size
	}
	remove := func() error { return nil }
	entered, err := h.clear(name, func() error {
		free, err := unused(name)
		if err != nil || !free {
			return err
		}
		if kept, err := holdsState(filepath.Join(h.views, name)); err != nil || kept {
			return err
		}
		removed = true
		if !dryRun {
			remove, err = h.putAside(h.warmPaths(name)...)
		}
		return err
	})
	if !entered || remove == nil {
		return bytes, removed, err
	}
	return bytes, removed, errors.Join(err, remove())
}

// warmNames lists the workspaces that have anything warm.
func (h *Home) warmNames() ([]string, error) {
	var names []string
	for _, dir := range []string{h.views, h.initDirs, h.lockFiles} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if name := strings.TrimSuffix(entry.Name(), ".hcl"); hashedName.MatchString(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// holdsState tells that a view has a state file in it which is in no other place, as a run that was killed may leave one.
func holdsState(view string) (found bool, err error) {
	err = filepath.WalkDir(view, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".terraform": // its terraform.tfstate is about the backend
			return fs.SkipDir
		case entry.Type().IsRegular() && strings.HasSuffix(entry.Name(), ".tfstate"):
			if info, err := entry.Info(); err != nil || info.Size() > 0 {
				found = true
				return fs.SkipAll
			}
		}
		return nil
	})
	return found, err
}

// collectLinks removes the links that no view shares any more. A view that wants one just now makes it again, or one of its own.
func (h *Home) collectLinks() error {
	entries, err := os.ReadDir(h.links)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue
		}
		if on, ok := info.Sys().(*syscall.Stat_t); ok && on.Nlink == 1 && entry.Type()&fs.ModeSymlink != 0 {
			if err := os.Remove(filepath.Join(h.links, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// clear runs f while nobody can open the workspace: who wants to, waits. It does nothing where the workspace is open.
func (h *Home) clear(name string, f func() error) (entered bool, err error) {
	h.mu.Lock()
	if h.open[name] != nil || h.clearing[name] {
		h.mu.Unlock()
		return false, nil
	}
	h.clearing[name] = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.clearing, name)
		h.cleared.Broadcast()
	}()
	return true, f()
}
