package forge

import (
	"context"

	"github.com/google/go-github/v88/github"
)

func (g *gitHub) issues(ctx context.Context, by User) ([]Issue, error) {
	opts := &github.IssueListByRepoOptions{
		State: "open", Creator: by.Login, Sort: "created", Direction: "asc", ListOptions: github.ListOptions{PerPage: perPage},
	}
	var all []Issue
	for i, err := range g.client.Issues.ListByRepoIter(ctx, g.owner, g.name, opts) {
		if err != nil {
			return nil, err
		}
		if !i.IsPullRequest() {
			all = append(all, gitHubIssue(i))
		}
	}
	return all, nil
}

func (g *gitHub) issue(ctx context.Context, number int) (Issue, error) {
	i, _, err := g.client.Issues.Get(ctx, g.owner, g.name, number)
	if err != nil {
		return Issue{}, err
	}
	if i.IsPullRequest() {
		return Issue{}, ErrNotFound
	}
	return gitHubIssue(i), nil
}

func gitHubIssue(i *github.Issue) Issue {
	issue := Issue{Number: i.GetNumber(), Title: i.GetTitle(), Body: i.GetBody(), URL: i.GetHTMLURL(), State: Open, Author: gitHubUser(i.User)}
	if i.GetState() == "closed" {
		issue.State = Closed
	}
	for _, label := range i.Labels {
		issue.Labels = append(issue.Labels, label.GetName())
	}
	return issue
}

// openIssue may name labels that are not there yet: GitHub makes them.
func (g *gitHub) openIssue(ctx context.Context, i Issue) (Issue, error) {
	req := &github.IssueRequest{Title: &i.Title, Body: &i.Body}
	if len(i.Labels) > 0 {
		req.Labels = &i.Labels
	}
	made, _, err := g.client.Issues.Create(ctx, g.owner, g.name, req)
	if err != nil {
		return Issue{}, err
	}
	return gitHubIssue(made), nil
}

func (g *gitHub) editIssue(ctx context.Context, number int, title, body string) error {
	_, _, err := g.client.Issues.Edit(ctx, g.owner, g.name, number, &github.IssueRequest{Title: &title, Body: &body})
	return err
}

func (g *gitHub) closeIssue(ctx context.Context, number int) error {
	closed, done := "closed", "completed"
	_, _, err := g.client.Issues.Edit(ctx, g.owner, g.name, number, &github.IssueRequest{State: &closed, StateReason: &done})
	return err
}

// Issues and pull requests are numbered together and talked about in the same way.
func (g *gitHub) issueComments(ctx context.Context, number int) ([]Comment, error) {
	return g.comments(ctx, number, 0)
}

func (g *gitHub) issueComment(ctx context.Context, number int, body string) error {
	_, err := g.comment(ctx, number, body)
	return err
}
