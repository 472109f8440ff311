package forge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FindIssue is the oldest open issue that Mooring's account wrote and whose body has the mark; false where there is none. It is
// how an issue is found again that was opened and not written down.
func (f *Forge) FindIssue(ctx context.Context, marked func(body string) bool) (Issue, bool, error) {
	me, err := f.Self(ctx)
	if err != nil {
		return Issue{}, false, err
	}
	all, err := f.backend.issues(ctx, me)
	if err != nil {
		return Issue{}, false, f.explain(err, "list the issues of %s", f.repository)
	}
	all = slices.DeleteFunc(all, func(i Issue) bool { return i.State != Open || i.Author.ID != me.ID || !marked(i.Body) })
	if len(all) == 0 {
		return Issue{}, false, nil
	}
	return slices.MinFunc(all, func(a, b Issue) int { return a.Number - b.Number }), true, nil
}

// Issue is one as it stands now.
func (f *Forge) Issue(ctx context.Context, number int) (Issue, error) {
	var i Issue
	err := positive(int64(number))
	if err == nil {
		i, err = f.backend.issue(ctx, number)
	}
	if err != nil {
		return Issue{}, f.explain(err, "get issue #%d of %s", number, f.repository)
	}
	return i, nil
}

// OpenIssue opens an issue of title, body and labels; labels that are missing are made. Ask FindIssue first.
func (f *Forge) OpenIssue(ctx context.Context, i Issue) (Issue, error) {
	i.Title = line(i.Title, longestTitle)
	err := errors.Join(titled(i.Title), f.speakable(i.Body))
	var made Issue
	if err == nil {
		made, err = f.backend.openIssue(ctx, i)
	}
	if err != nil {
		return Issue{}, f.explain(err, "open an issue in %s", f.repository)
	}
	return made, nil
}

// EditIssue gives an issue of ours another title and body. It is ErrRefused of an issue that somebody else wrote.
func (f *Forge) EditIssue(ctx context.Context, number int, title, body string) error {
	title = line(title, longestTitle)
	err := errors.Join(positive(int64(number)), titled(title), f.speakable(body))
	if err == nil {
		_, err = f.myIssue(ctx, number)
	}
	if err == nil {
		err = f.backend.editIssue(ctx, number, title, body)
	}
	return f.explain(err, "edit issue #%d of %s", number, f.repository)
}

// CloseIssue says a last word in an issue of ours and closes it. Done again it says nothing twice, and one that is closed is left
// as it is.
func (f *Forge) CloseIssue(ctx context.Context, number int, comment string) error {
	err := errors.Join(positive(int64(number)), f.speakable(comment))
	if err == nil {
		err = f.closeIssue(ctx, number, comment)
	}
	return f.explain(err, "close issue #%d of %s", number, f.repository)
}

func (f *Forge) closeIssue(ctx context.Context, number int, comment string) error {
	i, err := f.myIssue(ctx, number)
	if err != nil || i.State == Closed {
		return err
	}
	said, err := f.backend.issueComments(ctx, number)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(said, func(c Comment) bool {
		return c.By.ID == i.Author.ID && strings.TrimSpace(c.Body) == strings.TrimSpace(comment)
	}) {
		if err := f.backend.issueComment(ctx, number, comment); err != nil {
			return err
		}
	}
	return f.backend.closeIssue(ctx, number)
}

// myIssue is an issue, if Mooring wrote it.
func (f *Forge) myIssue(ctx context.Context, number int) (Issue, error) {
	me, err := f.Self(ctx)
	if err != nil {
		return Issue{}, err
	}
	i, err := f.backend.issue(ctx, number)
	if err == nil && i.Author.ID != me.ID {
		err = fmt.Errorf("%w: somebody else wrote it", ErrRefused)
	}
	return i, err
}

