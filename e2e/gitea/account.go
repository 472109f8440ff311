package gitea

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
)

// Account is a person, or a bot, at Gitea.
type Account struct {
	ID       int64  `json:"id"`
	Login    string `json:"login"`
	Password string `json:"-"`
	Token    string `json:"-"` // of all scopes; sent instead of the password where there is one
}

// User makes an account. Its login is name, or name with a number where that was given before.
func (s *Server) User(name string) *Account {
	s.t.Helper()
	account := &Account{Password: secret()}
	login := s.unique(name)
	s.Call(s.Admin, http.MethodPost, "admin/users", map[string]any{
		"username": login, "password": account.Password, "email": login + "@example.com", "must_change_password": false,
	}, account)
	account.Token = s.Token(account, "all")
	return account
}

// Token makes another token of an account, of the scopes that are named: "read:repository", "write:issue", "all".
func (s *Server) Token(account *Account, scopes ...string) string {
	s.t.Helper()
	var made struct {
		Token string `json:"sha1"`
	}
	withPassword := &Account{Login: account.Login, Password: account.Password} // a token may not make tokens
	s.Call(withPassword, http.MethodPost, "users/"+url.PathEscape(account.Login)+"/tokens",
		map[string]any{"name": s.unique("token"), "scopes": scopes}, &made)
	return made.Token
}

// unique is name, or name with a number where it was given before.
func (r *Running) unique(name string) string {
	r.naming.Lock()
	defer r.naming.Unlock()
	given := name
	for n := 2; r.names[given]; n++ {
		given = fmt.Sprintf("%s-%d", name, n)
	}
	r.names[given] = true
	return given
}

// Organisation owns repositories and has teams.
type Organisation struct {
	Login string

	server *Server
	owner  *Account
}

// Organisation makes an organisation, of which owner is the first owner. Its login is made as that of a [Server.User].
func (s *Server) Organisation(owner *Account, name string) *Organisation {
	s.t.Helper()
	o := &Organisation{Login: s.unique(name), server: s, owner: owner}
	s.Call(owner, http.MethodPost, "orgs", map[string]any{"username": o.Login, "visibility": "private"}, nil)
	return o
}

// Repository makes a private repository of the organisation; see [Server.Repository].
func (o *Organisation) Repository(name string, files map[string]string) *Repo {
	o.server.t.Helper()
	return o.server.repository(o.owner, "orgs/"+url.PathEscape(o.Login)+"/repos", name, true, files)
}

// Team makes a team with a permission, "read", "write" or "admin", on the repositories that are named, and on all of the
// organisation when none is.
func (o *Organisation) Team(name, permission string, members []*Account, repositories ...*Repo) {
	o.server.t.Helper()
	var team struct {
		ID int64 `json:"id"`
	}
	o.server.Call(o.owner, http.MethodPost, "orgs/"+url.PathEscape(o.Login)+"/teams", map[string]any{
		"name": name, "permission": permission, "includes_all_repositories": len(repositories) == 0,
		"units": []string{"repo.code", "repo.issues", "repo.pulls"},
	}, &team)
	for _, member := range members {
		o.server.Call(o.owner, http.MethodPut, fmt.Sprintf("teams/%d/members/%s", team.ID, url.PathEscape(member.Login)), nil, nil)
	}
	for _, repo := range repositories {
		o.server.Call(o.owner, http.MethodPut, fmt.Sprintf("teams/%d/repos/%s/%s", team.ID, o.Login, repo.Name), nil, nil)
	}
}

// authorize says in a request who asks.
func (a *Account) authorize(req *http.Request) {
	switch {
	case a == nil:
	case a.Token != "":
		req.Header.Set("Authorization", "token "+a.Token)
	default:
		req.SetBasicAuth(a.Login, a.Password)
	}
}

// gitEnv has git say who asks, in no URL, since git prints those.
func (a *Account) gitEnv() []string {
	basic := base64.StdEncoding.EncodeToString([]byte(a.Login + ":" + a.Token))
	return []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Basic " + basic}
}

func (a *Account) name() string {
	if a == nil {
		return "a stranger"
	}
	return a.Login
}
