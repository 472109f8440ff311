package mirror

import "fmt"

// maxDepth bounds how deep directories may nest: far beyond any real
// repository, far below what would hurt.
const maxDepth = 256

// change is one path that differs. A side whose kind is 0 does not have it.
type change struct {
	path     string
	from, to entry
}

// treeDiff compares two trees by their objects. Equal subtrees are not read,
// so the cost is that of the directories that changed.
type treeDiff struct {
	read func(id) ([]entry, error) // the entries of a tree
	emit func(change) error        // called in byte order of paths
	// enter, when set, sees each directory of the new side before it is read.
	// false: treat it as one leaf of kindOmitted.
	enter func(path string, e entry) (bool, error)

	trees int // read so far
	leafs int // emitted so far
}

// run compares tree from with tree to; a zero id is the empty tree.
func (d *treeDiff) run(from, to id) error { return d.dirs("", from, to, 0) }

func (d *treeDiff) dirs(prefix string, from, to id, depth int) error {
	if from == to {
		return nil
	}
	if depth > maxDepth {
		return &PathError{Path: prefix, Reason: fmt.Sprintf("directories nest deeper than %d", maxDepth)}
	}
	if d.trees += 2; d.trees > maxFiles {
		return fmt.Errorf("commit holds more than %d directories", maxFiles/2)
	}
	a, err := d.entries(prefix, from)
	if err != nil {
		return err
	}
	b, err := d.entries(prefix, to)
	if err != nil {
		return err
	}
	for len(a) > 0 || len(b) > 0 {
		var left, right entry
		switch {
		case len(b) == 0 || len(a) > 0 && lessEntry(a[0], b[0]):
			left, a = a[0], a[1:]
		case len(a) == 0 || lessEntry(b[0], a[0]):
			right, b = b[0], b[1:]
		default:
			left, right, a, b = a[0], b[0], a[1:], b[1:]
		}
		if left.kind == right.kind && left.id == right.id {
			continue
		}
		if err := d.pair(prefix, left, right, depth); err != nil {
			return err
		}
	}
	return nil
}

// pair handles one key of a directory: the entries have the same name and are
// both directories or both not, or one of them is absent.
func (d *treeDiff) pair(prefix string, left, right entry, depth int) error {
	name := left.name
	if left.kind == 0 {
		name = right.name
	}
	path := prefix + name
	var err error
	if left, err = d.leaf(path, left); err != nil {
		return err
	}
	if right, err = d.leaf(path, right); err != nil {
		return err
	}
	if left.kind == kindTree || right.kind == kindTree {
		return d.dirs(path+"/", left.id, right.id, depth+1)
	}
	if left.kind == kindOmitted || right.kind == kindOmitted {
		path += "/" // where its content would stand in the order of paths
	}
	if d.leafs++; d.leafs > maxFiles {
		return fmt.Errorf("commit holds more than %d files", maxFiles)
	}
	return d.emit(change{path: path, from: left, to: right})
}

// leaf turns a directory that enter declines into one leaf.
func (d *treeDiff) leaf(path string, e entry) (entry, error) {
	if e.kind == 0 || d.enter == nil {
		return e, nil
	}
	ok, err := d.enter(path, e)
	if err != nil {
		return e, err
	}
	if !ok {
		e.kind = kindOmitted
	}
	return e, nil
}

func (d *treeDiff) entries(prefix string, tree id) ([]entry, error) {
	if tree.IsZero() {
		return nil, nil
	}
	entries, err := d.read(tree)
	if err != nil {
		return nil, fmt.Errorf("read directory %q: %w", prefix, err)
	}
	return entries, nil
}

// changedPaths lists the paths at which two trees differ, sorted: the core of
// Changes. A renamed file counts twice, under its old and its new path.
func changedPaths(read func(id) ([]entry, error), from, to id) ([]string, error) {
	var paths []string
	d := treeDiff{read: read, emit: func(c change) error {
		paths = append(paths, c.path)
		return nil
	}}
	if err := d.run(from, to); err != nil {
		return nil, err
	}
	return paths, nil
}