// Push makes a branch of ours one commit on top of its base, whatever it was before, and answers with the commit. Of GitHub and
// GitLab that is b.Base; Gitea takes b.BaseRef as it is now, and refuses where one of the files is another than it was at b.Base.
func (f *Forge) Push(ctx context.Context, b Branch) (string, error) {
	err := b.check()
	var commit string
	if err == nil {
		commit, err = f.backend.push(ctx, b)
	}
	if err == nil && whole(commit) != nil {
		err = fmt.Errorf("%w: it does not tell the commit", ErrUnavailable)
	}
	if err != nil {
		return "", f.explain(err, "push branch %s to %s", b.Name, f.repository)
	}
	return commit, nil
}

// DeleteBranch removes a branch of ours. One that is gone is no error.
func (f *Forge) DeleteBranch(ctx context.Context, name string) error {
	var err error
	if !ours(name) {
		err = fmt.Errorf("%w: it is none of ours", ErrRefused)
	} else if err = f.backend.deleteBranch(ctx, name); errors.Is(err, ErrNotFound) {
		err = nil
	}
	return f.explain(err, "delete branch %s of %s", name, f.repository)
}

// FindPull is the open pull request of a branch of the repository itself; false where there is none.
func (f *Forge) FindPull(ctx context.Context, head string) (PullRequest, bool, error) {
	all, err := f.PullRequests(ctx)
	if err != nil {
		return PullRequest{}, false, err
	}
	i := slices.IndexFunc(all, func(pr PullRequest) bool { return pr.HeadRef == head && !pr.Fork })
	if i < 0 {
		return PullRequest{}, false, nil
	}
	return all[i], true, nil
}

// OpenPull opens a pull request of a branch of ours, or answers with the one that is open already, which it leaves as it is.
func (f *Forge) OpenPull(ctx context.Context, p Pull) (PullRequest, error) {
	p.Title = line(p.Title, longestTitle)
	err := errors.Join(titled(p.Title), f.speakable(p.Body))
	switch {
	case err != nil:
	case !ours(p.Head):
		err = fmt.Errorf("%w: branch %q is none of ours", ErrRefused, p.Head)
	case p.Base == "":
		err = errors.New("the branch to merge it into is not named")
	}
	if err != nil {
		return PullRequest{}, f.explain(err, "open a pull request in %s", f.repository)
	}
	if pr, found, err := f.FindPull(ctx, p.Head); err != nil || found {
		return pr, err
	}
	pr, err := f.backend.openPull(ctx, p)
	if err != nil {
		return PullRequest{}, f.explain(err, "open a pull request of %s in %s", p.Head, f.repository)
	}
	return pr, nil
}

// UpdatePull gives a pull request of one of our branches another title and body.
func (f *Forge) UpdatePull(ctx context.Context, number int, title, body string) error {
	title = line(title, longestTitle)
	err := errors.Join(titled(title), f.speakable(body))
	if err == nil {
		_, err = f.myPull(ctx, number)
	}
	if err == nil {
		err = f.backend.editPull(ctx, number, title, body)
	}
	return f.explain(err, "edit #%d of %s", number, f.repository)
}

// ClosePull closes a pull request of one of our branches without a merge. One that is closed or merged is left as it is.
func (f *Forge) ClosePull(ctx context.Context, number int) error {
	pr, err := f.myPull(ctx, number)
	if err == nil && pr.State == Open {
		err = f.backend.closePull(ctx, number)
	}
	return f.explain(err, "close #%d of %s", number, f.repository)
}

// myPull is a pull request, if it is of a branch of ours.
func (f *Forge) myPull(ctx context.Context, number int) (PullRequest, error) {
	if err := positive(int64(number)); err != nil {
		return PullRequest{}, err
	}
	pr, err := f.backend.pullRequest(ctx, number)
	if err == nil && (pr.Fork || !ours(pr.HeadRef)) {
		err = fmt.Errorf("%w: its branch is none of ours", ErrRefused)
	}
	return pr, err
}

func titled(title string) error {
	if title == "" {
		return errors.New("the title is empty")
	}
	return nil
}
