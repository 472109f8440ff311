package gitea_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// refused tells whether an error is Gitea's answer of a status.
func refused(err error, status int) bool {
	var refusal *gitea.Refusal
	return errors.As(err, &refusal) && refusal.Status == status && refusal.Words != ""
}

func TestOutsiderWithAFork(t *testing.T) {
	server := gitea.Shared(t)
	ada, eve := server.User("ada"), server.User("eve")
	repo := server.PublicRepository(ada, "infra", map[string]string{"main.tf": "# one\n"})

	fork := repo.Fork(eve)
	head := fork.Push(eve, "topic", "Improve", map[string]string{"main.tf": "# two\n"})
	pull := repo.Open(eve, fork.HeadRef("topic"), gitea.Branch, "Improve")
	pull.AwaitHead(head)
	if err := pull.TryMerge(eve, "merge"); !refused(err, http.StatusMethodNotAllowed) {
		t.Errorf("eve merges: %v, want 405", err)
	}
	second := fork.Push(eve, "topic", "Improve more", map[string]string{"main.tf": "# three\n"})
	pull.AwaitHead(second)
	pull.Merge(ada, "squash")
	if got := repo.Show(gitea.Branch, "main.tf"); got != "# three" {
		t.Errorf("main.tf = %q", got)
	}
}

func TestAPrivateRepositoryIsInvisible(t *testing.T) {
	server, ada, bob, repo := infra(t)
	path := "repos/" + repo.FullName()
	if err := server.Try(server.User("eve"), http.MethodGet, path, nil, nil); !refused(err, http.StatusNotFound) {
		t.Errorf("eve sees it: %v, want 404", err)
	}
	if err := server.Try(nil, http.MethodGet, path, nil, nil); !refused(err, http.StatusNotFound) {
		t.Errorf("a stranger sees it: %v, want 404", err)
	}
	server.Call(bob, http.MethodGet, path, nil, nil)
	repo.RemoveCollaborator(bob)
	if err := server.Try(bob, http.MethodGet, path, nil, nil); !refused(err, http.StatusNotFound) {
		t.Errorf("bob sees it still: %v, want 404", err)
	}
	narrow := &gitea.Account{Login: ada.Login, Token: server.Token(ada, "read:repository")}
	server.Call(narrow, http.MethodGet, path, nil, nil)
	if err := server.Try(narrow, http.MethodDelete, path, nil, nil); !refused(err, http.StatusForbidden) {
		t.Errorf("a token that may read deletes: %v, want 403", err)
	}
}

func TestTeamsOfAnOrganisation(t *testing.T) {
	server := gitea.Shared(t)
	ada, bob, eve := server.User("ada"), server.User("bob"), server.User("eve")
	acme := server.Organisation(ada, "acme")
	infra := acme.Repository("infra", map[string]string{"main.tf": "# one\n"})
	other := acme.Repository("other", nil)
	acme.Team("operators", "write", []*gitea.Account{bob}, infra)
	acme.Team("auditors", "read", []*gitea.Account{eve})

	type rights struct{ Admin, Push, Pull bool }
	for _, tt := range []struct {
		who  *gitea.Account
		repo *gitea.Repo
		want rights
	}{{ada, infra, rights{true, true, true}}, {bob, infra, rights{Push: true, Pull: true}}, {eve, infra, rights{Pull: true}}, {eve, other, rights{Pull: true}}} {
		var got struct{ Permissions rights }
		server.Call(tt.who, http.MethodGet, "repos/"+tt.repo.FullName(), nil, &got)
		if got.Permissions != tt.want {
			t.Errorf("%s has %+v on %s, want %+v", tt.who.Login, got.Permissions, tt.repo.FullName(), tt.want)
		}
	}
	if err := server.Try(bob, http.MethodGet, "repos/"+other.FullName(), nil, nil); !refused(err, http.StatusNotFound) {
		t.Errorf("bob sees what is not his team's: %v, want 404", err)
	}
	infra.Push(bob, "topic", "Topic", map[string]string{"a": "1"})

	// What Gitea tells of somebody's permission leaves out what a team gives on code alone. Who asks must ask the teams.
	var said struct{ Permission string }
	server.Call(server.Admin, http.MethodGet, "repos/"+infra.FullName()+"/collaborators/"+bob.Login+"/permission", nil, &said)
	if said.Permission != "none" {
		t.Errorf("Gitea says that bob has %q: it has learnt to count teams, and Mooring may ask it", said.Permission)
	}
}
