package mirror

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// treeMerge merges two trees file by file against the trees of their merge
// bases. A directory that one side left alone is taken from the other unread.
type treeMerge struct {
	ctx  context.Context
	read func(id) ([]entry, error)

	made      map[id]*plumbing.MemoryObject // merged directories
	order     []id                          // of made
	conflicts []string                      // paths
	alike     []alikeEntry                  // what both sides changed in the same way
	grown     []grownDir                    // directories that one side removed and the other added to
	trees     int                           // read so far
}

// alikeEntry is a path at which both sides are equal and some base is not.
type alikeEntry struct {
	path  string
	bases []entry
	now   entry
}

// grownDir is a directory of the bases that is gone from one side.
type grownDir struct {
	path  string
	bases []entry
	gone  side
}

type side int

const (
	sideOurs side = iota
	sideTheirs
)

// run returns the merged root, which means nothing when there are conflicts.
func (t *treeMerge) run(bases []id, ours, theirs id) (id, error) {
	root, err := t.dir("", append(slices.Clone(bases), ours, theirs), 0)
	if err == nil && root.IsZero() {
		root, err = t.put(nil)
	}
	return root, err
}

// dir merges one directory: trees are those of the bases, then ours and theirs,
// zero where one does not have it. The result is zero when nothing is left.
func (t *treeMerge) dir(prefix string, trees []id, depth int) (id, error) {
	if err := t.ctx.Err(); err != nil {
		return id{}, err
	}
	if depth > maxDepth {
		return id{}, &PathError{Path: prefix, Reason: fmt.Sprintf("directories nest deeper than %d", maxDepth)}
	}
	if t.trees += len(trees); t.trees > maxFiles {
		return id{}, fmt.Errorf("the sides differ in more than %d directories", maxFiles/len(trees))
	}
	lists := make([][]entry, len(trees))
	for i, h := range trees {
		if h.IsZero() {
			continue
		}
		var err error
		if lists[i], err = t.read(h); err != nil {
			return id{}, fmt.Errorf("read directory %q: %w", prefix, err)
		}
	}
	var out []entry
	for {
		row, name := nextRow(lists)
		if row == nil {
			break
		}
		e, err := t.entry(prefix+name, row, depth)
		if err != nil {
			return id{}, err
		}
		if e.kind == 0 {
			continue
		}
		if e.kind == kindTree && holdsFile(out, name) {
			t.conflicts = append(t.conflicts, prefix+name) // a file on one side, a directory on the other
			continue
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return id{}, nil
	}
	return t.put(out)
}

// nextRow takes the first entry off each list, where it is the first of all
// lists in Git's order: the same name in each tree, a file or a directory.
func nextRow(lists [][]entry) (row []entry, name string) {
	var first *entry
	for _, l := range lists {
		if len(l) > 0 && (first == nil || lessEntry(l[0], *first)) {
			first = &l[0]
		}
	}
	if first == nil {
		return nil, ""
	}
	row = make([]entry, len(lists))
	for i, l := range lists {
		if len(l) > 0 && compareEntries(l[0], *first) == 0 {
			row[i], lists[i] = l[0], l[1:]
		}
	}
	return row, first.name
}

// entry merges one row. Where the bases differ among themselves there is no
// telling which side has changed it, and only equal sides merge.
func (t *treeMerge) entry(path string, row []entry, depth int) (entry, error) {
	n := len(row) - 2
	bases, ours, theirs := row[:n], row[n], row[n+1]
	agreed := !slices.ContainsFunc(bases, func(b entry) bool { return b != bases[0] })
	switch {
	case ours == theirs:
		if !agreed || bases[0] != ours {
			t.alike = append(t.alike, alikeEntry{path, bases, ours})
		}
		return ours, nil
	case agreed && bases[0] == ours:
		return theirs, nil
	case agreed && bases[0] == theirs:
		return ours, nil
	}
	trees := make([]id, len(row))
	name := ""
	for i, e := range row {
		if e.kind != 0 && e.kind != kindTree {
			t.conflicts = append(t.conflicts, path)
			return entry{}, nil
		}
		if e.kind != 0 {
			trees[i], name = e.id, e.name
		}
	}
	merged, err := t.dir(path+"/", trees, depth+1)
	if err != nil || merged.IsZero() {
		return entry{}, err
	}
	if slices.ContainsFunc(bases, func(b entry) bool { return b.kind != 0 }) {
		switch {
		case ours.kind == 0:
			t.grown = append(t.grown, grownDir{path, bases, sideOurs})
		case theirs.kind == 0:
			t.grown = append(t.grown, grownDir{path, bases, sideTheirs})
		}
	}
	return entry{name: name, kind: kindTree, id: merged}, nil
}

// put makes the object of a directory.
func (t *treeMerge) put(entries []entry) (id, error) {
	obj := &plumbing.MemoryObject{}
	obj.SetType(plumbing.TreeObject)
	if _, err := obj.Write(formatTree(entries)); err != nil {
		return id{}, err
	}
	h := obj.Hash()
	if _, ok := t.made[h]; !ok {
		t.made[h] = obj
		t.order = append(t.order, h)
	}
	return h, nil
}

func (t *treeMerge) conflict(base, head id) *ConflictError {
	slices.Sort(t.conflicts)
	return &ConflictError{Paths: slices.Compact(t.conflicts), Base: base.String(), Head: head.String()}
}
