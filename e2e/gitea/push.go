package gitea

import (
	"strings"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

// Push commits files, by path, on top of a branch, which is made from [Branch] when it is not there, pushes it and
// returns the commit id.
func (r *Repo) Push(by *Account, branch, message string, files map[string]string) string {
	r.server.t.Helper()
	return r.PushChange(by, branch, message, githttp.Change{Write: files})
}

// PushChange is [Repo.Push] of any change.
func (r *Repo) PushChange(by *Account, branch, message string, change githttp.Change) string {
	r.server.t.Helper()
	r.fetch()
	id := r.local.CommitOn(branch, message, change)
	r.git(by, "push", "--quiet", r.URL, id+":refs/heads/"+branch)
	return id
}

// TryPush is [Repo.Push] that Gitea may refuse; the error has what it says.
func (r *Repo) TryPush(by *Account, branch, message string, files map[string]string) error {
	r.server.t.Helper()
	r.fetch()
	return r.try(by, "push", "--quiet", r.URL, r.local.CommitOn(branch, message, githttp.Change{Write: files})+":refs/heads/"+branch)
}

// ForcePush replaces a branch by a commit on top of parent, a branch or a commit, and returns the commit id.
func (r *Repo) ForcePush(by *Account, branch, parent, message string, files map[string]string) string {
	r.server.t.Helper()
	r.fetch()
	onto := r.local.Git("rev-parse", "--verify", parent+"^{commit}")
	id := r.local.ForceCommit(branch, onto, message, githttp.Change{Write: files})
	r.git(by, "push", "--quiet", "--force", r.URL, id+":refs/heads/"+branch)
	return id
}

// DeleteBranch removes a branch.
func (r *Repo) DeleteBranch(by *Account, branch string) {
	r.server.t.Helper()
	r.git(by, "push", "--quiet", r.URL, ":refs/heads/"+branch)
}

// Head is the commit of a branch, "" when there is no such branch.
func (r *Repo) Head(branch string) string {
	r.server.t.Helper()
	r.fetch()
	return r.local.Head(branch)
}

// Show is the content of a file at a branch or commit.
func (r *Repo) Show(at, path string) string {
	r.server.t.Helper()
	r.fetch()
	return r.local.Git("show", at+":"+path)
}

// Parents are the parents of a commit.
func (r *Repo) Parents(commit string) []string {
	r.server.t.Helper()
	r.fetch()
	return strings.Fields(r.local.Git("show", "--no-patch", "--format=%P", commit))
}

// Between are the commits that are reached from one and not from another, newest first.
func (r *Repo) Between(without, from string) []string {
	r.server.t.Helper()
	r.fetch()
	return strings.Fields(r.local.Git("rev-list", without+".."+from))
}

// fetch makes the local branches those of Gitea.
func (r *Repo) fetch() {
	r.server.t.Helper()
	r.git(r.owner, "fetch", "--quiet", "--prune", "--no-tags", r.URL, "+refs/heads/*:refs/heads/*")
}

func (r *Repo) git(by *Account, args ...string) {
	r.server.t.Helper()
	if err := r.try(by, args...); err != nil {
		r.server.t.Fatalf("as %s: %v", by.Login, err)
	}
}

func (r *Repo) try(by *Account, args ...string) error {
	git := githttp.Git{Dir: r.local.Dir, Env: by.gitEnv()}
	_, err := git.Run(r.server.t.Context(), args...)
	return err
}
