package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// DirTree is a working copy: a directory as it lies, committed or not. What
// .gitignore files and .git/info/exclude leave out, .git and .terraform are not part of it.
type DirTree struct {
	dir string
}

// WorkingCopy opens a directory.
func WorkingCopy(dir string) (*DirTree, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	return &DirTree{dir: abs}, nil
}

// Dir is the absolute path of the working copy.
func (t *DirTree) Dir() string { return t.dir }

// ReadFile reads a regular file; it follows no symbolic link.
func (t *DirTree) ReadFile(p string) ([]byte, error) {
	full, err := t.full(p)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(full)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", p)
	}
	return os.ReadFile(full)
}

// ReadLink answers the target of a symbolic link, as written, with slashes.
func (t *DirTree) ReadLink(p string) (string, error) {
	full, err := t.full(p)
	if err != nil {
		return "", err
	}
	target, err := os.Readlink(full)
	return filepath.ToSlash(target), err
}

func (t *DirTree) full(p string) (string, error) {
	if !fs.ValidPath(p) {
		return "", &fs.PathError{Op: "open", Path: p, Err: fs.ErrInvalid}
	}
	return filepath.Join(t.dir, filepath.FromSlash(p)), nil
}

type walked struct {
	path string
	mode fs.FileMode
	id   string
}

// Walk reads the directories first, several at a time, and then reports in path
// order. The id of a file is its size and modification time; sockets, devices and
// pipes are left out.
func (t *DirTree) Walk(fn func(path string, mode fs.FileMode, id string) error) error {
	var top ignoreStack
	if src, err := os.ReadFile(filepath.Join(t.dir, ".git", "info", "exclude")); err == nil {
		top = append(top, parseIgnore(".", src))
	}
	w := &walk{tree: t, slots: make(chan struct{}, 4)}
	w.group.Go(func() { w.dir(".", top) })
	w.group.Wait()
	if w.err != nil {
		return w.err
	}
	slices.SortFunc(w.found, func(a, b walked) int { return cmp.Compare(a.path, b.path) })
	for i := range w.found {
		if err := fn(w.found[i].path, w.found[i].mode, w.found[i].id); err != nil {
			return err
		}
	}
	return nil
}

type walk struct {
	tree  *DirTree
	slots chan struct{} // directories read at the same time in goroutines of their own
	group sync.WaitGroup

	mu    sync.Mutex // guards found and err
	found []walked
	err   error
}

func (w *walk) dir(dir string, ignores ignoreStack) {
	entries, err := os.ReadDir(filepath.Join(w.tree.dir, filepath.FromSlash(dir)))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && dir != "." {
			return // gone while we looked
		}
		w.fail(err)
		return
	}
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".gitignore" && e.Type().IsRegular() }) {
		src, err := os.ReadFile(filepath.Join(w.tree.dir, filepath.FromSlash(dir), ".gitignore"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.fail(err)
			return
		}
		ignores = append(slices.Clip(ignores), parseIgnore(dir, src))
	}
	found := make([]walked, 0, len(entries))
	for _, e := range entries {
		name := e.Name()
		p := name
		if dir != "." {
			p = dir + "/" + name
		}
		switch {
		case e.IsDir():
			if name == ".git" || name == ".terraform" || ignores.ignored(p, true) {
				continue
			}
			w.below(p, ignores)
		case name == ".git" && dir == ".": // a worktree's pointer
		case e.Type().IsRegular() || e.Type()&fs.ModeSymlink != 0:
			if ignores.ignored(p, false) {
				continue
			}
			info, err := e.Info()
			if err != nil {
				continue // gone while we looked
			}
			found = append(found, walked{p, info.Mode(), fileStamp(info)})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, found...)
}

// below goes down in a new goroutine when there is a slot, else in this one.
func (w *walk) below(dir string, ignores ignoreStack) {
	select {
	case w.slots <- struct{}{}:
		w.group.Go(func() {
			defer func() { <-w.slots }()
			w.dir(dir, ignores)
		})
	default:
		w.dir(dir, ignores)
	}
}

func (w *walk) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func fileStamp(info fs.FileInfo) string {
	var b strings.Builder
	b.WriteString(strconv.FormatInt(info.Size(), 36))
	b.WriteByte('.')
	b.WriteString(strconv.FormatInt(info.ModTime().UnixNano(), 36))
	return b.String()
}
