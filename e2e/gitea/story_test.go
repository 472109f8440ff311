package gitea_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// infra is a private repository of ada's, to which bob may write.
func infra(t *testing.T) (server *gitea.Server, ada, bob *gitea.Account, repo *gitea.Repo) {
	t.Helper()
	server = gitea.Shared(t)
	ada, bob = server.User("ada"), server.User("bob")
	repo = server.Repository(ada, "infra", map[string]string{"main.tf": "# one\n"})
	repo.Collaborator(bob, "write")
	return server, ada, bob, repo
}

// status has Mooring's part played by an account.
func status(server *gitea.Server, by *gitea.Account, repo *gitea.Repo, commit, context, state string) {
	server.Call(by, http.MethodPost, "repos/"+repo.FullName()+"/statuses/"+commit,
		map[string]any{"context": context, "state": state, "description": "1 to add"}, nil)
}

func TestStoryOfAPullRequest(t *testing.T) {
	server, ada, bob, repo := infra(t)
	inbox := gitea.Receive(t)
	repo.Webhook(inbox.URL, "the secret")

	head := repo.Push(ada, "topic", "Add network", map[string]string{"network/main.tf": "# two\n"})
	pull := repo.Open(ada, "topic", gitea.Branch, "Add network")
	pull.AwaitHead(head)
	status(server, ada, repo, head, "mooring/plan", "pending")
	status(server, ada, repo, head, "mooring/plan", "success")
	question := pull.Comment(bob, "mooring plan")
	pull.EditComment(bob, question, "mooring help")
	pull.Approve(bob)
	commit := pull.Merge(bob, "merge")

	if got := repo.Head(gitea.Branch); got != commit {
		t.Errorf("main is %s, want the merge commit %s", got, commit)
	}
	if state := pull.State(); state.Open || !state.Merged || state.Head != head || state.MergeCommit != commit {
		t.Errorf("the pull request ends as %+v", state)
	}
	if comments := pull.Comments(); len(comments) != 1 || comments[0].Body != "mooring help" || comments[0].By.ID != bob.ID {
		t.Errorf("comments = %+v", comments)
	}
	if reviews := pull.Reviews(); len(reviews) != 1 || reviews[0].State != "APPROVED" || reviews[0].Commit != head || reviews[0].By.ID != bob.ID {
		t.Errorf("reviews = %+v", reviews)
	}
	want := gitea.Status{Context: "mooring/plan", State: "success", Description: "1 to add"}
	if statuses := repo.Statuses(head); len(statuses) != 1 || statuses["mooring/plan"] != want {
		t.Errorf("statuses = %+v, want the newer of mooring/plan alone", statuses)
	}

	for _, expected := range []struct{ kind, action string }{
		{"push", ""}, {"pull_request", "opened"}, {"pull_request_comment", "created"}, {"pull_request_comment", "edited"},
		{"pull_request_review_approved", "reviewed"}, {"pull_request", "closed"}, {"status", ""},
	} {
		delivery := inbox.Await(expected.kind, expected.action)
		if !delivery.SignedWith("the secret") || delivery.SignedWith("another") {
			t.Errorf("%s %s has the signature %q", expected.kind, expected.action, delivery.Header.Get("X-Gitea-Signature"))
		}
	}
}

func TestMethodsOfMerging(t *testing.T) {
	_, ada, _, repo := infra(t)
	for method, parents := range map[string]int{"merge": 2, "squash": 1, "rebase": 1} {
		before := repo.Head(gitea.Branch)
		repo.Push(ada, method, "First", map[string]string{method + "/one": "1"})
		repo.Push(ada, method, "Second", map[string]string{method + "/two": "2"})
		pull := repo.Open(ada, method, gitea.Branch, "By "+method)
		commit := pull.Merge(ada, method) // at once: Gitea has yet to find out whether it can
		if got := repo.Head(gitea.Branch); got != commit {
			t.Errorf("%s: main is %s, want %s", method, got, commit)
		}
		if got := repo.Parents(commit); len(got) != parents {
			t.Errorf("%s: parents of the commit are %q, want %d", method, got, parents)
		}
		want := map[string]int{"merge": 3, "squash": 1, "rebase": 2}[method]
		if got := repo.Between(before, commit); len(got) != want {
			t.Errorf("%s: main got the commits %q, want %d", method, got, want)
		}
		if got := repo.Show(gitea.Branch, method+"/two"); got != "2" {
			t.Errorf("%s: main has %q", method, got)
		}
	}
}

