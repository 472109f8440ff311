package runner

import (
	"context"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
)

// attribute finds the pull request of each commit of a chain, newest first. A forge
// knows of a rebase only where it ends: the commits before it count to it back to the
// one from which merging its head gives the same files.
func (v *reviewer) attribute(ctx context.Context, branch string, chain []string) (map[string]string, error) {
	from := map[string]string{}
	for i := 0; i < len(chain); i++ {
		c := chain[i]
		if _, known := from[c]; known {
			continue
		}
		v.mu.Lock()
		id, known := v.brought[c]
		v.mu.Unlock()
		if !known {
			pr, found, err := v.bringer(ctx, c)
			if err != nil {
				return nil, err
			}
			if found && pr.Base == branch { // one that went to another branch brought nothing to this one
				if id, err = v.merged(ctx, pr); err != nil {
					return nil, err
				}
				if !v.brings(ctx, id, c) {
					v.r.opts.Log.Warn("a commit has more than its pull request: it counts as pushed directly", "repository", v.repo.cfg.Name, "commit", short(c), "pull_request", id)
					id = ""
				}
			}
			v.mu.Lock()
			if len(v.brought) >= 10*mostCommits {
				clear(v.brought)
			}
			v.brought[c] = id
			v.mu.Unlock()
		}
		from[c] = id
		if id == "" {
			continue
		}
		for _, covered := range v.rebased(ctx, id, chain[i:]) {
			from[covered] = id
		}
	}
	return from, nil
}

// rebased are the commits of a chain that a rebase made beside its first.
func (v *reviewer) rebased(ctx context.Context, id string, chain []string) []string {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil || v.repo.mirror.Fetch(ctx, p.Seen.Head) != nil {
		return nil // its branch is gone: only the commit that the forge names is its own
	}
	if c, err := v.repo.mirror.Commit(chain[0]); err != nil || len(c.Parents) != 1 {
		return nil // a merge: what it brought is not on the chain
	}
	if p.Plan == nil || p.Plan.Head != p.Seen.Head {
		return nil // nobody knows where the branch stood when it was begun
	}
	covered := 0
	for n, older := range chain[1:min(len(chain), 1+v.commitsOf(p.Seen.Head, chain[0]))] {
		// The head merged into one of its own rebased commits gives the same files too:
		// the oldest one counts.
		if merged, err := v.repo.mirror.Merge(ctx, older, p.Seen.Head); err == nil {
			if paths, err := v.repo.mirror.Changes(merged.Commit, chain[0]); err == nil && len(paths) == 0 {
				covered = n
			}
		}
		if older == p.Plan.Base {
			break // that was there before it, as is everything older: a head that holds it would fit those too
		}
	}
	return chain[1 : 1+covered]
}

// brings tells that a commit of the branch has nothing but what its pull request changes:
// who merges by hand may add what they like, and that came by a direct push. Where it
// cannot be told it is so only if direct pushes are not held.
func (v *reviewer) brings(ctx context.Context, id, commit string) bool {
	unknown := !v.repo.cfg.HoldDirect
	c, err := v.repo.mirror.Commit(commit)
	p, missing := v.r.pull(v.repo.cfg.Name, id)
	if err != nil || missing != nil || len(c.Parents) == 0 || v.repo.mirror.Fetch(ctx, p.Seen.Head) != nil {
		return unknown
	}
	parent := c.Parents[0]
	if merged, err := v.repo.mirror.Merge(ctx, parent, p.Seen.Head); err == nil {
		if paths, err := v.repo.mirror.Changes(merged.Commit, commit); err == nil && len(paths) == 0 {
			return true
		}
	}
	// It was merged line by line, or is one commit of several: then nothing of it lies elsewhere.
	if p.Plan == nil || p.Plan.Head != p.Seen.Head || p.Plan.Commit == "" {
		return unknown
	}
	own, err := v.repo.mirror.Changes(p.Plan.Base, p.Plan.Commit)
	if err != nil {
		return unknown
	}
	paths, err := v.repo.mirror.Changes(parent, commit)
	return err == nil && !slices.ContainsFunc(paths, func(path string) bool { return !slices.Contains(own, path) })
}

// commitsOf is how many commits a head has that a commit of the branch does not.
func (v *reviewer) commitsOf(head, branch string) int {
	for n := range mostCommits {
		if here, err := v.repo.mirror.IsAncestor(head, branch); err != nil || here {
			return n
		}
		c, err := v.repo.mirror.Commit(head)
		if err != nil || len(c.Parents) == 0 {
			return n
		}
		head = c.Parents[0]
	}
	return mostCommits
}

// merged takes in that a pull request was merged, where the look has not seen it yet.
func (v *reviewer) merged(ctx context.Context, pr forge.PullRequest) (string, error) {
	id := pullID(pr.Number)
	v.looking.Lock()
	defer v.looking.Unlock()
	known, err := v.r.pull(v.repo.cfg.Name, id)
	switch {
	case errors.Is(err, errNoPull):
		p := &pull{Repository: v.repo.cfg.Name, ID: id, Seen: pr, Ended: true}
		return id, v.r.journal.update(func(tx *bbolt.Tx) error { return putPull(tx, p) })
	case err != nil:
		return "", err
	case known.Ended && known.Seen.State == forge.Merged:
		return id, nil
	}
	if err := v.hearReviews(ctx, id); err != nil {
		return "", err
	}
	return id, v.end(id, pr)
}
