package forge

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

func TestGitea(t *testing.T) {
	w := newGiteaWorld(t)
	suite(t, w, traits{dismissed: true, changes: true, reviewCommit: true, fork: true})
}

// giteaWorld is a real Gitea with a repository of a person, where Mooring is a
// collaborator.
type giteaWorld struct {
	server *gitea.Server
	owner  *gitea.Account
	bot    *gitea.Account
	repo   *gitea.Repo
	people map[int64]*gitea.Account
	pulls  map[int]*pulled
	given  atomic.Int64
}

type pulled struct {
	head   *gitea.Repo // where its branch is
	by     *gitea.Account
	branch string
	pull   *gitea.Pull
}

func newGiteaWorld(t *testing.T) *giteaWorld {
	server := gitea.Shared(t)
	w := &giteaWorld{
		server: server, owner: server.User("owner"), bot: server.User("mooring"),
		people: map[int64]*gitea.Account{}, pulls: map[int]*pulled{},
	}
	w.repo = server.Repository(w.owner, "infra", map[string]string{"main.tf": "# nothing yet\n"})
	w.repo.Collaborator(w.bot, "admin")
	return w
}

func (w *giteaWorld) config() Config {
	// The scopes that docs/review.md names; repository and issue are what it writes.
	return Config{
		Kind: Gitea, URL: w.server.URL, Repository: w.repo.FullName(),
		Token: w.server.Token(w.bot, "write:repository", "write:issue", "read:user", "read:organization"),
	}
}

// name is one that no other has, and a file's content that nothing else has.
func (w *giteaWorld) name(of string) string { return fmt.Sprintf("%s-%d", of, w.given.Add(1)) }

func (w *giteaWorld) account(t *testing.T, u User) *gitea.Account {
	t.Helper()
	if w.people[u.ID] == nil {
		t.Fatalf("%+v is nobody here", u)
	}
	return w.people[u.ID]
}

func (w *giteaWorld) person(t *testing.T, p Permission) User {
	t.Helper()
	account := w.server.User("person")
	w.people[account.ID] = account
	if p != None {
		w.repo.Collaborator(account, p.String())
	}
	return User{ID: account.ID, Login: account.Login}
}

func (w *giteaWorld) rename(t *testing.T, u User) User {
	t.Helper()
	account := w.account(t, u)
	login := w.name("renamed")
	w.server.Call(w.server.Admin, http.MethodPost, "admin/users/"+account.Login+"/rename", map[string]any{"new_username": login}, nil)
	account.Login = login
	return User{ID: u.ID, Login: login}
}

func (w *giteaWorld) remove(t *testing.T, u User) {
	t.Helper()
	w.server.Call(w.server.Admin, http.MethodDelete, "admin/users/"+w.account(t, u).Login+"?purge=true", nil, nil)
}

func (w *giteaWorld) team(t *testing.T, members ...User) string {
	t.Helper()
	accounts := []*gitea.Account{w.bot} // nobody else is told who is in it
	for _, u := range members {
		accounts = append(accounts, w.account(t, u))
	}
	org := w.server.Organisation(w.owner, "acme")
	org.Team("operators", "read", accounts)
	return org.Login + "/operators"
}

func (w *giteaWorld) commit(t *testing.T, branch string) string {
	t.Helper()
	return w.repo.Push(w.owner, branch, "A change", map[string]string{w.name("file"): "x"})
}

func (w *giteaWorld) open(t *testing.T, by User, commits int, fork bool) int {
	t.Helper()

	p := &pulled{head: w.repo, by: w.account(t, by), branch: w.name("topic")}
	ref := p.branch
	if fork {
		p.head = w.repo.Fork(p.by)
		ref = p.head.HeadRef(p.branch)
	}
	for range commits {
		p.head.Push(p.by, p.branch, "A change", map[string]string{w.name("file"): "x"})
	}
	p.pull = w.repo.Open(p.by, ref, gitea.Branch, "Change "+p.branch)
	w.pulls[p.pull.Number] = p
	return p.pull.Number
}

// at is a pull request as this test uses it.
func (w *giteaWorld) at(t *testing.T, number int, parts string) string {
	t.Helper()
	return "repos/" + w.repo.FullName() + parts + strconv.Itoa(number)
}

func (w *giteaWorld) draft(t *testing.T, number int) {
	t.Helper()
	w.pulls[number].pull.Retitle(w.owner, "WIP: change")
}

func (w *giteaWorld) label(t *testing.T, number int, name string) {
	t.Helper()
	w.pulls[number].pull.Label(w.owner, name)
}

func (w *giteaWorld) push(t *testing.T, number int) string {
	t.Helper()
	p := w.pulls[number]
	return p.head.Push(p.by, p.branch, "Another change", map[string]string{w.name("file"): "x"})
}

func (w *giteaWorld) close(t *testing.T, number int) {
	t.Helper()
	w.pulls[number].pull.Close(w.owner)
}

func (w *giteaWorld) merge(t *testing.T, number int, method string) string {
	t.Helper()
	w.pulls[number].pull.Merge(w.owner, method)
	return w.repo.Head(gitea.Branch)
}

func (w *giteaWorld) settle(t *testing.T, number int) {
	t.Helper()
	if p := w.pulls[number]; p != nil {
		p.pull.AwaitHead(p.head.Head(p.branch))
		return
	}
	ours := w.repo.Pull(number) // the forge's own client opened it
	ours.AwaitHead(w.tip(t, ours.State().HeadBranch))
}

func (w *giteaWorld) review(t *testing.T, by User, number int, v Verdict) {
	t.Helper()
	who, p := w.account(t, by), w.pulls[number].pull
	switch v {
	case Approved:
		p.Approve(who)
	case ChangesRequested:
		p.RequestChanges(who, "not so")
	default:
		w.server.Call(who, http.MethodPost, w.at(t, number, "/pulls/")+"/reviews", map[string]any{"event": "COMMENT", "body": "hm"}, nil)
	}
}

func (w *giteaWorld) request(t *testing.T, number int, of User) {
	t.Helper()
	w.server.Call(w.owner, http.MethodPost, w.at(t, number, "/pulls/")+"/requested_reviewers",
		map[string]any{"reviewers": []string{w.account(t, of).Login}}, nil)
}

func (w *giteaWorld) dismiss(t *testing.T, number int, by User) {
	t.Helper()
	p := w.pulls[number].pull
	all := p.Reviews()
	for _, r := range slices.Backward(all) {
		if r.By.ID == by.ID {
			p.Dismiss(w.owner, r, "not any more")
			return
		}
	}
	t.Fatalf("%+v reviewed nothing", by)
}

func (w *giteaWorld) comment(t *testing.T, by User, number int, body string) int64 {
	t.Helper()
	return w.pulls[number].pull.Comment(w.account(t, by), body).ID
}

func (w *giteaWorld) uncomment(t *testing.T, number int, id int64) {
	t.Helper()
	w.pulls[number].pull.DeleteComment(w.owner, gitea.Comment{ID: id})
}

func (w *giteaWorld) reactions(t *testing.T, number int, comment int64) []string {
	t.Helper()
	var all []string
	for content, by := range w.pulls[number].pull.Reactions(gitea.Comment{ID: comment}) {
		for range by {
			all = append(all, content)
		}
	}
	return all
}

func (w *giteaWorld) statuses(t *testing.T, commit string) map[string]Status {
	t.Helper()
	all := map[string]Status{}
	for context, s := range w.repo.Statuses(commit) {
		all[context] = Status{Context: s.Context, Check: Check(s.State), Description: s.Description, URL: s.URL}
	}
	return all
}