// What Gitea asks its server about a push is asked by a program of ours: see hooks.
func TestGiteaRefusesAPushThatItsRulesForbid(t *testing.T) {
	_, ada, bob, repo := infra(t)
	repo.Push(ada, "topic", "Topic", map[string]string{"a": "1"})
	repo.Protect(gitea.Branch, gitea.Protection{Approvals: 1})
	before := repo.Head(gitea.Branch)
	err := repo.TryPush(bob, gitea.Branch, "Past the review", map[string]string{"a": "2"})
	if err == nil || !strings.Contains(err.Error(), "Not allowed to push to protected branch main") {
		t.Errorf("a push to a protected branch: %v, want Gitea's refusal", err)
	}
	if got := repo.Head(gitea.Branch); got != before {
		t.Errorf("main is %s, want %s as before", got, before)
	}
	if err := repo.TryPush(bob, "topic", "More", map[string]string{"a": "2"}); err != nil {
		t.Errorf("a push to another branch: %v", err)
	}
}

func TestForcePush(t *testing.T) {
	_, ada, bob, repo := infra(t)
	inbox := gitea.Receive(t)
	repo.Protect(gitea.Branch, gitea.Protection{Approvals: 1, DismissStale: true})
	first := repo.Push(ada, "topic", "First try", map[string]string{"a": "1"})
	pull := repo.Open(ada, "topic", gitea.Branch, "Topic")
	pull.Approve(bob)
	repo.Webhook(inbox.URL, "s3cret")

	second := repo.ForcePush(ada, "topic", gitea.Branch, "Second try", map[string]string{"a": "2"})
	pull.AwaitHead(second)
	inbox.Await("pull_request_sync", "synchronized")
	if got := repo.Parents(second); !slices.Equal(got, []string{repo.Head(gitea.Branch)}) || first == second {
		t.Errorf("parents of %s are %q, want main: %s is replaced", second, got, first)
	}
	if reviews := pull.Reviews(); len(reviews) != 1 || !reviews[0].Stale || reviews[0].Commit != first {
		t.Errorf("reviews = %+v, want the one of %s, stale", reviews, first)
	}
	if err := pull.TryMerge(bob, "merge"); err == nil {
		t.Error("the second try was merged with the approval of the first")
	}
	pull.Approve(bob)
	if commit := pull.Merge(bob, "squash"); repo.Show(commit, "a") != "2" {
		t.Errorf("%s has a = %q", commit, repo.Show(commit, "a"))
	}
}

func TestCloseReopenRetitleRetarget(t *testing.T) {
	_, ada, _, repo := infra(t)
	repo.Push(ada, "release", "Release", map[string]string{"release": "1"})
	repo.Push(ada, "topic", "Topic", map[string]string{"a": "1"})
	pull := repo.Open(ada, "topic", gitea.Branch, "WIP: Topic")
	if state := pull.State(); !state.Open || !state.Draft || state.Base != gitea.Branch || state.HeadBranch != "topic" {
		t.Errorf("opened as a draft: %+v", state)
	}
	pull.Close(ada)
	if state := pull.State(); state.Open || state.Merged || state.MergeCommit != "" {
		t.Errorf("closed: %+v", state)
	}
	pull.Reopen(ada)
	pull.Retitle(ada, "Topic")
	pull.Retarget(ada, "release")
	pull.Label(ada, "mooring")
	pull.Label(ada, "mooring")
	if state := pull.State(); !state.Open || state.Draft || state.Title != "Topic" || state.Base != "release" || !slices.Equal(state.Labels, []string{"mooring"}) {
		t.Errorf("in the end: %+v", state)
	}
	repo.DeleteBranch(ada, "topic")
	if got := repo.Head("topic"); got != "" {
		t.Errorf("the deleted branch is at %s", got)
	}
}
