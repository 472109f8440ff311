package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"code.gitea.io/sdk/gitea"
)

func (g *giteaForge) pullRequests(ctx context.Context) ([]PullRequest, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	found, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.PullRequest, *gitea.Response, error) {
		// By age: an order that an update does not change.
		return c.ListRepoPullRequests(g.owner, g.name, gitea.ListPullRequestsOptions{ListOptions: o, State: gitea.StateOpen, Sort: "oldest"})
	})
	if err != nil {
		return nil, err
	}
	var all []PullRequest
	for _, pr := range found {
		all = append(all, giteaPull(pr))
	}
	return all, nil
}

func (g *giteaForge) pullRequest(ctx context.Context, number int) (PullRequest, error) {
	c, err := g.client(ctx)
	if err != nil {
		return PullRequest{}, err
	}
	pr, _, err := c.GetPullRequest(g.owner, g.name, int64(number))
	if err != nil {
		return PullRequest{}, err
	}
	return giteaPull(pr), nil
}

func giteaPull(pr *gitea.PullRequest) PullRequest {
	p := PullRequest{
		Number:     int(pr.Index),
		Title:      pr.Title,
		URL:        pr.HTMLURL,
		State:      Open,
		Draft:      pr.Draft,
		Author:     giteaUser(pr.Poster),
		Fork:       true,
		HeadGitRef: fmt.Sprintf("refs/pull/%d/head", pr.Index),
	}
	switch {
	case pr.HasMerged:
		p.State = Merged
		if pr.MergedCommitID != nil {
			p.MergeCommit = *pr.MergedCommitID
		}
	case pr.State != gitea.StateOpen:
		p.State = Closed
	}
	for _, l := range pr.Labels {
		p.Labels = append(p.Labels, l.Name)
	}
	if pr.Base != nil {
		p.Base = pr.Base.Ref
	}
	if pr.Head != nil {
		p.Head, p.HeadRef = pr.Head.Sha, pr.Head.Ref
		// Head.Name is empty where no branch was pushed but refs/for/…, which a person
		// needs no more than read access for.
		p.Fork = pr.Base == nil || pr.Head.RepoID != pr.Base.RepoID || pr.Head.Name == ""
	}
	if pr.Updated != nil {
		p.Updated = *pr.Updated
	}
	if pr.Mergeable {
		p.Mergeable = Yes // false is also what it says while it looks, and of a draft
	}
	return p
}

// reviews are by id, which is the order they were begun in, and each person begins
// one after the other.
func (g *giteaForge) reviews(ctx context.Context, number int) ([]Review, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	found, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.PullReview, *gitea.Response, error) {
		return c.ListPullReviews(g.owner, g.name, int64(number), gitea.ListPullReviewsOptions{ListOptions: o})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *gitea.PullReview) int { return cmp.Compare(a.ID, b.ID) })
	var all []Review
	for _, r := range found {
		review := Review{By: giteaUser(r.Reviewer), Commit: r.CommitID, At: r.Submitted}
		switch r.State {
		case gitea.ReviewStateApproved:
			review.Verdict = Approved
		case gitea.ReviewStateRequestChanges:
			review.Verdict = ChangesRequested
		default:
			continue
		}
		if r.Dismissed {
			review.Verdict = Dismissed
		}
		all = append(all, review)
	}
	return all, nil
}

func (g *giteaForge) merge(ctx context.Context, m MergeRequest) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	style := gitea.MergeStyle(m.Method) // the same words
	if style == "" {
		repository, _, err := c.GetRepo(g.owner, g.name)
		if err != nil {
			return err
		}
		style = cmp.Or(repository.DefaultMergeStyle, gitea.MergeStyleMerge)
	}
	err = g.tryMerge(c, m, style)
	for _, pause := range g.checks {
		if !tryAgain(err) {
			break
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		// One that nobody has worked on for a week is looked at only once it is asked for.
		if _, err := g.pullRequest(ctx, m.Number); err != nil {
			return err
		}
		err = g.tryMerge(c, m, style)
	}
	if errors.Is(err, ErrNotFound) { // also what it says of a closed one
		if pr, asked := g.pullRequest(ctx, m.Number); asked == nil && pr.State == Closed {
			return fmt.Errorf("%w: the pull request is closed", ErrRefused)
		}
	}
	return err
}

func (g *giteaForge) tryMerge(c *gitea.Client, m MergeRequest, style gitea.MergeStyle) error {
	done, _, err := c.MergePullRequest(g.owner, g.name, int64(m.Number), gitea.MergePullRequestOption{Style: style, HeadCommitId: m.Head})
	if err == nil && !done {
		err = fmt.Errorf("%w: it does not say that it merged", ErrRefused)
	}
	return err
}

// tryAgain is true where Gitea has yet to find out whether it can merge, which it
// does anew after every push and every merge that failed. A conflict gets the same
// words, so this is asked a few times and no more.
func tryAgain(err error) bool {
	var said *answerError
	return errors.As(err, &said) && said.status == http.StatusMethodNotAllowed && strings.Contains(said.words, "try again later")
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// young is how old a commit may be while Gitea may not have marked yet what it was
// merged by: the branch moves first, the mark follows when the hooks have run.
const young = 15 * time.Second

func (g *giteaForge) brought(ctx context.Context, commit string) ([]PullRequest, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		pr, _, err := c.GetCommitPullRequest(g.owner, g.name, commit)
		if err == nil {
			return []PullRequest{giteaPull(pr)}, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		// Nothing brought it, or the repository is not shown: not the same thing.
		known, resp, err := c.GetSingleCommit(g.owner, g.name, commit)
		if err != nil {
			return nil, err
		}
		if i == len(g.marks) || !isYoung(known, resp.Response) {
			return nil, nil
		}
		open, _, err := c.ListRepoPullRequests(g.owner, g.name, gitea.ListPullRequestsOptions{
			ListOptions: gitea.ListOptions{PageSize: 1}, State: gitea.StateOpen,
		})
		if err != nil {
			return nil, err
		}
		pause := g.marks[i]
		if len(open) == 0 { // then none is being merged, though one may have been marked meanwhile
			i, pause = len(g.marks)-1, 0
		}
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// isYoung goes by the server's clock, which also wrote the commit if it merged it.
func isYoung(c *gitea.Commit, resp *http.Response) bool {
	now, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || c.RepoCommit == nil || c.RepoCommit.Committer == nil {
		return true
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(c.RepoCommit.Committer.Date))
	return err != nil || now.Sub(at).Abs() < young
}
