package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// Fetch brings a commit, with its whole history, into the mirror. Nothing is
// done, and nothing asked, when it is there already. Only what the mirror
// lacks is transferred, for this commit alone and no other ref. What was
// fetched before stays readable, also after a force push.
//
// Errors are *RemoteError as for Poll; ErrGone when the remote has moved on
// and no longer offers the commit.
func (m *Mirror) Fetch(ctx context.Context, commit string) error {
	want, err := parseID(commit)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", m.loc.url, err)
	}
	select {
	case m.fetching <- struct{}{}:
		defer func() { <-m.fetching }()
	case <-ctx.Done():
		return m.remoteError(ctx, "fetch", ctx.Err())
	}
	if m.damage.Load() {
		if err := m.rebuild(ErrDamaged); err != nil {
			return fmt.Errorf("fetch %s: make the mirror again: %w", m.loc.url, err)
		}
	}
	var present bool
	var have []id
	if err := m.read(func(r *reader) error {
		if present = r.has(want); present {
			return nil
		}
		have, err = haves(m.store.dir, r)
		return err
	}); err != nil || present {
		return err
	}
	if err := m.source.pull(ctx, m.store, want, m.remote.Branch, have); err != nil {
		_ = removeTmpPacks(m.store.dir) // only space; Open tries again
		return m.remoteError(ctx, "fetch", err)
	}
	if err := m.read(func(r *reader) error { return verify(r, want) }); err != nil {
		return m.remoteError(ctx, "fetch", err)
	}
	if err := addTip(m.store.dir, want); err != nil {
		return fmt.Errorf("fetch %s: record %s: %w", m.loc.url, commit, err)
	}
	if err := m.compact(ctx); err != nil {
		// What was asked for is here all the same.
		m.note(Note{Message: fmt.Sprintf("packs of the mirror of %s could not be combined: %v", m.loc.url, err)})
	}
	return nil
}

// verify sees that what was asked for has come.
func verify(r *reader, want id) error {
	c, err := r.commit(want)
	if errors.Is(err, ErrUnknownCommit) {
		return ErrGone
	}
	if err != nil {
		return err
	}
	_, err = r.tree(c.TreeHash)
	return err
}

// maxHaves bounds what is said to the remote of what is here: 50 bytes each.
const maxHaves = 256

// haves picks commits that the remote probably knows: the tips fetched last,
// then ancestors of the newest in gaps that double, so that a branch which was
// rewritten far back still meets a common commit within one request.
func haves(dir string, r *reader) ([]id, error) {
	tips, err := readTips(dir)
	if err != nil {
		return nil, err
	}
	seen := map[id]bool{}
	var list []id
	add := func(h id) {
		if !seen[h] && len(list) < maxHaves {
			seen[h] = true
			list = append(list, h)
		}
	}
	for _, t := range tips {
		add(t)
	}
	if len(tips) == 0 {
		return nil, nil
	}
	const near = 64 // commits named without gaps
	next, gap := 1, 1
	for i, h := 0, tips[0]; len(list) < maxHaves; i++ {
		if i == next {
			add(h)
			if i > near {
				gap *= 2
			}
			next += gap
		}
		if i > maxHistoryWalk {
			break
		}
		c, err := r.commit(h)
		if err != nil {
			return nil, err
		}
		if len(c.ParentHashes) == 0 {
			add(h)
			break
		}
		h = c.ParentHashes[0]
	}
	return list, nil
}

// maxHistoryWalk bounds how far haves looks back, in commits. A branch that was
// rewritten further back is fetched whole.
const maxHistoryWalk = 1000

func fullHash(s string) (id, bool) {
	if len(s) != 2*len(id{}) || !plumbing.IsHash(s) {
		return id{}, false
	}
	return plumbing.NewHash(s), true
}
