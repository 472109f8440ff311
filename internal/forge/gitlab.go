package forge

import (
	"context"
	"fmt"
	"strconv"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// GitLab takes a note of 1,000,000 characters, which are no fewer bytes.
const gitLabComment = 1_000_000

func (g *gitLab) maxComment() int { return gitLabComment }

func (g *gitLab) self(ctx context.Context) (User, error) {
	u, _, err := g.client.Users.CurrentUser(gitlab.WithContext(ctx))
	if err != nil {
		return User{}, err
	}
	return User{ID: u.ID, Login: u.Username}, nil
}

func (g *gitLab) pullRequests(ctx context.Context) ([]PullRequest, error) {
	opts := &gitlab.ListProjectMergeRequestsOptions{
		State: gitlab.Ptr("opened"), OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("asc"), ListOptions: gitlab.ListOptions{PerPage: perPage},
	}
	var all []PullRequest
	for m, err := range gitlab.Scan2(func(next gitlab.PaginationOptionFunc) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		return g.client.MergeRequests.ListProjectMergeRequests(g.project, opts, gitlab.WithContext(ctx), next)
	}) {
		if err != nil {
			return nil, err
		}
		all = append(all, gitLabPull(m))
	}
	return all, nil
}

func (g *gitLab) pullRequest(ctx context.Context, number int) (PullRequest, error) {
	m, _, err := g.client.MergeRequests.GetMergeRequest(g.project, int64(number), nil, gitlab.WithContext(ctx))
	if err != nil {
		return PullRequest{}, err
	}
	return gitLabPull(&m.BasicMergeRequest), nil
}

// notes lists what was said and done, oldest first.
func (g *gitLab) notes(ctx context.Context, number int) ([]*gitlab.Note, error) {
	opts := &gitlab.ListMergeRequestNotesOptions{OrderBy: gitlab.Ptr("created_at"), Sort: gitlab.Ptr("asc"), ListOptions: gitlab.ListOptions{PerPage: perPage}}
	return gitlab.ScanAndCollect(func(next gitlab.PaginationOptionFunc) ([]*gitlab.Note, *gitlab.Response, error) {
		return g.client.Notes.ListMergeRequestNotes(g.project, int64(number), opts, gitlab.WithContext(ctx), next)
	})
}

// comments leaves out what GitLab itself notes, and notes on lines of the diff.
func (g *gitLab) comments(ctx context.Context, number int, after int64) ([]Comment, error) {
	notes, err := g.notes(ctx, number)
	if err != nil {
		return nil, err
	}
	var all []Comment
	for _, n := range notes {
		if n.ID > after && !n.System && n.Type != gitlab.DiffNote {
			all = append(all, Comment{
				ID:      n.ID,
				By:      User{ID: n.Author.ID, Login: n.Author.Username},
				Body:    n.Body,
				Created: at(n.CreatedAt),
			})
		}
	}
	return all, nil
}

func (g *gitLab) comment(ctx context.Context, number int, body string) (int64, error) {
	n, _, err := g.client.Notes.CreateMergeRequestNote(g.project, int64(number),
		&gitlab.CreateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	return n.ID, nil
}

func (g *gitLab) editComment(ctx context.Context, number int, id int64, body string) error {
	_, _, err := g.client.Notes.UpdateMergeRequestNote(g.project, int64(number), id,
		&gitlab.UpdateMergeRequestNoteOptions{Body: &body}, gitlab.WithContext(ctx))
	return err
}

// react says it once: GitLab answers 404 to a second time, with other words than
// where there is no note.
func (g *gitLab) react(ctx context.Context, number int, comment int64, r Reaction) error {
	_, _, err := g.client.AwardEmoji.CreateMergeRequestAwardEmojiOnNote(g.project, int64(number), comment,
		&gitlab.CreateAwardEmojiOptions{Name: string(r)}, gitlab.WithContext(ctx))
	if said(err, "already been taken") {
		return nil
	}
	return err
}

// brought finds merge requests by a commit of theirs, of their squash and of their
// merge. Where one was squashed, the commits it was made of never came to the base.
func (g *gitLab) brought(ctx context.Context, commit string) ([]PullRequest, error) {
	found, err := gitlab.ScanAndCollect(func(next gitlab.PaginationOptionFunc) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		return g.client.Commits.ListMergeRequestsByCommit(g.project, commit, gitlab.WithContext(ctx), next)
	})
	if err != nil {
		return nil, err
	}
	var all []PullRequest
	for _, m := range found {
		squashed := m.SquashCommitSHA != "" && commit != m.SquashCommitSHA && commit != m.MergeCommitSHA
		if pull := gitLabPull(m); pull.State == Merged && !squashed {
			all = append(all, pull)
		}
	}
	return all, nil
}

// merge leaves the way to the project's settings: GitLab has merge commits or a
// straight history for all of a project, and squashing for each.
func (g *gitLab) merge(ctx context.Context, m MergeRequest) error {
	opts := &gitlab.AcceptMergeRequestOptions{SHA: &m.Head}
	switch m.Method {
	case "merge", "rebase":
		project, _, err := g.client.Projects.GetProject(g.project, nil, gitlab.WithContext(ctx))
		if err != nil {
			return err
		}
		straight := project.MergeMethod == gitlab.FastForwardMerge
		if (m.Method == "rebase") != straight {
			return fmt.Errorf("%w: merge requests of this project are merged by its method %q, not by %s", ErrRefused, project.MergeMethod, m.Method)
		}
		opts.Squash = gitlab.Ptr(false)
	case "squash":
		opts.Squash = gitlab.Ptr(true)
	}
	done, _, err := g.client.MergeRequests.AcceptMergeRequest(g.project, int64(m.Number), opts, gitlab.WithContext(ctx))
	if err != nil {
		return err
	}
	if done.State == "merged" || done.State == "locked" { // locked: it is being merged
		return nil
	}
	if done.MergeError != "" {
		return fmt.Errorf("%w: %s", ErrRefused, line(done.MergeError, maxWords))
	}
	return fmt.Errorf("%w: the merge request is still %s", ErrRefused, strconv.Quote(done.State))
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
