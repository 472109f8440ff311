package forge

import (
	"errors"
	"fmt"
	"time"
)

// Kind is which forge it is.
type Kind string

// The kinds.
const (
	Gitea  Kind = "gitea" // and Forgejo
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
)

// Config says where a repository is reviewed and who Mooring is there.
type Config struct {
	Kind       Kind
	URL        string // the forge's root, https://git.example.com; "" is github.com or gitlab.com, an error for Gitea
	Repository string // owner/name; of GitLab group/subgroup/name
	Token      string // personal, project or bot token; not with App
	App        *App   // of GitHub: an App instead of a token
	CABundle   []byte // PEM certificates trusted beside the system's
	UserAgent  string
	Now        func() time.Time // nil is time.Now
}

// App is a GitHub App. Its tokens live an hour and are renewed before they end.
type App struct {
	ID           int64
	Installation int64  // 0 asks the forge for the repository's
	PrivateKey   []byte // PEM
}

// User is an account. Permission is decided by ID: names can be given away.
type User struct {
	ID    int64
	Login string
}

// State is where a pull request stands.
type State string

// The states.
const (
	Open   State = "open"
	Merged State = "merged"
	Closed State = "closed" // without a merge
)

// PullRequest is one request to merge, as the forge has it now.
type PullRequest struct {
	Number  int
	Title   string
	URL     string // its page
	State   State
	Draft   bool
	Labels  []string
	Author  User
	Head    string // commit
	HeadRef string // branch name
	Fork    bool   // the head is another repository's: who pushes there may not push here
	Base    string // branch name
	Updated time.Time

	// MergeCommit is the commit on the base branch that it became, where State is
	// Merged: of a rebase the last one.
	MergeCommit string
	// HeadGitRef is the ref of the base repository that holds the head, forks
	// included: refs/pull/7/head, refs/merge-requests/7/head.
	HeadGitRef string
	// Mergeable is what the forge says of a merge now.
	Mergeable Answer
}

// Answer is yes, no or not known; the zero value is not known.
type Answer int

// The answers.
const (
	Unknown Answer = iota
	Yes
	No
)

// Verdict is what a reviewer said.
type Verdict string

// The verdicts. A comment alone is none.
const (
	Approved         Verdict = "approved"
	ChangesRequested Verdict = "changes_requested"
	Dismissed        Verdict = "dismissed" // taken back, or made stale by the forge
)

// Review is what one person said last of a pull request. Only the last word of
// each reviewer is listed.
type Review struct {
	By      User
	Verdict Verdict
	Commit  string // the head it was said of; "" where the forge does not tell: then it is bound to no head
	At      time.Time
}

// Comment is one comment of a pull request's conversation.
type Comment struct {
	ID      int64
	By      User
	Body    string
	Created time.Time
}

// Permission is what a person may do in the repository, from less to more. The
// zero value is nothing.
type Permission int

// The permissions.
const (
	None Permission = iota
	Read
	Write // push, approve, merge
	Admin
)

func (p Permission) String() string {
	return [...]string{"none", "read", "write", "admin"}[min(max(p, None), Admin)]
}

// Check is the state of a commit status.
type Check string

// The checks.
const (
	Pending Check = "pending"
	Success Check = "success"
	Failure Check = "failure" // the change is not good
	Error   Check = "error"   // Mooring could not tell
)

// Status is one commit status.
type Status struct {
	Context     string // mooring/plan
	Check       Check
	Description string // cut to what the forge takes
	URL         string // "" is none
}

// Reaction is an emoji on a comment.
type Reaction string

// The reactions.
const (
	Seen Reaction = "eyes"
	Sad  Reaction = "confused"
)

// MergeRequest says what to merge. The forge merges only while Head is the head.
type MergeRequest struct {
	Number int
	Head   string
	Method string // merge, squash or rebase; "" is the forge's default for the repository
}

// What can go wrong, to be asked with errors.Is. Everything else is not worth
// another try.
var (
	ErrNotFound    = errors.New("the forge does not have it, or does not show it to this token")
	ErrDenied      = errors.New("the forge does not allow it")               // 401, or 403 that is no rate limit
	ErrUnavailable = errors.New("the forge cannot be asked now")             // network, 5xx: try again
	ErrRefused     = errors.New("the forge refused")                         // 405, 409, 422: its words are in the error
	ErrSignature   = errors.New("the webhook is not signed with its secret") // never tell more
)

// LimitError says that the forge wants to be left alone for a while. It wraps
// ErrUnavailable.
type LimitError struct{ Until time.Time }

func (e *LimitError) Error() string {
	return fmt.Sprintf("the forge limits requests until %s", e.Until.UTC().Format(time.RFC3339))
}

// RetryAt is when it may be asked again.
func (e *LimitError) RetryAt() time.Time { return e.Until }

func (e *LimitError) Unwrap() error { return ErrUnavailable }

// Hook is what a webhook hints at. Nothing is decided from it.
type Hook struct {
	Repository string // owner/name that it is about
	Pushed     bool   // a branch moved
	Number     int    // the pull request that it is about; 0 is none
	Event      string // the forge's own name of it, for logs
	Ping       bool
}
