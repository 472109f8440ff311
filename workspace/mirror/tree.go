package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Tree is the files of one commit, read from the mirror without a checkout. It
// needs no closing, and may be used by several goroutines.
type Tree struct {
	m      *Mirror
	commit string
	list   *listing
}

// Tree lists a commit. The listing is made from that of the tree asked for
// before, so that one more commit costs what it changes, whatever the size of
// the repository. A *PathError when the commit holds names that are unsafe.
func (m *Mirror) Tree(commit string) (*Tree, error) {
	m.mu.Lock()
	last := m.last
	m.mu.Unlock()
	var list *listing
	err := m.read(func(r *reader) error {
		root, err := r.treeOf(commit)
		if err != nil {
			return err
		}
		if list, err = listTree(r.tree, last, root); err != nil && last != nil {
			// The tree before may be gone with a mirror that was made again.
			list, err = listTree(r.tree, nil, root)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list commit %s: %w", commit, err)
	}
	m.mu.Lock()
	m.last = list
	m.mu.Unlock()
	return &Tree{m: m, commit: commit, list: list}, nil
}

// Commit is the commit that the tree belongs to.
func (t *Tree) Commit() string { return t.commit }

// Len is the number of files and symlinks, and of what Notes tells of.
func (t *Tree) Len() int { return t.list.len() }

// Walk calls fn for each file and symlink, in byte order of paths. mode is
// 0444 or 0555, with fs.ModeSymlink for links; blob is the hash of the content
// in hex. Submodules and .terraform directories are left out. Nothing is read:
// the paths come from memory, and may be kept at no cost.
func (t *Tree) Walk(fn func(path string, mode fs.FileMode, blob string) error) error {
	for i, k := range t.list.kinds {
		mode, ok := modeOf(k)
		if !ok {
			continue
		}
		if err := fn(t.list.path(i), mode, t.list.ids[i].String()); err != nil {
			return err
		}
	}
	return nil
}

func modeOf(k kind) (fs.FileMode, bool) {
	switch k {
	case kindFile:
		return 0o444, true
	case kindExec:
		return 0o555, true
	case kindLink:
		return 0o777 | fs.ModeSymlink, true
	}
	return 0, false
}

var errIsLink = errors.New("is a symlink")

// ReadFile reads a file. It follows no symlinks. Errors are *fs.PathError, with
// fs.ErrNotExist when there is no such file.
func (t *Tree) ReadFile(path string) ([]byte, error) {
	return t.readLeaf("read", path, func(k kind) error {
		switch k {
		case kindFile, kindExec:
			return nil
		case kindLink:
			return errIsLink
		}
		return fs.ErrNotExist
	})
}

// ReadLink returns the target of a symlink as it is written. Errors are as for
// ReadFile, with fs.ErrInvalid when path is a file.
func (t *Tree) ReadLink(path string) (string, error) {
	target, err := t.readLeaf("readlink", path, func(k kind) error {
		switch k {
		case kindLink:
			return nil
		case kindFile, kindExec:
			return fs.ErrInvalid
		}
		return fs.ErrNotExist
	})
	return string(target), err
}

func (t *Tree) readLeaf(op, path string, allow func(kind) error) ([]byte, error) {
	i := t.list.find(path)
	err := fs.ErrNotExist
	if i >= 0 {
		err = allow(t.list.kinds[i])
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: path, Err: err}
	}
	var content []byte
	err = t.m.read(func(r *reader) error {
		content, err = r.raw(plumbing.BlobObject, t.list.ids[i])
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: path, Err: err}
	}
	return content, nil
}

// Notes says what of the commit is left out, sorted by path.
func (t *Tree) Notes() []Note {
	var notes []Note
	for i, k := range t.list.kinds {
		switch path := t.list.path(i); k {
		case kindModule:
			notes = append(notes, Note{File: path, Message: "submodule ignored: Mooring does not fetch submodules; the directory stays empty"})
		case kindOmitted:
			notes = append(notes, Note{File: strings.TrimSuffix(path, "/"), Message: "committed .terraform directory left out: Mooring makes its own; remove it from the repository"})
		}
	}
	return notes
}
