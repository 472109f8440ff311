package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mooring-iac/mooring/workspace"
)

// committed is the tree of a commit, below the directory of a working copy. It asks git, as changedSince does: whatever
// way a working copy keeps its objects, git reads them.
type committed struct {
	entries []treeEntry // by path

	mu    sync.Mutex // guards what follows
	batch *blobs     // made by the first read
	start func() (*blobs, error)
}

type treeEntry struct {
	path string
	mode fs.FileMode
	id   string
}

var _ workspace.Tree = (*committed)(nil)

// committedIn lists the files of a commit that are below dir. The context ends the git that reads them.
func committedIn(ctx context.Context, dir, commit string) (*committed, error) {
	// Names are relative to dir and only those below it are listed; a submodule is no file of this repository.
	out, err := git(ctx, dir, "ls-tree", "-r", "-z", commit)
	if err != nil {
		return nil, fmt.Errorf("list the files of %s: %w", commit, err)
	}
	t := &committed{start: func() (*blobs, error) { return readBlobs(ctx, dir) }}
	for line := range strings.SplitSeq(out, "\x00") {
		if line == "" {
			continue
		}
		about, name, ok := strings.Cut(line, "\t")
		fields := strings.Fields(about)
		if !ok || len(fields) != 3 {
			return nil, fmt.Errorf("list the files of %s: git says %q", commit, line)
		}
		if fields[1] != "blob" {
			continue
		}
		t.entries = append(t.entries, treeEntry{name, modeOf(fields[0]), fields[2]})
	}
	slices.SortFunc(t.entries, func(a, b treeEntry) int { return strings.Compare(a.path, b.path) })
	return t, nil
}

func modeOf(git string) fs.FileMode {
	switch git {
	case "120000":
		return fs.ModeSymlink | 0o777
	case "100755":
		return 0o755
	}
	return 0o644
}

func (t *committed) Walk(fn func(path string, mode fs.FileMode, id string) error) error {
	for _, e := range t.entries {
		if err := fn(e.path, e.mode, e.id); err != nil {
			return err
		}
	}
	return nil
}

func (t *committed) ReadFile(p string) ([]byte, error) {
	e, err := t.find(p)
	if err != nil {
		return nil, err
	}
	if !e.mode.IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", p)
	}
	return t.read(e.id)
}

func (t *committed) ReadLink(p string) (string, error) {
	e, err := t.find(p)
	if err != nil {
		return "", err
	}
	if e.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: p, Err: fs.ErrInvalid}
	}
	to, err := t.read(e.id)
	return string(to), err
}

func (t *committed) find(p string) (treeEntry, error) {
	i, ok := slices.BinarySearchFunc(t.entries, path.Clean(p), func(e treeEntry, p string) int { return strings.Compare(e.path, p) })
	if !ok {
		return treeEntry{}, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
	return t.entries[i], nil
}

func (t *committed) read(id string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.batch == nil {
		b, err := t.start()
		if err != nil {
			return nil, err
		}
		t.batch = b
	}
	return t.batch.read(id)
}

// Close ends the git that reads. It may be called of none.
func (t *committed) Close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.batch == nil {
		return nil
	}
	b := t.batch
	t.batch = nil
	return errors.Join(b.in.Close(), b.cmd.Wait())
}

// blobs is one git that hands out the content of many files.
type blobs struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func readBlobs(ctx context.Context, dir string) (*blobs, error) {
	cmd := gitCommand(ctx, dir, "cat-file", "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &blobs{cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

// mostBlob bounds a file that is read, in bytes.
const mostBlob = 64 << 20

// read asks for one object; the answer is a line "ID blob SIZE", the content and a line feed.
func (b *blobs) read(id string) ([]byte, error) {
	if _, err := io.WriteString(b.in, id+"\n"); err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	line, err := b.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[1] != "blob" {
		return nil, fmt.Errorf("read %s: git says %q", id, strings.TrimSpace(line))
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 || size > mostBlob {
		return nil, fmt.Errorf("read %s: it has %s bytes", id, fields[2])
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(b.out, data); err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	return data[:size], nil
}
