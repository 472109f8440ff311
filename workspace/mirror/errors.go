package mirror

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What a remote can answer. Each comes wrapped in a *RemoteError that says
// which remote, and what to do about it.
var (
	// ErrAuth: the remote does not accept the credentials, or wants some.
	ErrAuth = errors.New("authentication failed")
	// ErrHostKey: the ssh server's key is unknown, or is not the known one.
	ErrHostKey = errors.New("ssh host key not trusted")
	// ErrNotFound: no such repository there, or none that we may see.
	ErrNotFound = errors.New("repository not found")
	// ErrUnreachable: the remote did not answer; trying again later may help.
	ErrUnreachable = errors.New("remote not reachable")
	// ErrEmpty: the repository has no commits yet.
	ErrEmpty = errors.New("repository has no commits")
	// ErrNoBranch: the watched branch is not there; see NoBranchError.
	ErrNoBranch = errors.New("branch not found")
	// ErrGone: the remote no longer offers the commit (the branch was
	// force-pushed between poll and fetch). The next poll shows the new head.
	ErrGone = errors.New("commit no longer offered by the remote")
	// ErrUnsupported: the remote is of a kind that Mooring does not read.
	ErrUnsupported = errors.New("remote not supported")
)

// What the mirror and the content of commits can answer.
var (
	// ErrUnknownCommit: the mirror does not hold that commit.
	ErrUnknownCommit = errors.New("commit not in the mirror")
	// ErrDamaged: an object that must be there is missing or unreadable. The
	// next Fetch moves the mirror aside and makes it again.
	ErrDamaged = errors.New("mirror is damaged")
	// ErrUnrelated: the two commits share no history, so nothing says what a
	// merge of them should be.
	ErrUnrelated = errors.New("the histories have no commit in common")
	// ErrClosed: the Mirror was closed.
	ErrClosed = errors.New("mirror is closed")
)

// RemoteError is any failure of Poll or Fetch. URL never holds credentials.
type RemoteError struct {
	Op   string // "poll" or "fetch"
	URL  string
	Kind error  // one of the sentinels above; nil for an answer that makes no sense
	Hint string // what a person can do; may be empty
	Err  error  // the cause; may be nil
}

func (e *RemoteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Op, e.URL)
	// The cause often is the kind with facts (NoBranchError): once is enough.
	if e.Kind != nil && (e.Err == nil || !errors.Is(e.Err, e.Kind)) {
		fmt.Fprintf(&b, ": %v", e.Kind)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

func (e *RemoteError) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// NoBranchError is an ErrNoBranch with the branches that could have been meant.
type NoBranchError struct {
	Branch   string   // "" when the remote's HEAD names a branch that is not there
	Branches []string // sorted, all of them
}

func (e *NoBranchError) Error() string {
	const most = 20
	names, more := e.Branches, ""
	if len(names) > most {
		names, more = names[:most], fmt.Sprintf(" and %d more", len(names)-most)
	}
	have := "the repository has no branches"
	if len(names) > 0 {
		have = "branches there: " + strings.Join(names, ", ") + more
	}
	if e.Branch == "" {
		return "the remote's HEAD names no existing branch; " + have
	}
	return fmt.Sprintf("branch %q not found; %s", e.Branch, have)
}

func (e *NoBranchError) Is(target error) bool { return target == ErrNoBranch }

// ConflictError refuses a merge: at these paths both sides have changed, and
// not in the same way, or it is in doubt who has. A person has to merge base
// into head's branch, after which the merge is that branch itself.
type ConflictError struct {
	Paths      []string // sorted; a directory stands for all that is in it
	Base, Head string   // full hashes
}

func (e *ConflictError) Error() string {
	const most = 10
	paths, more := e.Paths, ""
	if len(paths) > most {
		paths, more = paths[:most], fmt.Sprintf(" and %d more", len(paths)-most)
	}
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = strconv.Quote(p)
	}
	return "both sides have changed " + strings.Join(quoted, ", ") + more + ": update the branch first"
}

// EscapeError refuses a symlink that would lead out of the checkout.
type EscapeError struct {
	Path   string // of the symlink, relative to the repository's root
	Target string // as it is written in the repository
}

func (e *EscapeError) Error() string {
	return fmt.Sprintf("symlink %q leaves the repository: it points to %q", e.Path, e.Target)
}

// PathError refuses a name in a tree that is unsafe to write or cannot be.
type PathError struct {
	Path   string
	Reason string
}

func (e *PathError) Error() string { return fmt.Sprintf("path %q refused: %s", e.Path, e.Reason) }

// Note is something a person should be told, and nothing that stops work.
type Note struct {
	File    string // relative to the repository's root; "" for the mirror itself
	Line    int    // 0: the file as a whole
	Message string
}
