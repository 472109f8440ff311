package forge

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// push is one request: the commit, and the branch that is made of it or forced to it.
func (g *gitLab) push(ctx context.Context, b Branch) (string, error) {
	opts := &gitlab.CreateCommitOptions{Branch: &b.Name, StartSHA: &b.Base, CommitMessage: &b.Message, Force: gitlab.Ptr(true)}
	if b.Author.Name != "" {
		opts.AuthorName, opts.AuthorEmail = &b.Author.Name, &b.Author.Email
	}
	for _, file := range slices.Sorted(maps.Keys(b.Files)) {
		opts.Actions = append(opts.Actions, &gitlab.CommitActionOptions{
			Action:   gitlab.Ptr(gitlab.FileUpdate),
			FilePath: gitlab.Ptr(file),
			Content:  gitlab.Ptr(base64.StdEncoding.EncodeToString(b.Files[file])),
			Encoding: gitlab.Ptr("base64"),
		})
	}
	made, _, err := g.client.Commits.CreateCommit(g.project, opts, gitlab.WithContext(ctx))
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

func (g *gitLab) deleteBranch(ctx context.Context, name string) error {
	_, err := g.client.Branches.DeleteBranch(g.project, name, gitlab.WithContext(ctx))
	return err
}

func (g *gitLab) openPull(ctx context.Context, p Pull) (PullRequest, error) {
	opts := &gitlab.CreateMergeRequestOptions{Title: &p.Title, Description: &p.Body, SourceBranch: &p.Head, TargetBranch: &p.Base}
	if len(p.Labels) > 0 {
		opts.Labels = gitlab.Ptr(gitlab.LabelOptions(p.Labels))
	}
	made, _, err := g.client.MergeRequests.CreateMergeRequest(g.project, opts, gitlab.WithContext(ctx))
	if err != nil {
		return PullRequest{}, err
	}
	return gitLabPull(&made.BasicMergeRequest), nil
}

func (g *gitLab) editPull(ctx context.Context, number int, title, body string) error {
	_, _, err := g.client.MergeRequests.UpdateMergeRequest(g.project, int64(number),
		&gitlab.UpdateMergeRequestOptions{Title: &title, Description: &body}, gitlab.WithContext(ctx))
	return err
}

func (g *gitLab) closePull(ctx context.Context, number int) error {
	_, _, err := g.client.MergeRequests.UpdateMergeRequest(g.project, int64(number),
		&gitlab.UpdateMergeRequestOptions{StateEvent: gitlab.Ptr("close")}, gitlab.WithContext(ctx))
	return err
}
