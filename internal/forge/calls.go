package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Self is the account that the token belongs to. It is asked once and kept.
func (f *Forge) Self(ctx context.Context) (User, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.self != nil {
		return *f.self, nil
	}
	u, err := f.backend.self(ctx)
	if err == nil && u.ID <= 0 {
		err = errors.New("the forge tells no id")
	}
	if err != nil {
		return User{}, f.explain(err, "ask who the token of %s belongs to", f.repository)
	}
	f.self = &u
	return u, nil
}

// PullRequests are all open ones, the one that was updated last first.
func (f *Forge) PullRequests(ctx context.Context) ([]PullRequest, error) {
	all, err := f.backend.pullRequests(ctx)
	if err != nil {
		return nil, f.explain(err, "list the pull requests of %s", f.repository)
	}
	slices.SortStableFunc(all, func(a, b PullRequest) int {
		return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(b.Number, a.Number))
	})
	seen := map[int]bool{}
	return slices.DeleteFunc(all, func(pr PullRequest) bool {
		double := seen[pr.Number]
		seen[pr.Number] = true
		return double || pr.State != Open
	}), nil
}

// PullRequest is one as it stands now.
func (f *Forge) PullRequest(ctx context.Context, number int) (PullRequest, error) {
	if err := positive(int64(number)); err != nil {
		return PullRequest{}, f.explain(err, "get #%d of %s", number, f.repository)
	}
	pr, err := f.backend.pullRequest(ctx, number)
	if err != nil {
		return PullRequest{}, f.explain(err, "get #%d of %s", number, f.repository)
	}
	return pr, nil
}

// Reviews are the last verdict of each reviewer, oldest first.
func (f *Forge) Reviews(ctx context.Context, number int) ([]Review, error) {
	if err := positive(int64(number)); err != nil {
		return nil, f.explain(err, "list the reviews of #%d of %s", number, f.repository)
	}
	all, err := f.backend.reviews(ctx, number)
	if err != nil {
		return nil, f.explain(err, "list the reviews of #%d of %s", number, f.repository)
	}
	last := map[int64]int{}
	for i, r := range all {
		last[r.By.ID] = i
	}
	var kept []Review
	for i, r := range all {
		if last[r.By.ID] == i {
			kept = append(kept, r)
		}
	}
	slices.SortStableFunc(kept, func(a, b Review) int { return a.At.Compare(b.At) })
	return kept, nil
}

