package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sync/errgroup"
)

// write writes the tree into dir, an empty directory, through os.Root and with
// O_EXCL: whatever the names in the tree are, no file outside dir is touched
// and none is written twice. Each file is written from its object, never linked
// to another checkout: what a run that should not write did write to one
// checkout must not show up in the next.
func (t *Tree) write(ctx context.Context, dir string) ([]Note, error) {
	if err := t.checkLinks(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	bites, err := umaskBites(root)
	if err != nil {
		return nil, err
	}
	dirs := t.directories()
	for _, d := range dirs {
		if d.path == "." {
			continue
		}
		if err := root.Mkdir(d.path, 0o700); err != nil {
			return nil, err
		}
	}
	w := treeWriter{tree: t, root: root, chmod: bites, notes: make([][]Note, len(dirs))}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, d := range dirs {
		g.Go(func() error { return w.dir(ctx, i, d) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// From below upwards, and only now: a closed directory takes no more files.
	for _, d := range slices.Backward(dirs) {
		if err := root.Chmod(d.path, 0o555); err != nil {
			return nil, err
		}
	}
	notes := append(t.Notes(), slices.Concat(w.notes...)...)
	slices.SortStableFunc(notes, func(a, b Note) int { return strings.Compare(a.File, b.File) })
	return notes, nil
}

// directory is one directory of a tree with the leaves that lie in it directly.
type directory struct {
	path   string // "." for the root
	leaves []int  // indexes into the listing
}

// directories returns all of them, parents before what they hold.
func (t *Tree) directories() []directory {
	dirs := []directory{{path: "."}}
	index := map[string]int{".": 0}
	var add func(p string) int
	add = func(p string) int {
		if i, ok := index[p]; ok {
			return i
		}
		add(path.Dir(p))
		index[p] = len(dirs)
		dirs = append(dirs, directory{path: p})
		return index[p]
	}
	for i, k := range t.list.kinds {
		switch k {
		case kindModule:
			add(t.list.path(i)) // an empty directory, as git leaves it
		case kindOmitted:
			add(path.Dir(strings.TrimSuffix(t.list.path(i), "/")))
		default:
			d := add(path.Dir(t.list.path(i)))
			dirs[d].leaves = append(dirs[d].leaves, i)
		}
	}
	return dirs
}

// treeWriter writes the files of directories, several at a time: each works on
// leaves and a slot of notes of its own.
type treeWriter struct {
	tree  *Tree
	root  *os.Root
	chmod bool // the umask takes from the modes that files are made with
	notes [][]Note
}

// umaskBites tries it out: the umask itself cannot be read without setting it,
// for all goroutines.
func umaskBites(root *os.Root) (bool, error) {
	const probe = ".umask"
	f, err := root.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o555)
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close(), root.Remove(probe)); err != nil {
		return false, err
	}
	return info.Mode().Perm() != 0o555, nil
}

func (w *treeWriter) dir(ctx context.Context, slot int, d directory) error {
	if len(d.leaves) == 0 {
		return nil
	}
	in, err := w.root.OpenRoot(d.path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return w.tree.m.read(func(r *reader) error {
		for _, i := range d.leaves {
			if err := ctx.Err(); err != nil {
				return err
			}
			isLFS, err := w.leaf(r, in, i)
			if err != nil {
				return fmt.Errorf("write %q: %w", w.tree.list.path(i), err)
			}
			if isLFS {
				w.notes[slot] = append(w.notes[slot], Note{
					File:    w.tree.list.path(i),
					Line:    1,
					Message: "Git LFS pointer: Mooring does not fetch LFS content; the file holds the pointer's text",
				})
			}
		}
		return nil
	})
}

func (w *treeWriter) leaf(r *reader, in *os.Root, i int) (isLFS bool, err error) {
	l := w.tree.list
	name := path.Base(l.path(i))
	mode, _ := modeOf(l.kinds[i])
	if l.kinds[i] == kindLink {
		target, err := r.raw(plumbing.BlobObject, l.ids[i])
		if err != nil {
			return false, err
		}
		return false, in.Symlink(string(target), name)
	}
	content, size, err := r.open(plumbing.BlobObject, l.ids[i])
	if err != nil {
		return false, err
	}
	defer func() { _ = content.Close() }()
	f, err := in.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return false, err
	}
	n, sniffed, err := copySniffed(f, content)
	if err == nil && n != size {
		err = damaged(l.ids[i], fmt.Errorf("%d bytes where %d were announced", n, size))
	}
	if err == nil && w.chmod {
		err = f.Chmod(mode)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	return isPointer(sniffed, size), nil
}

// copySniffed copies and returns the first bytes too.
func copySniffed(w io.Writer, r io.Reader) (n int64, head []byte, err error) {
	head = make([]byte, 256)
	k, err := io.ReadFull(r, head)
	head = head[:k]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil, err
	}
	if _, err := w.Write(head); err != nil {
		return 0, nil, err
	}
	if err != nil {
		return int64(k), head, nil
	}
	n, err = io.Copy(w, r)
	return n + int64(k), head, err
}

// isPointer knows Git LFS's pointer files: below 1024 bytes, this first line.
func isPointer(head []byte, size int64) bool {
	return size < 1024 &&
		(bytes.HasPrefix(head, []byte("version https://git-lfs.github.com/spec/v1\n")) ||
			bytes.HasPrefix(head, []byte("version https://hawser.github.com/spec/v1\n")))
}

// checkLinks refuses the tree when symlinks lead out of it; all of them are in
// the error.
func (t *Tree) checkLinks() error {
	links := map[string]string{}
	var paths []string
	for i, k := range t.list.kinds {
		if k != kindLink {
			continue
		}
		p := t.list.path(i)
		target, err := t.ReadLink(p)
		if err != nil {
			return err
		}
		if target == "" || len(target) > maxPath || strings.IndexByte(target, 0) >= 0 {
			return &PathError{Path: p, Reason: "symlink with an empty, too long or binary target"}
		}
		links[p] = target
		paths = append(paths, p)
	}
	var errs []error
	for _, p := range paths {
		if leaves(p, links) {
			errs = append(errs, &EscapeError{Path: p, Target: links[p]})
		}
	}
	return errors.Join(errs...)
}

// removeTree takes a tree out of sight at once, then deletes it.
func removeTree(dir string) error {
	hidden, err := hideTree(dir)
	if err != nil {
		return err
	}
	return destroyTree(hidden)
}

// hideTree gives a tree a name under which nobody uses it; Open deletes it if
// we do not come to it.
func hideTree(dir string) (string, error) {
	parent, name := filepath.Split(dir)
	hidden := filepath.Join(parent, fmt.Sprintf("%s%x-%s", oldCheckout, rand.Uint64(), strings.TrimLeft(name, ".")))
	return hidden, os.Rename(dir, hidden)
}

func destroyTree(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	// Who is not root cannot delete from a directory without write permission.
	err = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return root.Chmod(p, 0o700)
	})
	return errors.Join(err, root.Close(), os.RemoveAll(dir))
}
