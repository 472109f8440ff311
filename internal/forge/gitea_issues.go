package forge

import (
	"context"
	"strings"

	"code.gitea.io/sdk/gitea"
)

func (g *giteaForge) issues(ctx context.Context, by User) ([]Issue, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	found, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.Issue, *gitea.Response, error) {
		return c.ListRepoIssues(g.owner, g.name, gitea.ListIssueOption{ListOptions: o, State: gitea.StateOpen, Type: gitea.IssueTypeIssue, CreatedBy: by.Login})
	})
	if err != nil {
		return nil, err
	}
	var all []Issue
	for _, i := range found {
		if i.PullRequest == nil {
			all = append(all, giteaIssue(i))
		}
	}
	return all, nil
}

func (g *giteaForge) issue(ctx context.Context, number int) (Issue, error) {
	c, err := g.client(ctx)
	if err != nil {
		return Issue{}, err
	}
	i, _, err := c.GetIssue(g.owner, g.name, int64(number))
	if err != nil {
		return Issue{}, err
	}
	if i.PullRequest != nil {
		return Issue{}, ErrNotFound
	}
	return giteaIssue(i), nil
}

func giteaIssue(i *gitea.Issue) Issue {
	issue := Issue{Number: int(i.Index), Title: i.Title, Body: i.Body, URL: i.HTMLURL, State: Open, Author: giteaUser(i.Poster)}
	if i.State != gitea.StateOpen {
		issue.State = Closed
	}
	for _, l := range i.Labels {
		issue.Labels = append(issue.Labels, l.Name)
	}
	return issue
}

func (g *giteaForge) openIssue(ctx context.Context, i Issue) (Issue, error) {
	c, err := g.client(ctx)
	if err != nil {
		return Issue{}, err
	}
	labels, err := g.labels(c, i.Labels)
	if err != nil {
		return Issue{}, err
	}
	made, _, err := c.CreateIssue(g.owner, g.name, gitea.CreateIssueOption{Title: i.Title, Body: i.Body, Labels: labels})
	if err != nil {
		return Issue{}, err
	}
	return giteaIssue(made), nil
}

// labels are the ids of labels of the repository, made where they are missing.
func (g *giteaForge) labels(c *gitea.Client, names []string) ([]int64, error) {
	if len(names) == 0 {
		return nil, nil
	}
	found, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.Label, *gitea.Response, error) {
		return c.ListRepoLabels(g.owner, g.name, gitea.ListLabelsOptions{ListOptions: o})
	})
	if err != nil {
		return nil, err
	}
	known := map[string]int64{}
	for _, l := range found {
		known[strings.ToLower(l.Name)] = l.ID
	}
	var ids []int64
	for _, name := range names {
		id, ok := known[strings.ToLower(name)]
		if !ok {
			made, _, err := c.CreateLabel(g.owner, g.name, gitea.CreateLabelOption{Name: name, Color: "#8a6d3b"})
			if err != nil {
				return nil, err
			}
			id = made.ID
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (g *giteaForge) editIssue(ctx context.Context, number int, title, body string) error {
	return g.change(ctx, number, gitea.EditIssueOption{Title: title, Body: &body})
}

func (g *giteaForge) closeIssue(ctx context.Context, number int) error {
	closed := gitea.StateClosed
	return g.change(ctx, number, gitea.EditIssueOption{State: &closed})
}

func (g *giteaForge) change(ctx context.Context, number int, o gitea.EditIssueOption) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, _, err = c.EditIssue(g.owner, g.name, int64(number), o)
	return err
}

// Issues and pull requests are numbered together and talked about in the same way.
func (g *giteaForge) issueComments(ctx context.Context, number int) ([]Comment, error) {
	return g.comments(ctx, number, 0)
}

func (g *giteaForge) issueComment(ctx context.Context, number int, body string) error {
	_, err := g.comment(ctx, number, body)
	return err
}
