package forge

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"

	"code.gitea.io/sdk/gitea"
)

// push is one request that commits and then moves the branch. Gitea bases it on a branch, not on a commit: that nothing has changed
// in between the digests of the files say, which it compares. A server before 1.24 does not move a branch that is there: that gets
// another commit instead.
func (g *giteaForge) push(ctx context.Context, b Branch) (string, error) {
	c, err := g.client(ctx)
	if err != nil {
		return "", err
	}
	commit, err := g.commitTo(c, b, b.Base, b.BaseRef, b.Name)
	if said(err, "already exist") {
		return g.commitTo(c, b, b.Name, b.Name, "")
	}
	return commit, err
}

// commitTo writes the files, as they are at one revision, on top of a branch; into a new branch if it has a name.
func (g *giteaForge) commitTo(c *gitea.Client, b Branch, at, from, to string) (string, error) {
	opts := gitea.ChangeFilesOptions{Message: b.Message, Branch: from, NewBranch: to, ForcePush: to != ""}
	opts.Author = gitea.Identity{Name: b.Author.Name, Email: b.Author.Email}
	for _, file := range slices.Sorted(maps.Keys(b.Files)) {
		now, _, err := c.GetContents(g.owner, g.name, at, file)
		if err != nil {
			return "", err
		}
		opts.Files = append(opts.Files, &gitea.ChangeFileOperation{
			Operation: "update", Path: file, SHA: now.SHA, Content: base64.StdEncoding.EncodeToString(b.Files[file]),
		})
	}
	made, _, err := c.ChangeFiles(g.owner, g.name, opts)
	if err != nil {
		return "", err
	}
	if made.Commit == nil {
		return "", nil // Forge says so
	}
	return made.Commit.SHA, nil
}

func (g *giteaForge) deleteBranch(ctx context.Context, name string) error {
	c, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, _, err = c.DeleteRepoBranch(g.owner, g.name, name)
	return err
}

func (g *giteaForge) openPull(ctx context.Context, p Pull) (PullRequest, error) {
	c, err := g.client(ctx)
	if err != nil {
		return PullRequest{}, err
	}
	labels, err := g.labels(c, p.Labels)
	if err != nil {
		return PullRequest{}, err
	}
	made, _, err := c.CreatePullRequest(g.owner, g.name, gitea.CreatePullRequestOption{Head: p.Head, Base: p.Base, Title: p.Title, Body: p.Body, Labels: labels})
	if err != nil {
		return PullRequest{}, err
	}
	return giteaPull(made), nil
}

// editPull goes by way of the issue that a pull request is to Gitea: that leaves its other properties alone.
func (g *giteaForge) editPull(ctx context.Context, number int, title, body string) error {
	return g.change(ctx, number, gitea.EditIssueOption{Title: title, Body: &body})
}

func (g *giteaForge) closePull(ctx context.Context, number int) error {
	return g.closeIssue(ctx, number)
}
