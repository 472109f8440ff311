package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// Fetch brings a commit, with its whole history, into the mirror: one on which
// any ref of the remote stands (a branch, a pull request's head), or one that the
// watched branch contains. Nothing is done, and nothing asked, when it is there
// already, or was made by Merge. Only what the mirror lacks is transferred, for
// this commit alone and no other ref. What was fetched before stays readable,
// also after a force push.
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
	if err := m.read(func(r *reader) error {
		present = r.has(want)
		return nil
	}); err != nil || present {
		return err
	}
	if err := m.source.pull(ctx, m.store, want, m.remote.Branch); err != nil {
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

func fullHash(s string) (id, bool) {
	if len(s) != 2*len(id{}) || !plumbing.IsHash(s) {
		return id{}, false
	}
	return plumbing.NewHash(s), true
}
