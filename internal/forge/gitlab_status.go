package forge

import (
	"context"
	"fmt"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// gitLabShort is what GitLab takes of a status' description, in characters.
const gitLabShort = 255

// setStatus makes a job of the newest pipeline of a commit. A job that is pending
// cannot be made pending again, but can be made running, which then stands for the
// same with newer words; and one that runs already stays as it is.
func (g *gitLab) setStatus(ctx context.Context, commit string, s Status) error {
	states := map[Check][]gitlab.BuildStateValue{
		Pending: {gitlab.Pending, gitlab.Running},
		Success: {gitlab.Success},
		Failure: {gitlab.Failed},
		Error:   {gitlab.Failed},
	}[s.Check]
	if len(states) == 0 {
		return fmt.Errorf("%w: a status is not %q", ErrRefused, s.Check)
	}
	var err error
	for _, state := range states {
		if err = g.postStatus(ctx, commit, s, state); !said(err, "Cannot transition status") {
			return err
		}
	}
	return nil // it says so already
}

// postStatus names no ref, so that GitLab takes the commit's newest pipeline or a
// branch that holds it. A fork's head is on no branch here, only on the ref of its
// merge request.
func (g *gitLab) postStatus(ctx context.Context, commit string, s Status, state gitlab.BuildStateValue) error {
	opts := &gitlab.SetCommitStatusOptions{
		State:       state,
		Name:        &s.Context,
		Description: gitlab.Ptr(line(s.Description, gitLabShort)),
	}
	if s.URL != "" {
		opts.TargetURL = &s.URL
	}
	_, _, err := g.client.Commits.SetCommitStatus(g.project, commit, opts, gitlab.WithContext(ctx))
	if said(err, "References for commit") {
		ref, found := g.refOf(ctx, commit)
		if found != nil {
			return found
		}
		if ref == "" {
			return err
		}
		opts.Ref = &ref
		_, _, err = g.client.Commits.SetCommitStatus(g.project, commit, opts, gitlab.WithContext(ctx))
	}
	if said(err, "is in progress") {
		return restate(ErrUnavailable, err) // somebody else sets one of this commit
	}
	return err
}

// refOf is the ref of the open merge request whose head a commit is; "" is none.
func (g *gitLab) refOf(ctx context.Context, commit string) (string, error) {
	found, err := gitlab.ScanAndCollect(func(next gitlab.PaginationOptionFunc) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		return g.client.Commits.ListMergeRequestsByCommit(g.project, commit, gitlab.WithContext(ctx), next)
	})
	if err != nil {
		return "", err
	}
	for _, m := range found {
		if pull := gitLabPull(m); pull.State == Open && pull.Head == commit {
			return pull.HeadGitRef, nil
		}
	}
	return "", nil
}
