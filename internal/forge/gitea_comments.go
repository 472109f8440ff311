package forge

import (
	"context"
	"errors"
	"net/http"

	"code.gitea.io/sdk/gitea"
)

// maxComment is what GitHub takes and a text column holds. Gitea has no limit of
// its own, but its pages get slow.
func (g *giteaForge) maxComment() int { return 65535 }

func (g *giteaForge) comments(ctx context.Context, number int, after int64) ([]Comment, error) {
	c, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	found, err := giteaPages(func(o gitea.ListOptions) ([]*gitea.Comment, *gitea.Response, error) {
		return c.ListIssueComments(g.owner, g.name, int64(number), gitea.ListIssueCommentOptions{ListOptions: o})
	})
	if err != nil {
		return nil, g.orGone(ctx, number, err)
	}
	var all []Comment
	for _, said := range found {
		if said.ID > after {
			all = append(all, Comment{ID: said.ID, By: giteaUser(said.Poster), Body: said.Body, Created: said.Created})
		}
	}
	return all, nil
}

func (g *giteaForge) comment(ctx context.Context, number int, body string) (int64, error) {
	c, err := g.client(ctx)
	if err != nil {
		return 0, err
	}
	made, _, err := c.CreateIssueComment(g.owner, g.name, int64(number), gitea.CreateIssueCommentOption{Body: body})
	if err != nil {
		return 0, g.orGone(ctx, number, err)
	}
	return made.ID, nil
}

// orGone finds out what an error of conversations means: Gitea answers 500 where
// there is no such number.
func (g *giteaForge) orGone(ctx context.Context, number int, err error) error {
	var said *answerError
	if errors.As(err, &said) && said.status == http.StatusInternalServerError {
		if _, asked := g.pullRequest(ctx, number); errors.Is(asked, ErrNotFound) {
			return asked
		}
	}
	return err
}

// editComment needs no number: comments are counted through.
func (g *giteaForge) editComment(ctx context.Context, _ int, id int64, body string) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, _, err = c.EditIssueComment(g.owner, g.name, id, gitea.EditIssueCommentOption{Body: body})
	return err
}

func (g *giteaForge) react(ctx context.Context, _ int, comment int64, r Reaction) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, _, err = c.PostIssueCommentReaction(g.owner, g.name, comment, string(r)) // the same words
	return err
}
