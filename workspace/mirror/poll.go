package mirror

import (
	"context"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// Head is where the watched branch stands.
type Head struct {
	Commit string // full hash
	Branch string // without refs/heads/; "" when the remote's HEAD is detached
}

// advert is what a remote says of its refs.
type advert struct {
	refs       map[string]id // full names, HEAD not among them
	head       id            // what HEAD resolves to; zero when it resolves to nothing
	headBranch string        // the branch HEAD names, when the remote says so
}

// Refs is where all refs stand, seen at one moment.
type Refs struct {
	Head Head
	// All is the hash of each ref by its full name (refs/heads/main,
	// refs/pull/7/head), HEAD not among them. It is the ref's own: an annotated
	// tag's is that of the tag, which is no commit.
	All map[string]string
}

// Poll asks the remote for its refs: one request, no process, nothing written.
// Errors are *RemoteError: ErrEmpty, ErrNoBranch, ErrAuth, ErrHostKey,
// ErrNotFound, ErrUnreachable, or the context's.
func (m *Mirror) Poll(ctx context.Context) (Head, error) {
	_, head, err := m.poll(ctx)
	return head, err
}

// Refs is Poll that tells of all refs: the same one request. With ErrNoBranch it
// still returns the others.
func (m *Mirror) Refs(ctx context.Context) (Refs, error) {
	ad, head, err := m.poll(ctx)
	if ad == nil {
		return Refs{}, err
	}
	refs := Refs{Head: head, All: make(map[string]string, len(ad.refs))}
	for name, h := range ad.refs {
		refs.All[name] = h.String()
	}
	return refs, err
}

// poll returns an advert without a head where there is no watched branch.
func (m *Mirror) poll(ctx context.Context) (*advert, Head, error) {
	ad, err := m.source.refs(ctx)
	if err != nil {
		return nil, Head{}, m.remoteError(ctx, "poll", err)
	}
	head, err := chooseHead(ad, m.remote.Branch)
	if err != nil {
		return ad, Head{}, m.remoteError(ctx, "poll", err)
	}
	return ad, head, nil
}

// chooseHead finds the watched branch among a remote's refs.
func chooseHead(ad *advert, branch string) (Head, error) {
	if len(ad.refs) == 0 && ad.head.IsZero() {
		return Head{}, ErrEmpty
	}
	if branch != "" {
		h, ok := ad.refs["refs/heads/"+branch]
		if !ok {
			return Head{}, &NoBranchError{Branch: branch, Branches: ad.branches()}
		}
		return Head{Commit: h.String(), Branch: branch}, nil
	}
	if ad.head.IsZero() {
		return Head{}, &NoBranchError{Branches: ad.branches()}
	}
	name := ad.headBranch
	if name == "" {
		name = ad.guessBranch()
	}
	return Head{Commit: ad.head.String(), Branch: name}, nil
}

// stands says whether a ref stands on h.
func (ad *advert) stands(h id) bool {
	for _, at := range ad.refs {
		if at == h {
			return true
		}
	}
	return false
}

func (ad *advert) branches() []string {
	var names []string
	for ref := range ad.refs {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// guessBranch names HEAD's branch where the remote (git before 1.8.4, or a
// detached HEAD) does not: the one branch at that commit, main and master first.
func (ad *advert) guessBranch() string {
	for _, name := range append([]string{"main", "master"}, ad.branches()...) {
		if ad.refs["refs/heads/"+name] == ad.head {
			return name
		}
	}
	return ""
}

// readAdvert keeps of the protocol's message what Mooring uses.
func readAdvert(ar *packp.AdvRefs) *advert {
	ad := &advert{refs: make(map[string]id, len(ar.References))}
	for name, h := range ar.References {
		ad.refs[name] = h
	}
	if ar.Head != nil {
		ad.head = *ar.Head
	}
	for _, symref := range ar.Capabilities.Get(capability.SymRef) {
		name, target, _ := strings.Cut(symref, ":")
		if name == plumbing.HEAD.String() {
			ad.headBranch, _ = strings.CutPrefix(target, "refs/heads/")
		}
	}
	return ad
}
