package forge

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/google/go-github/v88/github"
)

const plainFile = "100644" // a file's mode in a tree

// push writes tree and commit, which nobody sees, and then moves the branch to it.
func (g *gitHub) push(ctx context.Context, b Branch) (string, error) {
	base, _, err := g.client.Git.GetCommit(ctx, g.owner, g.name, b.Base)
	if err != nil {
		return "", err
	}
	var entries []*github.TreeEntry
	for _, file := range slices.Sorted(maps.Keys(b.Files)) {
		entry := &github.TreeEntry{Path: github.Ptr(file), Mode: github.Ptr(plainFile), Type: github.Ptr("blob")}
		if content := b.Files[file]; utf8.Valid(content) {
			entry.Content = github.Ptr(string(content))
		} else {
			blob, _, err := g.client.Git.CreateBlob(ctx, g.owner, g.name, github.Blob{
				Content: github.Ptr(base64.StdEncoding.EncodeToString(content)), Encoding: github.Ptr("base64"),
			})
			if err != nil {
				return "", err
			}
			entry.SHA = blob.SHA
		}
		entries = append(entries, entry)
	}
	tree, _, err := g.client.Git.CreateTree(ctx, g.owner, g.name, base.GetTree().GetSHA(), entries)
	if err != nil {
		return "", err
	}
	commit := github.Commit{Message: &b.Message, Tree: &github.Tree{SHA: tree.SHA}, Parents: []*github.Commit{{SHA: &b.Base}}}
	if b.Author.Name != "" {
		commit.Author = &github.CommitAuthor{Name: &b.Author.Name, Email: &b.Author.Email}
	}
	made, _, err := g.client.Git.CreateCommit(ctx, g.owner, g.name, commit, nil)
	if err != nil {
		return "", err
	}
	_, _, err = g.client.Git.CreateRef(ctx, g.owner, g.name, github.CreateRef{Ref: "refs/heads/" + b.Name, SHA: made.GetSHA()})
	if said(err, "already exists") { // 422
		_, _, err = g.client.Git.UpdateRef(ctx, g.owner, g.name, "heads/"+b.Name, github.UpdateRef{SHA: made.GetSHA(), Force: github.Ptr(true)})
	}
	return made.GetSHA(), err
}

func (g *gitHub) deleteBranch(ctx context.Context, name string) error {
	_, err := g.client.Git.DeleteRef(ctx, g.owner, g.name, "heads/"+name)
	if said(err, "does not exist") { // 422
		return restate(ErrNotFound, err)
	}
	return err
}

func (g *gitHub) openPull(ctx context.Context, p Pull) (PullRequest, error) {
	made, _, err := g.client.PullRequests.Create(ctx, g.owner, g.name, &github.NewPullRequest{Title: &p.Title, Head: &p.Head, Base: &p.Base, Body: &p.Body})
	if err != nil {
		return PullRequest{}, err
	}
	pr := gitHubPull(made)
	if len(p.Labels) > 0 {
		// The pull request is there and is found again: without its labels it is as good.
		labels, _, err := g.client.Issues.AddLabelsToIssue(ctx, g.owner, g.name, pr.Number, p.Labels)
		if err == nil {
			pr.Labels = nil
			for _, label := range labels {
				pr.Labels = append(pr.Labels, label.GetName())
			}
		}
	}
	return pr, nil
}

func (g *gitHub) editPull(ctx context.Context, number int, title, body string) error {
	_, _, err := g.client.PullRequests.Edit(ctx, g.owner, g.name, number, &github.PullRequest{Title: &title, Body: &body})
	return err
}

func (g *gitHub) closePull(ctx context.Context, number int) error {
	_, _, err := g.client.PullRequests.Edit(ctx, g.owner, g.name, number, &github.PullRequest{State: github.Ptr("closed")})
	return err
}
