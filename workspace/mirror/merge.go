package mirror

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Merged is what a merge would give.
type Merged struct {
	Commit string // full hash; every method that takes a commit takes it
	// Made says that the commit exists in this mirror alone: it stays until
	// Forget or CollectMerges lets go of it. Otherwise it is base or head.
	Made bool
}

// Merge says what merging head into base would give, as the forge would merge
// it. Where one of them contains the other it is that one: the merge would have
// its tree. Otherwise a commit is made, with base and head as its parents and
// all else given by them, so that any mirror makes the same one, at any time.
//
// Files are merged whole and never guessed at: what one side changed since the
// merge base is taken from it, and what both changed in the same way too. All
// else is a *ConflictError. Other errors: ErrUnknownCommit where the mirror does
// not hold both commits, ErrUnrelated.
func (m *Mirror) Merge(ctx context.Context, base, head string) (Merged, error) {
	var out Merged
	err := m.read(func(r *reader) error {
		ours, err := r.fetchedCommit(base)
		if err != nil {
			return err
		}
		theirs, err := r.fetchedCommit(head)
		if err != nil {
			return err
		}
		bases, err := mergeBases(r.nodes(ctx), ours.Hash, theirs.Hash)
		if err != nil {
			return err
		}
		switch {
		case len(bases) == 0:
			return ErrUnrelated
		case bases[0] == ours.Hash: // contained in head
			out = Merged{Commit: theirs.Hash.String()}
			return nil
		case bases[0] == theirs.Hash:
			out = Merged{Commit: ours.Hash.String()}
			return nil
		}
		out, err = m.store.merge(ctx, r, bases, ours, theirs)
		return err
	})
	if err != nil {
		return Merged{}, fmt.Errorf("merge %s into %s: %w", head, base, err)
	}
	return out, nil
}

// fetchedCommit reads a commit that a remote has. One made by Merge is not taken
// as a side of another merge, which would depend on how long the first is kept.
func (r *reader) fetchedCommit(hash string) (*object.Commit, error) {
	h, err := parseID(hash)
	if err != nil {
		return nil, err
	}
	c, err := r.commit(h)
	if err == nil && !r.fetched(h) {
		return nil, fmt.Errorf("%w: %s was made by a merge, not fetched", ErrUnknownCommit, h)
	}
	return c, err
}

// merge merges two commits that have parted, and keeps what it makes.
func (s *store) merge(ctx context.Context, r *reader, bases []id, ours, theirs *object.Commit) (Merged, error) {
	trees := make([]id, len(bases))
	for i, b := range bases {
		c, err := r.commit(b)
		if err != nil {
			return Merged{}, err
		}
		trees[i] = c.TreeHash
	}
	t := treeMerge{ctx: ctx, read: r.tree, made: map[id]*plumbing.MemoryObject{}}
	root, err := t.run(trees, ours.TreeHash, theirs.TreeHash)
	if err == nil && len(t.conflicts) == 0 {
		doubts := renameDoubts{ctx: ctx, merge: &t, blobs: r}
		err = doubts.run(trees, ours.TreeHash, theirs.TreeHash)
	}
	if err != nil {
		return Merged{}, err
	}
	if len(t.conflicts) > 0 {
		return Merged{}, t.conflict(ours.Hash, theirs.Hash)
	}
	commit, err := mergeCommit(root, ours, theirs)
	if err != nil {
		return Merged{}, err
	}
	objects := []*plumbing.MemoryObject{commit}
	for _, h := range t.order {
		if !r.fetched(h) {
			objects = append(objects, t.made[h])
		}
	}
	if err := s.keepMerge(ctx, objects); err != nil {
		return Merged{}, err
	}
	return Merged{Commit: commit.Hash().String(), Made: true}, nil
}

// What a made commit says besides its parents and its tree. Its hash depends on
// these: changing one makes other commits of the same merges.
const (
	mergeAuthor  = "Mooring"
	mergeEmail   = "mooring@localhost"
	mergeMessage = "What this merge would give\n"
)

func mergeCommit(root id, ours, theirs *object.Commit) (*plumbing.MemoryObject, error) {
	when := ours.Committer.When
	if theirs.Committer.When.After(when) {
		when = theirs.Committer.When
	}
	by := object.Signature{Name: mergeAuthor, Email: mergeEmail, When: when.UTC()}
	c := object.Commit{
		Author: by, Committer: by, Message: mergeMessage,
		TreeHash: root, ParentHashes: []id{ours.Hash, theirs.Hash},
	}
	obj := &plumbing.MemoryObject{}
	if err := c.Encode(obj); err != nil {
		return nil, fmt.Errorf("make a commit: %w", err)
	}
	return obj, nil
}
