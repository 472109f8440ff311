package mirror

import (
	"fmt"
	"path"
	"sort"
	"strings"
)

// listing is every leaf of one tree, sorted by path, held compactly: about the
// length of the paths plus 25 bytes a file. It is never changed once made. An
// omitted directory is a leaf whose path ends in a slash.
type listing struct {
	root  id
	paths string   // all paths, one after the other
	ends  []uint32 // where each path ends in paths
	kinds []kind
	ids   []id
}

func (l *listing) len() int { return len(l.ends) }

func (l *listing) path(i int) string {
	if i == 0 {
		return l.paths[:l.ends[0]]
	}
	return l.paths[l.ends[i-1]:l.ends[i]]
}

// find returns the index of path, or -1.
func (l *listing) find(path string) int {
	i := l.search(path)
	if i < l.len() && l.path(i) == path {
		return i
	}
	return -1
}

func (l *listing) search(path string) int {
	return sort.Search(l.len(), func(i int) bool { return l.path(i) >= path })
}

// listTree makes the listing of tree root from that of another tree of the
// same repository: only what differs is read. old may be nil. Names that must
// not be written are refused here, so nobody ever sees them.
func listTree(read func(id) ([]entry, error), old *listing, root id) (*listing, error) {
	if old == nil {
		old = &listing{}
	}
	if old.root == root && old.ends != nil {
		return old, nil
	}
	b := listingBuilder{old: old}
	d := treeDiff{read: read, enter: enterSafe, emit: b.add}
	if err := d.run(old.root, root); err != nil {
		return nil, err
	}
	return b.finish(root), nil
}

// enterSafe refuses unsafe names and declines .terraform: what a person
// committed of it by accident would be taken for an initialised directory.
func enterSafe(p string, e entry) (bool, error) {
	if reason := badName(e.name); reason != "" {
		return false, &PathError{Path: p, Reason: reason}
	}
	if len(p) > maxPath {
		return false, &PathError{Path: p[:100] + "…", Reason: fmt.Sprintf("longer than %d bytes", maxPath)}
	}
	return e.kind != kindTree || path.Base(p) != ".terraform", nil
}

// listingBuilder merges an old listing with the changes, both sorted by path.
type listingBuilder struct {
	old   *listing
	next  int // the first leaf of old that is not merged yet
	paths strings.Builder
	ends  []uint32
	kinds []kind
	ids   []id
}

func (b *listingBuilder) add(c change) error {
	b.copyUpTo(b.old.search(c.path))
	if b.next < b.old.len() && b.old.path(b.next) == c.path {
		b.next++
	}
	if c.to.kind != 0 {
		b.put(c.path, c.to.kind, c.to.id)
	}
	return nil
}

func (b *listingBuilder) copyUpTo(end int) {
	for ; b.next < end; b.next++ {
		b.put(b.old.path(b.next), b.old.kinds[b.next], b.old.ids[b.next])
	}
}

func (b *listingBuilder) put(path string, k kind, h id) {
	if b.ends == nil {
		b.ends = make([]uint32, 0, b.old.len()+8)
		b.kinds = make([]kind, 0, b.old.len()+8)
		b.ids = make([]id, 0, b.old.len()+8)
		b.paths.Grow(len(b.old.paths) + 256)
	}
	b.paths.WriteString(path)
	b.ends = append(b.ends, uint32(b.paths.Len()))
	b.kinds = append(b.kinds, k)
	b.ids = append(b.ids, h)
}

func (b *listingBuilder) finish(root id) *listing {
	b.copyUpTo(b.old.len())
	if b.ends == nil {
		b.ends = []uint32{}
	}
	return &listing{root: root, paths: b.paths.String(), ends: b.ends, kinds: b.kinds, ids: b.ids}
}
