package forge

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-github/v88/github"
)

// GitHub takes a comment of 65,536 characters and a status' description of 140.
// Characters are no fewer bytes, so counting bytes is always within.
const (
	gitHubComment     = 65536
	gitHubDescription = 140
	perPage           = 100 // the most that GitHub and GitLab give
)

func (g *gitHub) maxComment() int { return gitHubComment }

// self is the token's account, or the bot account that acts for an App. The latter
// may not ask /user: it is found by the App's name.
func (g *gitHub) self(ctx context.Context) (User, error) {
	if g.app == nil {
		u, _, err := g.client.Users.Get(ctx, "")
		return gitHubUser(u), err
	}
	app, _, err := g.app.Apps.Get(ctx, "")
	if err != nil {
		return User{}, err
	}
	u, _, err := g.client.Users.Get(ctx, url.PathEscape(app.GetSlug()+"[bot]"))
	return gitHubUser(u), err
}

func (g *gitHub) pullRequests(ctx context.Context) ([]PullRequest, error) {
	var all []PullRequest
	opts := &github.PullRequestListOptions{State: "open", Sort: "created", Direction: "asc", ListOptions: github.ListOptions{PerPage: perPage}}
	for p, err := range g.client.PullRequests.ListIter(ctx, g.owner, g.name, opts) {
		if err != nil {
			return nil, err
		}
		all = append(all, gitHubPull(p))
	}
	return all, nil
}

func (g *gitHub) pullRequest(ctx context.Context, number int) (PullRequest, error) {
	p, _, err := g.client.PullRequests.Get(ctx, g.owner, g.name, number)
	if err != nil {
		return PullRequest{}, err
	}
	return gitHubPull(p), nil
}

// reviews come in the order they were made in. One that was dismissed stays in its
// place and says so; a comment alone is no verdict.
func (g *gitHub) reviews(ctx context.Context, number int) ([]Review, error) {
	var all []Review
	for r, err := range g.client.PullRequests.ListReviewsIter(ctx, g.owner, g.name, number, &github.ListOptions{PerPage: perPage}) {
		if err != nil {
			return nil, err
		}
		verdict, ok := map[string]Verdict{
			"APPROVED":          Approved,
			"CHANGES_REQUESTED": ChangesRequested,
			"DISMISSED":         Dismissed,
		}[strings.ToUpper(r.GetState())]
		if by := gitHubUser(r.User); ok && by.ID != 0 {
			all = append(all, Review{By: by, Verdict: verdict, Commit: r.GetCommitID(), At: r.GetSubmittedAt().Time})
		}
	}
	return all, nil
}

func (g *gitHub) comments(ctx context.Context, number int, after int64) ([]Comment, error) {
	var all []Comment
	opts := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: perPage}}
	for c, err := range g.client.Issues.ListCommentsIter(ctx, g.owner, g.name, number, opts) {
		if err != nil {
			return nil, err
		}
		if c.GetID() > after {
			all = append(all, Comment{ID: c.GetID(), By: gitHubUser(c.User), Body: c.GetBody(), Created: c.GetCreatedAt().Time})
		}
	}
	return all, nil
}

func (g *gitHub) comment(ctx context.Context, number int, body string) (int64, error) {
	c, _, err := g.client.Issues.CreateComment(ctx, g.owner, g.name, number, &github.IssueComment{Body: &body})
	return c.GetID(), err
}

func (g *gitHub) editComment(ctx context.Context, _ int, id int64, body string) error {
	_, _, err := g.client.Issues.EditComment(ctx, g.owner, g.name, id, &github.IssueComment{Body: &body})
	return err
}

// react may be said twice: GitHub answers with the reaction that is there.
func (g *gitHub) react(ctx context.Context, _ int, comment int64, r Reaction) error {
	_, _, err := g.client.Reactions.CreateIssueCommentReaction(ctx, g.owner, g.name, comment, string(r))
	return err
}

func (g *gitHub) setStatus(ctx context.Context, commit string, s Status) error {
	state, description := string(s.Check), line(s.Description, gitHubDescription)
	status := github.RepoStatus{State: &state, Context: &s.Context, Description: &description}
	if s.URL != "" {
		status.TargetURL = &s.URL
	}
	_, _, err := g.client.Repositories.CreateStatus(ctx, g.owner, g.name, commit, status)
	return err
}

// brought also finds what GitHub only associates with a commit: an open pull request
// that holds it, and one that it was squashed away in, which did not bring it.
func (g *gitHub) brought(ctx context.Context, commit string) ([]PullRequest, error) {
	var all []PullRequest
	for p, err := range g.client.PullRequests.ListPullRequestsWithCommitIter(ctx, g.owner, g.name, commit, &github.ListOptions{PerPage: perPage}) {
		if said(err, "no commit found") { // 422
			return nil, restate(ErrNotFound, err)
		}
		if err != nil {
			return nil, err
		}
		pull := gitHubPull(p)
		if here := strings.EqualFold(p.GetBase().GetRepo().GetFullName(), g.owner+"/"+g.name); !here || pull.State != Merged {
			continue
		}
		came, err := g.leadsTo(ctx, commit, pull.MergeCommit)
		if err != nil {
			return nil, err
		}
		if came {
			all = append(all, pull)
		}
	}
	return all, nil
}

// leadsTo is true where a commit is an ancestor of another, or the same.
func (g *gitHub) leadsTo(ctx context.Context, commit, other string) (bool, error) {
	if commit == other || other == "" {
		return commit == other, nil
	}
	between, _, err := g.client.Repositories.CompareCommits(ctx, g.owner, g.name, commit, other, &github.ListOptions{PerPage: 1})
	if err != nil {
		return false, err
	}
	return between.GetStatus() == "ahead", nil
}

func (g *gitHub) merge(ctx context.Context, m MergeRequest) error {
	method := m.Method
	if method == "" {
		repository, _, err := g.client.Repositories.Get(ctx, g.owner, g.name)
		if err != nil {
			return err
		}
		method = allowedMethod(repository)
	}
	done, _, err := g.client.PullRequests.Merge(ctx, g.owner, g.name, m.Number, "", &github.PullRequestOptions{SHA: m.Head, MergeMethod: method})
	if err == nil && !done.GetMerged() {
		return fmt.Errorf("%w: %s", ErrRefused, line(done.GetMessage(), maxWords))
	}
	return err
}

// allowedMethod is the first that a repository allows, in the order of GitHub's own
// button; "" where it does not tell.
func allowedMethod(r *github.Repository) string {
	for _, way := range []struct {
		method  string
		allowed *bool
	}{{"merge", r.AllowMergeCommit}, {"squash", r.AllowSquashMerge}, {"rebase", r.AllowRebaseMerge}} {
		if way.allowed != nil && *way.allowed {
			return way.method
		}
	}
	return ""
}
