package forge

import "context"

// remedier is what a backend does about drift. Forge has checked what it is given: issues are our own, and so are branches and the
// pull requests of them.
type remedier interface {
	// issues lists the open ones that an account wrote, all pages; others do no harm.
	issues(ctx context.Context, by User) ([]Issue, error)
	issue(ctx context.Context, number int) (Issue, error)
	openIssue(ctx context.Context, i Issue) (Issue, error)
	editIssue(ctx context.Context, number int, title, body string) error
	closeIssue(ctx context.Context, number int) error
	issueComments(ctx context.Context, number int) ([]Comment, error)
	issueComment(ctx context.Context, number int, body string) error

	// push makes a branch anew, or moves it whatever it was: nobody sees half of it.
	push(ctx context.Context, b Branch) (commit string, err error)
	deleteBranch(ctx context.Context, name string) error
	openPull(ctx context.Context, p Pull) (PullRequest, error)
	editPull(ctx context.Context, number int, title, body string) error
	closePull(ctx context.Context, number int) error
}
