package runner

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// openNow lists what is open for review now, as pulls that only have Seen.
func (v *reviewer) openNow(ctx context.Context, refs mirror.Refs) ([]*pull, error) {
	var all []*pull
	if v.forge != nil {
		listed, err := v.forge.PullRequests(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the pull requests: %w", err)
		}
		for _, pr := range listed {
			if pr.Base == refs.Head.Branch {
				all = append(all, &pull{Repository: v.repo.cfg.Name, ID: pullID(pr.Number), Seen: pr})
			}
		}
	}
	for ref, commit := range refs.All {
		branch, ok := branchOf(ref)
		if !ok || branch == refs.Head.Branch || v.forge != nil && strings.HasPrefix(branch, forge.BranchPrefix) || !matches(v.cfg.Branches, branch) && !(v.forge != nil && inMergeQueue(branch, refs.Head.Branch)) {
			continue
		}
		if !utf8.ValidString(branch) { // no journal could give the name back as it was
			v.sayOdd(branch)
			continue
		}
		all = append(all, &pull{Repository: v.repo.cfg.Name, ID: branchID(branch), Seen: forge.PullRequest{
			Title: branch, State: forge.Open, Head: commit, HeadRef: branch, HeadGitRef: ref, Base: refs.Head.Branch,
		}})
	}
	// Who came first is served first where they want the same locks.
	slices.SortFunc(all, func(a, b *pull) int {
		if n := a.number() - b.number(); n != 0 {
			return n
		}
		return slices.Compare([]byte(a.ID), []byte(b.ID))
	})
	return all, nil
}

// sayOdd logs, once, a branch that cannot be reviewed for its name.
func (v *reviewer) sayOdd(branch string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.odd[branch] {
		v.odd[branch] = true
		v.r.opts.Log.Warn("a review branch is left alone: its name is not UTF-8", "repository", v.repo.cfg.Name, "branch", strconv.Quote(branch))
	}
}

// branchID names a review branch: no pull request's name looks like it.
func branchID(branch string) string { return "branch " + branch }

// inMergeQueue tells the branches on which GitHub's merge queue tries what it is about
// to merge: it waits for the statuses of their commits.
func inMergeQueue(branch, into string) bool {
	return strings.HasPrefix(branch, "gh-readonly-queue/"+into+"/")
}

func branchOf(ref string) (string, bool) {
	const heads = "refs/heads/"
	if len(ref) <= len(heads) || ref[:len(heads)] != heads {
		return "", false
	}
	return ref[len(heads):], true
}

func matches(patterns []string, branch string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, branch)
		return err == nil && ok
	})
}
