package forge

import "context"

// backend is one kind of forge. Forge has checked every argument: numbers and ids
// are positive, commits are whole hexadecimal ids, bodies are not empty and no
// longer than maxComment.
//
// A backend speaks through transport.client() alone, which turns every answer of
// 400 and above into an error that already is one of this package's sentinels; a
// backend hands errors on as its client returns them, wrapped or not, and makes
// its own from the sentinels. Forge adds verb and subject and takes secrets out.
type backend interface {
	remedier

	self(ctx context.Context) (User, error)

	// pullRequests lists all open ones, all pages, in any order; doubles are welcome,
	// for lists move while they are read.
	pullRequests(ctx context.Context) ([]PullRequest, error)
	pullRequest(ctx context.Context, number int) (PullRequest, error)
	// reviews lists verdicts only, all pages, the older before the newer of the same
	// person; Forge keeps the last word of each.
	reviews(ctx context.Context, number int) ([]Review, error)

	// comments lists those of the conversation with an id above after, in any order.
	comments(ctx context.Context, number int, after int64) ([]Comment, error)
	comment(ctx context.Context, number int, body string) (int64, error)
	editComment(ctx context.Context, number int, id int64, body string) error
	react(ctx context.Context, number int, comment int64, r Reaction) error
	maxComment() int

	setStatus(ctx context.Context, commit string, s Status) error

	// permissionOf asks by the login and answers with the account that it was told
	// of. ErrNotFound says that nobody is called so.
	permissionOf(ctx context.Context, login string) (User, Permission, error)
	// userByID is the account as it is called now; ErrNotFound where it is gone.
	userByID(ctx context.Context, id int64) (User, error)
	// inTeam compares ids, never names. A team that does not exist is ErrNotFound.
	inTeam(ctx context.Context, team string, u User) (bool, error)

	// brought lists the merged pull requests that the forge ties to a commit; none is
	// no error. Forge takes the one whose MergeCommit it is, else the first.
	brought(ctx context.Context, commit string) ([]PullRequest, error)
	merge(ctx context.Context, m MergeRequest) error
}
