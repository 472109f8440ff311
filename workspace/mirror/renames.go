package mirror

import (
	"context"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// renameDoubts finds the paths of a merge without conflicts that Git, for which
// a file that went and one like it that came are a rename, may call a conflict:
// a file that both sides removed and one of them renamed, and a directory that
// one side renamed while the other added to it. It looks only where a merge has
// such a path, and believes in more renames than Git: of several files alike Git
// takes the best, and this any.
type renameDoubts struct {
	ctx   context.Context
	merge *treeMerge
	blobs interface {
		size(id) (int64, error)
		raw(plumbing.ObjectType, id) ([]byte, error)
	}
}

// leaf is a file, symlink or submodule with its full path.
type leaf struct {
	path string
	entry
}

// run appends to the conflicts of the merge.
func (d *renameDoubts) run(bases []id, ours, theirs id) error {
	gone, err := d.goneFromBoth()
	if err != nil || len(gone) == 0 && len(d.merge.grown) == 0 {
		return err
	}
	var added [2][]leaf
	for s, root := range [2]id{ours, theirs} {
		if added[s], err = d.addedSince(bases, root); err != nil {
			return err
		}
	}
	for s := range added {
		alike, err := d.alike(gone, without(added[s], added[1-s]))
		if err != nil {
			return err
		}
		for _, l := range alike {
			d.merge.conflicts = append(d.merge.conflicts, l.path)
		}
	}
	for _, g := range d.merge.grown {
		var had []leaf
		for _, b := range g.bases {
			if b.kind == 0 {
				continue
			}
			if had, err = d.leaves(had, g.path, b, entry{}); err != nil {
				return err
			}
		}
		alike, err := d.alike(had, added[g.gone])
		if err != nil {
			return err
		}
		if len(alike) > 0 {
			d.merge.conflicts = append(d.merge.conflicts, g.path)
		}
	}
	return nil
}

// goneFromBoth lists what a base has and neither side.
func (d *renameDoubts) goneFromBoth() (gone []leaf, err error) {
	for _, a := range d.merge.alike {
		for _, b := range a.bases {
			if b.kind == 0 || b == a.now {
				continue
			}
			if gone, err = d.leaves(gone, a.path, b, a.now); err != nil {
				return nil, err
			}
		}
	}
	return gone, nil
}

// leaves appends what is at path, a file or a directory, in from and not in to.
func (d *renameDoubts) leaves(list []leaf, path string, from, to entry) ([]leaf, error) {
	if from.kind != kindTree {
		if to.kind == 0 {
			list = append(list, leaf{path, from})
		}
		return list, nil
	}
	diff := treeDiff{read: d.read, emit: func(c change) error {
		if c.to.kind == 0 {
			list = append(list, leaf{c.path, c.from})
		}
		return nil
	}}
	return list, diff.dirs(path+"/", from.id, to.id, 0)
}

// addedSince lists what root has and some base has not.
func (d *renameDoubts) addedSince(bases []id, root id) (added []leaf, err error) {
	for _, b := range bases {
		diff := treeDiff{read: d.read, emit: func(c change) error {
			if c.from.kind == 0 {
				added = append(added, leaf{c.path, c.to})
			}
			return nil
		}}
		if err := diff.run(b, root); err != nil {
			return nil, err
		}
	}
	return added, nil
}

func (d *renameDoubts) read(h id) ([]entry, error) {
	if err := d.ctx.Err(); err != nil {
		return nil, err
	}
	return d.merge.read(h)
}

// without returns the leaves of list that other does not have in the same way.
func without(list, other []leaf) []leaf {
	theirs := map[leaf]bool{}
	for _, l := range other {
		theirs[l] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(l leaf) bool { return theirs[l] })
}
