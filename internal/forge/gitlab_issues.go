package forge

import (
	"context"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

func (g *gitLab) issues(ctx context.Context, by User) ([]Issue, error) {
	opts := &gitlab.ListProjectIssuesOptions{
		State: gitlab.Ptr("opened"), AuthorID: &by.ID, Scope: gitlab.Ptr("all"), OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("asc"),
		ListOptions: gitlab.ListOptions{PerPage: perPage},
	}
	found, err := gitlab.ScanAndCollect(func(next gitlab.PaginationOptionFunc) ([]*gitlab.Issue, *gitlab.Response, error) {
		return g.client.Issues.ListProjectIssues(g.project, opts, gitlab.WithContext(ctx), next)
	})
	if err != nil {
		return nil, err
	}
	var all []Issue
	for _, i := range found {
		all = append(all, gitLabIssue(i))
	}
	return all, nil
}

func (g *gitLab) issue(ctx context.Context, number int) (Issue, error) {
	i, _, err := g.client.Issues.GetIssue(g.project, int64(number), gitlab.WithContext(ctx))
	if err != nil {
		return Issue{}, err
	}
	return gitLabIssue(i), nil
}

func gitLabIssue(i *gitlab.Issue) Issue {
	issue := Issue{Number: int(i.IID), Title: i.Title, Body: i.Description, Labels: i.Labels, URL: i.WebURL, State: Open}
	if i.State == "closed" {
		issue.State = Closed
	}
	if i.Author != nil {
		issue.Author = User{ID: i.Author.ID, Login: i.Author.Username}
	}
	return issue
}

// openIssue may name labels that are not there yet: GitLab makes them.
func (g *gitLab) openIssue(ctx context.Context, i Issue) (Issue, error) {
	opts := &gitlab.CreateIssueOptions{Title: &i.Title, Description: &i.Body}
	if len(i.Labels) > 0 {
		opts.Labels = gitlab.Ptr(gitlab.LabelOptions(i.Labels))
	}
	made, _, err := g.client.Issues.CreateIssue(g.project, opts, gitlab.WithContext(ctx))
	if err != nil {
		return Issue{}, err
	}
	return gitLabIssue(made), nil
}

func (g *gitLab) editIssue(ctx context.Context, number int, title, body string) error {
	_, _, err := g.client.Issues.UpdateIssue(g.project, int64(number), &gitlab.UpdateIssueOptions{Title: &title, Description: &body}, gitlab.WithContext(ctx))
	return err
}

func (g *gitLab) closeIssue(ctx context.Context, number int) error {
	_, _, err := g.client.Issues.UpdateIssue(g.project, int64(number), &gitlab.UpdateIssueOptions{StateEvent: gitlab.Ptr("close")}, gitlab.WithContext(ctx))
	return err
}

func (g *gitLab) issueComments(ctx context.Context, number int) ([]Comment, error) {
	opts := &gitlab.ListIssueNotesOptions{OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("asc"), ListOptions: gitlab.ListOptions{PerPage: perPage}}
	notes, err := gitlab.ScanAndCollect(func(next gitlab.PaginationOptionFunc) ([]*gitlab.Note, *gitlab.Response, error) {
		return g.client.Notes.ListIssueNotes(g.project, int64(number), opts, gitlab.WithContext(ctx), next)
	})
	if err != nil {
		return nil, err
	}
	var all []Comment
	for _, n := range notes {
		if !n.System {
			all = append(all, Comment{ID: n.ID, By: User{ID: n.Author.ID, Login: n.Author.Username}, Body: n.Body, Created: at(n.CreatedAt)})
		}
	}
	return all, nil
}

func (g *gitLab) issueComment(ctx context.Context, number int, body string) error {
	_, _, err := g.client.Notes.CreateIssueNote(g.project, int64(number), &gitlab.CreateIssueNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	return err
}
