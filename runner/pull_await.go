package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mooring-iac/mooring/internal/forge"
)

const (
	// mergeDelay bounds how long a forge may take from moving the branch to calling
	// the pull request merged. Busy servers have been seen to take seconds.
	mergeDelay = 30 * time.Second
	mergePause = 500 * time.Millisecond
)

// bringer is the pull request that brought a commit to the branch.
func (v *reviewer) bringer(ctx context.Context, commit string) (pr forge.PullRequest, found bool, err error) {
	pr, found, err = v.forge.Brought(ctx, commit)
	if err == nil && !found {
		pr, found, err = v.awaitMerge(ctx, commit)
	}
	return pr, found, err
}

// awaitMerge finds the open pull request that a commit of the branch looks like the
// merge of, and waits until the forge says so. Somebody may have pushed the very same
// files by hand: then the pull request stays open, and the commit is a direct push.
func (v *reviewer) awaitMerge(ctx context.Context, commit string) (pr forge.PullRequest, found bool, err error) {
	known, err := v.r.pulls(v.repo.cfg.Name)
	if err != nil {
		return pr, false, err
	}
	for _, p := range known {
		if p.Ended || p.number() == 0 || !v.looksMerged(ctx, commit, p.Seen.Head) {
			continue
		}
		began := time.Now()
		for {
			pr, err = v.forge.PullRequest(ctx, p.number())
			switch {
			case errors.Is(err, forge.ErrNotFound):
				return pr, false, nil
			case err != nil:
				return pr, false, err
			case pr.State != forge.Open || time.Since(began) > mergeDelay:
				return pr, pr.State == forge.Merged, nil
			}
			timer := time.NewTimer(mergePause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return pr, false, ctx.Err()
			case <-timer.C:
			}
		}
	}
	return pr, false, nil
}

// looksMerged tells whether a commit has the files that merging a head into the commit
// before it gives, by whatever method.
func (v *reviewer) looksMerged(ctx context.Context, commit, head string) bool {
	if commit == head {
		return true
	}
	c, err := v.repo.mirror.Commit(commit)
	if err != nil || len(c.Parents) == 0 || v.repo.mirror.Fetch(ctx, head) != nil {
		return false
	}
	merged, err := v.repo.mirror.Merge(ctx, c.Parents[0], head)
	if err != nil {
		return false
	}
	if left, err := v.repo.mirror.Changes(merged.Commit, commit); err != nil || len(left) > 0 {
		return false
	}
	brought, err := v.repo.mirror.Changes(c.Parents[0], commit)
	return err == nil && len(brought) > 0
}

// isMerged tells whether a pull request brings nothing to the branch because the branch
// has it already: a forge moves the branch first, and calls the pull request merged a
// moment later. What was reviewed of it is not replaced by a plan of nothing.
func (v *reviewer) isMerged(ctx context.Context, p *pull, made *pullPlan) (bool, error) {
	if v.forge == nil || p.number() == 0 {
		return false, nil
	}
	if paths, err := v.repo.mirror.Changes(made.Base, made.Commit); err != nil || len(paths) > 0 {
		return false, err
	}
	since := ""
	if p.Plan != nil {
		since = p.Plan.Base
	}
	for c, n := made.Base, 0; c != since && n < mostCommits; n++ {
		pr, found, err := v.bringer(ctx, c)
		if err != nil {
			return false, fmt.Errorf("ask which pull request brought %s: %w", short(c), err)
		}
		if found && pr.Number == p.number() && pr.State == forge.Merged {
			return true, nil
		}
		commit, err := v.repo.mirror.Commit(c)
		if err != nil || len(commit.Parents) == 0 || since == "" {
			return false, err
		}
		c = commit.Parents[0]
	}
	return false, nil
}
