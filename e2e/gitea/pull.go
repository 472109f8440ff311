package gitea

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Pull is a pull request.
type Pull struct {
	Number int

	repo *Repo
}

// PullState is a pull request as it is now.
type PullState struct {
	Title       string
	Open        bool
	Merged      bool
	Draft       bool
	Mergeable   bool // not while Gitea has yet to find out
	Head        string
	HeadBranch  string
	Base        string // branch
	Labels      []string
	MergeCommit string // of a merged one; of a rebase the last
}

// Open opens a pull request for a branch, or for one of a fork: see [Repo.HeadRef]. A title that begins with "WIP: " makes
// it a draft.
func (r *Repo) Open(by *Account, head, base, title string) *Pull {
	r.server.t.Helper()
	p := &Pull{repo: r}
	r.server.Call(by, http.MethodPost, r.api("pulls"), map[string]any{"head": head, "base": base, "title": title, "body": ""}, p)
	return p
}

// Pull is the pull request of a number.
func (r *Repo) Pull(number int) *Pull { return &Pull{Number: number, repo: r} }

// State asks how the pull request is now.
func (p *Pull) State() PullState {
	p.repo.server.t.Helper()
	var now struct {
		Title     string
		State     string
		Merged    bool
		Draft     bool
		Mergeable bool
		Head      struct{ Ref, SHA string }
		Base      struct{ Ref string }
		Labels    []struct{ Name string }
		Commit    string `json:"merge_commit_sha"`
	}
	p.repo.server.Call(p.repo.owner, http.MethodGet, p.api(), nil, &now)
	state := PullState{
		Title: now.Title, Open: now.State == "open", Merged: now.Merged, Draft: now.Draft, Mergeable: now.Mergeable,
		Head: now.Head.SHA, HeadBranch: now.Head.Ref, Base: now.Base.Ref,
	}
	for _, label := range now.Labels {
		state.Labels = append(state.Labels, label.Name)
	}
	if now.Merged {
		state.MergeCommit = now.Commit
	}
	return state
}

// AwaitHead returns when Gitea has taken a push: the pull request's head is commit and Gitea knows whether it can be
// merged, which it can.
func (p *Pull) AwaitHead(commit string) {
	p.repo.server.t.Helper()
	p.repo.server.await("the head of "+p.Name()+" to be "+commit, func() bool {
		state := p.State()
		return state.Head == commit && state.Mergeable
	})
}

// Merge merges by a method, "merge", "squash" or "rebase", and returns the commit on the base branch. Gitea answers 405
// as long as it has yet to find out whether it can; that is waited for.
func (p *Pull) Merge(by *Account, method string) string {
	p.repo.server.t.Helper()
	begin := time.Now()
	for {
		err := p.TryMerge(by, method)
		if err == nil {
			break
		}
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Status != http.StatusMethodNotAllowed || !strings.Contains(refusal.Words, "try again later") ||
			time.Since(begin) > patience {
			p.repo.server.t.Fatalf("%v", err)
		}
		p.repo.server.await(p.Name()+" to be mergeable, since "+refusal.Error(), func() bool { return p.State().Mergeable })
	}
	var state PullState
	p.repo.server.await(p.Name()+" to be merged", func() bool {
		state = p.State()
		return state.Merged && state.MergeCommit != ""
	})
	return state.MergeCommit
}

// TryMerge asks once for a merge.
func (p *Pull) TryMerge(by *Account, method string) error {
	return p.repo.server.Try(by, http.MethodPost, p.api("merge"), map[string]any{"Do": method}, nil)
}

// Close closes the pull request without a merge.
func (p *Pull) Close(by *Account) { p.repo.server.t.Helper(); p.edit(by, "state", "closed") }

// Reopen opens the pull request again.
func (p *Pull) Reopen(by *Account) { p.repo.server.t.Helper(); p.edit(by, "state", "open") }

// Retitle gives the pull request another title.
func (p *Pull) Retitle(by *Account, title string) {
	p.repo.server.t.Helper()
	p.edit(by, "title", title)
}

// Retarget gives the pull request another base branch.
func (p *Pull) Retarget(by *Account, base string) { p.repo.server.t.Helper(); p.edit(by, "base", base) }

func (p *Pull) edit(by *Account, field, value string) {
	p.repo.server.t.Helper()
	p.repo.server.Call(by, http.MethodPatch, p.api(), map[string]any{field: value}, nil)
}

// Label puts a label on the pull request, which is made when there is none of that name.
func (p *Pull) Label(by *Account, name string) {
	p.repo.server.t.Helper()
	type label struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	var wanted label
	for _, known := range pages[label](p.repo.server, by, p.repo.api("labels"), "") {
		if known.Name == name {
			wanted = known
		}
	}
	if wanted.ID == 0 {
		p.repo.server.Call(p.repo.owner, http.MethodPost, p.repo.api("labels"), map[string]any{"name": name, "color": "#336699"}, &wanted)
	}
	p.repo.server.Call(by, http.MethodPost, p.issue("labels"), map[string]any{"labels": []int64{wanted.ID}}, nil)
}

// Name is owner/name#number.
func (p *Pull) Name() string { return p.repo.FullName() + "#" + strconv.Itoa(p.Number) }

func (p *Pull) api(parts ...any) string {
	return p.repo.api(append([]any{"pulls", p.Number}, parts...)...)
}

// issue is a path of the same number among issues, where Gitea keeps what both have.
func (p *Pull) issue(parts ...any) string {
	return p.repo.api(append([]any{"issues", p.Number}, parts...)...)
}