// Comments are those of the conversation with an id above after, oldest first.
func (f *Forge) Comments(ctx context.Context, number int, after int64) ([]Comment, error) {
	if err := positive(int64(number)); err != nil {
		return nil, f.explain(err, "list the comments of #%d of %s", number, f.repository)
	}
	all, err := f.backend.comments(ctx, number, after)
	if err != nil {
		return nil, f.explain(err, "list the comments of #%d of %s", number, f.repository)
	}
	slices.SortFunc(all, func(a, b Comment) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.CompactFunc(all, func(a, b Comment) bool { return a.ID == b.ID })
	return slices.DeleteFunc(all, func(c Comment) bool { return c.ID <= after }), nil
}

// Comment says something below a pull request.
func (f *Forge) Comment(ctx context.Context, number int, body string) (int64, error) {
	err := errors.Join(positive(int64(number)), f.speakable(body))
	if err != nil {
		return 0, f.explain(err, "comment on #%d of %s", number, f.repository)
	}
	id, err := f.backend.comment(ctx, number, body)
	if err != nil {
		return 0, f.explain(err, "comment on #%d of %s", number, f.repository)
	}
	return id, nil
}

// EditComment says something else in a comment that Mooring made. It is ErrNotFound
// where somebody has removed it.
func (f *Forge) EditComment(ctx context.Context, number int, id int64, body string) error {
	err := errors.Join(positive(int64(number)), positive(id), f.speakable(body))
	if err == nil {
		err = f.backend.editComment(ctx, number, id, body)
	}
	return f.explain(err, "edit comment %d on #%d of %s", id, number, f.repository)
}

// React puts an emoji on a comment. To do so again changes nothing.
func (f *Forge) React(ctx context.Context, number int, comment int64, r Reaction) error {
	err := errors.Join(positive(int64(number)), positive(comment))
	if err == nil && r != Seen && r != Sad {
		err = fmt.Errorf("%q is no reaction", r)
	}
	if err == nil {
		err = f.backend.react(ctx, number, comment, r)
	}
	return f.explain(err, "react to comment %d on #%d of %s", comment, number, f.repository)
}

// MaxComment is how many bytes a comment may have.
func (f *Forge) MaxComment() int { return f.backend.maxComment() }

// SetStatus sets a commit's status of one context.
func (f *Forge) SetStatus(ctx context.Context, commit string, s Status) error {
	err := whole(commit)
	switch {
	case err != nil:
	case s.Context == "":
		err = errors.New("the status has no context")
	case s.Check != Pending && s.Check != Success && s.Check != Failure && s.Check != Error:
		err = fmt.Errorf("%q is no state of a status", s.Check)
	default:
		err = f.backend.setStatus(ctx, commit, s)
	}
	return f.explain(err, "set status %s of %s", s.Context, commit)
}

// Permission is what a person may do in the repository now. It is the account's, not
// the name's: a login that belongs to another account by now counts for nothing,
// and one that was renamed is asked for by its id.
func (f *Forge) Permission(ctx context.Context, u User) (Permission, error) {
	if u.ID <= 0 {
		return None, nil
	}
	p, err := f.permission(ctx, u)
	if err != nil {
		return None, f.explain(err, "ask what %s may do in %s", u.Login, f.repository)
	}
	return p, nil
}

func (f *Forge) permission(ctx context.Context, u User) (Permission, error) {
	if strings.Trim(u.Login, ".") != "" {
		who, p, err := f.backend.permissionOf(ctx, u.Login)
		if err == nil && who.ID == u.ID {
			return p, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return None, err
		}
	}
	now, err := f.backend.userByID(ctx, u.ID)
	if errors.Is(err, ErrNotFound) {
		return None, nil // nobody has this id any more
	}
	if err != nil {
		return None, err
	}
	who, p, err := f.backend.permissionOf(ctx, now.Login)
	if err != nil {
		return None, err
	}
	if who.ID != u.ID {
		return None, nil // renamed again meanwhile
	}
	return p, nil
}

// InTeam tells whether a person is in a team, org/team; for GitLab in a group, by
// its path. A team that does not exist, or is not shown, is ErrNotFound.
func (f *Forge) InTeam(ctx context.Context, team string, u User) (bool, error) {
	if u.ID <= 0 {
		return false, nil
	}
	in, err := f.backend.inTeam(ctx, team, u)
	if err != nil {
		return false, f.explain(err, "ask whether %s is in team %s", u.Login, team)
	}
	return in, nil
}

// Brought is the merged pull request that brought a commit onto its base branch,
// whether by a merge, a squash or a rebase; false where the commit was pushed.
// Which branch that was is the pull request's Base.
func (f *Forge) Brought(ctx context.Context, commit string) (PullRequest, bool, error) {
	if err := whole(commit); err != nil {
		return PullRequest{}, false, f.explain(err, "ask what brought %s", commit)
	}
	all, err := f.backend.brought(ctx, commit)
	if err != nil {
		return PullRequest{}, false, f.explain(err, "ask what brought %s to %s", commit, f.repository)
	}
	all = slices.DeleteFunc(all, func(pr PullRequest) bool { return pr.State != Merged })
	if len(all) == 0 {
		return PullRequest{}, false, nil
	}
	i := slices.IndexFunc(all, func(pr PullRequest) bool { return strings.EqualFold(pr.MergeCommit, commit) })
	return all[max(i, 0)], true, nil
}

// Merge merges a pull request while its head is m.Head. It is ErrRefused, with the
// forge's words, where the head is another one or the forge does not want to.
func (f *Forge) Merge(ctx context.Context, m MergeRequest) error {
	err := errors.Join(positive(int64(m.Number)), whole(m.Head))
	switch m.Method {
	case "", "merge", "squash", "rebase":
	default:
		err = errors.Join(err, fmt.Errorf("%q is no way to merge", m.Method))
	}
	if err == nil {
		err = f.backend.merge(ctx, m)
	}
	return f.explain(err, "merge #%d of %s", m.Number, f.repository)
}

func (f *Forge) explain(err error, format string, args ...any) error {
	return explain(f.wire.secrets.hide, err, format, args...)
}

func (f *Forge) speakable(body string) error {
	switch {
	case strings.TrimSpace(body) == "":
		return errors.New("the comment is empty")
	case len(body) > f.backend.maxComment():
		return fmt.Errorf("%w: the comment has %d bytes, the forge takes %d", ErrRefused, len(body), f.backend.maxComment())
	}
	return nil
}

func positive(id int64) error {
	if id <= 0 {
		return fmt.Errorf("%w: %d is no id", ErrNotFound, id)
	}
	return nil
}

// whole is true to a commit's id that is one: it goes into addresses, and an
// abbreviated one may mean another commit tomorrow.
func whole(commit string) error {
	if len(commit) != 40 && len(commit) != 64 || strings.Trim(commit, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is no commit id", commit)
	}
	return nil
}
