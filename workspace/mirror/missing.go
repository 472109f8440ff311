package mirror

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// findMissing lists the objects that commit want names, directly or not, and
// that have does not hold. The walk stops wherever have answers: a mirror that
// holds an object holds all that it names. Commits come first, newest first,
// then each one's directories and files.
func findMissing(ctx context.Context, repo *localRepo, have func(id) bool, want id) ([]id, error) {
	f := finder{ctx: ctx, repo: repo, have: have, seen: map[id]struct{}{}}
	trees, err := f.commits(want)
	if err != nil {
		return nil, err
	}
	for _, t := range trees {
		if err := f.tree(t, 0); err != nil {
			return nil, err
		}
	}
	return f.found, nil
}

type finder struct {
	ctx   context.Context
	repo  *localRepo
	have  func(id) bool
	seen  map[id]struct{} // listed already, or found to be had
	found []id
}

// take lists h unless it was looked at before or is not missing.
func (f *finder) take(h id) bool {
	if _, ok := f.seen[h]; ok {
		return false
	}
	f.seen[h] = struct{}{}
	if f.have(h) {
		return false
	}
	f.found = append(f.found, h)
	return true
}

// commits lists missing commits and returns their trees.
func (f *finder) commits(want id) (trees []id, err error) {
	for todo := []id{want}; len(todo) > 0; {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !f.take(h) {
			continue
		}
		if err := f.ctx.Err(); err != nil {
			return nil, err
		}
		obj, err := f.repo.object(plumbing.CommitObject, h)
		if err != nil {
			return nil, err
		}
		c := &object.Commit{}
		if err := c.Decode(obj); err != nil {
			return nil, fmt.Errorf("commit %s: %w", h, err)
		}
		trees = append(trees, c.TreeHash)
		todo = append(todo, c.ParentHashes...)
	}
	return trees, nil
}

func (f *finder) tree(h id, depth int) error {
	if !f.take(h) {
		return nil
	}
	if err := f.ctx.Err(); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("tree %s: directories nest deeper than %d", h, maxDepth)
	}
	raw, err := f.repo.content(plumbing.TreeObject, h)
	if err != nil {
		return err
	}
	entries, err := parseTree(raw)
	if err != nil {
		return fmt.Errorf("tree %s: %w", h, err)
	}
	for _, e := range entries {
		switch e.kind {
		case kindModule: // lives in another repository
		case kindTree:
			if err := f.tree(e.id, depth+1); err != nil {
				return err
			}
		default:
			f.take(e.id)
		}
	}
	return nil
}
