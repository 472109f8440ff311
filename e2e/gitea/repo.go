package gitea

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

// Repo is a repository at Gitea.
type Repo struct {
	ID    int64
	Owner string
	Name  string
	URL   string // to clone from, over http, without a user

	server *Server
	owner  *Account      // who may do everything with it
	local  *githttp.Repo // where commits are made before they are pushed
}

// Repository makes a private repository with one commit of files, by path, on [Branch]. Only owner and collaborators
// know that there is one.
func (s *Server) Repository(owner *Account, name string, files map[string]string) *Repo {
	s.t.Helper()
	return s.repository(owner, "user/repos", name, true, files)
}

// PublicRepository is [Server.Repository] that everybody may read, and fork.
func (s *Server) PublicRepository(owner *Account, name string, files map[string]string) *Repo {
	s.t.Helper()
	return s.repository(owner, "user/repos", name, false, files)
}

func (s *Server) repository(owner *Account, path, name string, private bool, files map[string]string) *Repo {
	s.t.Helper()
	r := s.newRepo(owner, path, map[string]any{"name": name, "private": private, "default_branch": Branch})
	if len(files) > 0 {
		r.Push(owner, Branch, "First commit", files)
	}
	return r
}

// newRepo is the repository that Gitea makes when it is asked so.
func (s *Server) newRepo(owner *Account, path string, how any) *Repo {
	s.t.Helper()
	var made struct {
		ID    int64  `json:"id"`
		Name  string `json:"name"`
		Owner struct {
			Login string `json:"login"`
		} `json:"owner"`
	}
	s.Call(owner, http.MethodPost, path, how, &made)
	r := &Repo{ID: made.ID, Owner: made.Owner.Login, Name: made.Name, server: s, owner: owner}
	r.URL = s.URL + "/" + url.PathEscape(r.Owner) + "/" + url.PathEscape(r.Name) + ".git"
	r.local = githttp.NewRepo(s.t, s.t.TempDir(), nil)
	return r
}

// FullName is owner/name.
func (r *Repo) FullName() string { return r.Owner + "/" + r.Name }

// api is a path of the repository in Gitea's API; the parts are escaped.
func (r *Repo) api(parts ...any) string {
	path := "repos/" + url.PathEscape(r.Owner) + "/" + url.PathEscape(r.Name)
	for _, part := range parts {
		path += "/" + url.PathEscape(fmt.Sprint(part))
	}
	return path
}

// For is the repository as another test uses it: a subtest, say.
func (r *Repo) For(t TB) *Repo {
	other := *r
	other.server = r.server.For(t)
	other.local = githttp.NewRepo(t, t.TempDir(), nil)
	return &other
}

// Fork makes a fork that belongs to an account.
func (r *Repo) Fork(by *Account) *Repo {
	r.server.t.Helper()
	return r.server.newRepo(by, r.api("forks"), map[string]any{"name": r.Name})
}

// HeadRef is how a pull request names a branch of a fork as its head: owner:branch.
func (r *Repo) HeadRef(branch string) string { return r.Owner + ":" + branch }

// Collaborator lets an account in: "read", "write" or "admin".
func (r *Repo) Collaborator(account *Account, permission string) {
	r.server.t.Helper()
	r.server.Call(r.owner, http.MethodPut, r.api("collaborators", account.Login), map[string]any{"permission": permission}, nil)
}

// RemoveCollaborator takes back what [Repo.Collaborator] gave.
func (r *Repo) RemoveCollaborator(account *Account) {
	r.server.t.Helper()
	r.server.Call(r.owner, http.MethodDelete, r.api("collaborators", account.Login), nil, nil)
}

// Protection is what a protected branch asks of a merge. Nobody may push to it.
type Protection struct {
	Approvals    int
	Statuses     []string // contexts that must have succeeded
	DismissStale bool     // a push takes approvals back
	UpToDate     bool     // the head must hold the base
}

// Protect protects a branch.
func (r *Repo) Protect(branch string, p Protection) {
	r.server.t.Helper()
	r.server.Call(r.owner, http.MethodPost, r.api("branch_protections"), map[string]any{
		"rule_name": branch, "required_approvals": p.Approvals, "dismiss_stale_approvals": p.DismissStale,
		"enable_status_check": len(p.Statuses) > 0, "status_check_contexts": p.Statuses, "block_on_outdated_branch": p.UpToDate,
	}, nil)
}

// Status is a commit status.
type Status struct {
	Context     string `json:"context"`
	State       string `json:"status"` // pending, success, error, failure, warning
	Description string `json:"description"`
	URL         string `json:"target_url"`
}

// Statuses are the statuses of a commit by context, the newest of each.
func (r *Repo) Statuses(commit string) map[string]Status {
	r.server.t.Helper()
	byContext := map[string]Status{}
	for _, status := range pages[Status](r.server, r.owner, r.api("commits", commit, "statuses"), "sort=oldest") {
		byContext[status.Context] = status
	}
	return byContext
}

// pages is a whole list of Gitea's, which it gives in pages.
func pages[T any](s *Server, by *Account, path, query string) []T {
	s.t.Helper()
	const limit = 50 // Gitea's most
	var all []T
	for page := 1; ; page++ {
		var some []T
		s.Call(by, http.MethodGet, fmt.Sprintf("%s?%s&limit=%d&page=%d", path, query, limit, page), nil, &some)
		all = append(all, some...)
		if len(some) < limit {
			return all
		}
	}
}
