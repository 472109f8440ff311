package runner

import (
	"context"
	"sync"

	"github.com/mooring-iac/mooring/workspace/mirror"
)

// mirrorCheckouts are the trees that an execution has borrowed, one a commit.
type mirrorCheckouts struct {
	mu    sync.Mutex // guards both
	trees map[string]*mirror.Checkout
	notes []string // what a person should know of the trees: files left out, pointers
}

func (c *mirrorCheckouts) get(ctx context.Context, repo *repository, commit string) (*mirror.Checkout, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t, ok := c.trees[commit]; ok {
		return t, nil
	}
	t, err := repo.checkout(ctx, commit)
	if err != nil {
		return nil, err
	}
	if c.trees == nil {
		c.trees = map[string]*mirror.Checkout{}
	}
	for _, n := range t.Notes {
		c.notes = append(c.notes, joined(n.File, n.Message))
	}
	c.trees[commit] = t
	return t, nil
}

func (c *mirrorCheckouts) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.trees {
		// What cannot be removed now is removed when the mirror is opened next.
		_ = t.Release()
	}
	c.trees = nil
}
