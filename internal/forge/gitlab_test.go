package forge

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

func gitLabConfig(f *fakeGitLab) Config {
	return Config{Kind: GitLab, URL: f.server, Repository: gitLabProject, Token: gitLabToken}
}

func TestGitLabFake(t *testing.T) {
	f := newFakeGitLab(t)
	suite(t, gitLabWorld(f, gitLabConfig(f)), traits{changes: true, reviewCommit: true, fork: true, methods: []string{"merge", "squash"}})
}

func TestGitLabFakeBefore18(t *testing.T) {
	f := newFakeGitLab(t)
	f.undated = true
	suite(t, gitLabWorld(f, gitLabConfig(f)), traits{changes: true, reviewCommit: true, fork: true, methods: []string{"merge", "squash"}})
}

func openFakeGitLab(t *testing.T) (*fakeGitLab, *Forge) {
	f := newFakeGitLab(t)
	return f, must(New(gitLabConfig(f)))(t)
}

func TestGitLabAddresses(t *testing.T) {
	for setting, want := range map[string]string{
		"":                                     "https://gitlab.com/api/v4/",
		"https://gitlab.com/":                  "https://gitlab.com/api/v4/",
		"https://git.example.com/code/":        "https://git.example.com/code/api/v4/",
		"http://git.example.com:8080/api/v4":   "http://git.example.com:8080/api/v4/",
		"https://git.example.com/code/api/v4/": "https://git.example.com/code/api/v4/",
	} {
		b, wire, err := newGitLab(Config{URL: setting, Repository: gitLabProject, Token: "x"})
		if err != nil || wire.root.String() != want || b.(*gitLab).client.BaseURL().String() != want {
			t.Errorf("%q: %v, want %s", setting, err, want)
		}
	}
}

func TestGitLabPages(t *testing.T) {
	f, forge := openFakeGitLab(t)
	f.locked(func() {
		ada := f.user("ada", Write)
		for range 230 {
			f.open(ada, 1)
			f.say(f.pulls[1], ada, "mooring help")
		}
		for range 120 {
			f.push(f.pulls[1])
		}
		f.approves(f.pulls[1], ada)
	})
	ask := func() {
		t.Helper()
		if all := must(forge.PullRequests(t.Context()))(t); len(all) != 230 {
			t.Errorf("%d merge requests", len(all))
		}
		if all := must(forge.Comments(t.Context(), 1, 0))(t); len(all) != 230 {
			t.Errorf("%d comments", len(all))
		}
	}
	ask()
	f.locked(func() { f.fresh = 0 })
	ask()
	if f.fresh != 0 {
		t.Errorf("%d answers were sent again though nothing had changed", f.fresh)
	}
	if all := must(forge.Reviews(t.Context(), 1))(t); len(all) != 1 || all[0].Commit != f.pulls[1].head {
		t.Errorf("%+v", all)
	}
}

func TestGitLabCommentsArePeoples(t *testing.T) {
	f, forge := openFakeGitLab(t)
	f.locked(func() {
		ada := f.user("ada", Write)
		p := f.open(ada, 1)
		f.say(p, ada, "added 1 commit").system = true
		f.say(p, ada, "mooring plan")
		f.say(p, ada, "why this line?").diff = true
	})
	if all := must(forge.Comments(t.Context(), 1, 0))(t); len(all) != 1 || all[0].Body != "mooring plan" {
		t.Errorf("%+v", all)
	}
}

func TestGitLabApprovalOfAnOlderHead(t *testing.T) {
	for _, undated := range []bool{false, true} {
		f, forge := openFakeGitLab(t)
		f.undated = undated
		var p *fakePull
		var bob int64
		f.locked(func() {
			p, bob = f.open(f.user("ada", Write), 1), f.user("bob", Write)
			f.approves(p, bob)
		})
		check := func(what, want string) {
			t.Helper()
			got := must(forge.Reviews(t.Context(), 1))(t)
			if len(got) != 1 || got[0].Verdict != Approved || got[0].By.ID != bob || got[0].Commit != want {
				t.Errorf("%s (undated: %v): %+v, want of %s", what, undated, got, want)
			}
		}
		first := p.head
		check("at the head", first)
		f.locked(func() { f.push(p) })
		check("after a push", first)
		f.locked(func() { f.push(p); f.approves(p, bob) })
		check("again", p.head)
		second := p.versions[1].head
		f.locked(func() { p.reviews[0].at, p.comments[len(p.comments)-1].at = p.versions[2].at, p.versions[2].at })
		check("in the moment of a push", second)
		f.locked(func() {
			p.reviews[0].at = p.versions[0].at.Add(-1)
			p.comments[len(p.comments)-1].at = p.reviews[0].at
		})
		check("before all that is known", "")
		if undated {
			f.locked(func() { p.comments = nil })
			check("at no time that is known", "")
		}
	}
}

func TestGitLabSomebodyWhoSaysBoth(t *testing.T) {
	f, forge := openFakeGitLab(t)
	f.locked(func() {
		p, bob := f.open(f.user("ada", Write), 1), f.user("bob", Write)
		f.approves(p, bob)
		f.review(p, bob, ChangesRequested)
		f.say(p, bob, "requested changes").system = true
	})
	if got := must(forge.Reviews(t.Context(), 1))(t); len(got) != 1 || got[0].Verdict != ChangesRequested {
		t.Errorf("%+v", got)
	}
}

func TestGitLabStatusTwice(t *testing.T) {
	f, forge := openFakeGitLab(t)
	commit := f.branches["main"][0]
	set := func(c Check, description, want string) {
		t.Helper()
		if err := forge.SetStatus(t.Context(), commit, Status{Context: "mooring/plan", Check: c, Description: description}); err != nil {
			t.Fatal(err)
		}
		jobs := f.pipelines[0].jobs
		if last := jobs[len(jobs)-1]; last.state+": "+last.description != want {
			t.Errorf("%s %q: %+v", c, description, last)
		}
	}
	set(Pending, "waits", "pending: waits")
	set(Pending, "plans", "running: plans")
	set(Pending, "still plans", "running: plans") // GitLab takes no more of them
	set(Success, "1 to add", "success: 1 to add")
	set(Success, "1 to add", "success: 1 to add")
	set(Pending, "waits", "pending: waits")
	set(Error, "cannot tell", "failed: cannot tell")
	set(Failure, "no", "failed: no")
	if len(f.pipelines) != 1 {
		t.Errorf("%d pipelines", len(f.pipelines))
	}
}

func TestGitLabStatusOfAForksHead(t *testing.T) {
	f, forge := openFakeGitLab(t)
	var p *fakePull
	f.locked(func() {
		p = f.open(f.user("outsider", None), 1)
		p.fork = true
		delete(f.branches, p.ref)
	})
	status := Status{Context: "mooring/plan", Check: Success, Description: "1 to add"}
	if err := forge.SetStatus(t.Context(), p.head, status); err != nil || f.pipelines[0].ref != "refs/merge-requests/1/head" {
		t.Errorf("%v", err)
	}
	f.locked(func() { p.state = Closed; f.pipelines = nil })
	if err := forge.SetStatus(t.Context(), p.head, status); !errors.Is(err, ErrNotFound) {
		t.Errorf("on no ref: %v", err)
	}
}

func TestGitLabStatusWhileAnotherIsSet(t *testing.T) {
	f, forge := openFakeGitLab(t)
	f.locked(func() {
		f.broken = func(w http.ResponseWriter, r *http.Request) bool {
			f.fail(w, r, http.StatusConflict, "Another update to this commit status is in progress")
			return true
		}
	})
	err := forge.SetStatus(t.Context(), f.branches["main"][0], Status{Context: "mooring/plan", Check: Success})
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestGitLabMergesByItsProject(t *testing.T) {
	for _, c := range []struct {
		ff     bool
		method string
		way    string // "" is refused
	}{
		{false, "", "merge"}, {false, "merge", "merge"}, {false, "squash", "squash"}, {false, "rebase", ""},
		{true, "", "ff"}, {true, "rebase", "ff"}, {true, "squash", "squash"}, {true, "merge", ""},
	} {
		f, forge := openFakeGitLab(t)
		f.ff = c.ff
		var p *fakePull
		f.locked(func() { p = f.open(f.user("ada", Write), 2) })
		err := forge.Merge(t.Context(), MergeRequest{Number: 1, Head: p.head, Method: c.method})
		if p.way != c.way || (c.way == "") != errors.Is(err, ErrRefused) || c.way != "" && err != nil {
			t.Errorf("%+v: merged by %q, %v", c, p.way, err)
		}
		if c.way == "" {
			continue
		}
		tip := p.brought[len(p.brought)-1]
		pr, ok, err := forge.Brought(t.Context(), tip)
		if err != nil || !ok || pr.MergeCommit != tip {
			t.Errorf("%+v: %+v, %v, %v", c, pr, ok, err)
		}
		if _, ok, err := forge.Brought(t.Context(), p.commits[0]); err != nil || ok != (c.way != "squash") {
			t.Errorf("%+v: a commit of it was brought: %v, %v", c, ok, err)
		}
	}
}

func TestGitLabRefusesInItsWords(t *testing.T) {
	for what, c := range map[string]struct {
		change func(f *fakeGitLab, p *fakePull)
		want   error
		words  string
	}{
		"conflicts":        {func(_ *fakeGitLab, p *fakePull) { p.mergeable = No }, ErrRefused, "Branch cannot be merged"},
		"a draft":          {func(_ *fakeGitLab, p *fakePull) { p.draft = true }, ErrRefused, "405"},
		"a push":           {func(f *fakeGitLab, p *fakePull) { f.push(p) }, ErrRefused, "SHA does not match"},
		"no right to it":   {func(f *fakeGitLab, _ *fakePull) { f.users[f.bot].permission = Read }, ErrDenied, "401"},
		"a merge that was": {func(f *fakeGitLab, _ *fakePull) { f.fails = "pre-receive hook declined" }, ErrRefused, "pre-receive hook declined"},
		"one that goes on": {func(f *fakeGitLab, _ *fakePull) { f.async = true }, nil, ""},
	} {
		f, forge := openFakeGitLab(t)
		var head string
		f.locked(func() {
			p := f.open(f.user("ada", Write), 1)
			head = p.head
			c.change(f, p)
		})
		err := forge.Merge(t.Context(), MergeRequest{Number: 1, Head: head})
		if !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %v %q", what, err, c.want, c.words)
		}
	}
}

func TestGitLabMergeable(t *testing.T) {
	for status, want := range map[string]Answer{
		"": Unknown, "unchecked": Unknown, "checking": Unknown, "preparing": Unknown, "approvals_syncing": Unknown,
		"mergeable": Yes, "ci_must_pass": Yes, "ci_still_running": Yes,
		"conflict": No, "need_rebase": No, "draft_status": No, "not_open": No, "not_approved": No, "of a later version": No,
	} {
		if got := gitLabMergeable(status, false); got != want {
			t.Errorf("%q: %d, want %d", status, got, want)
		}
	}
	if gitLabMergeable("ci_must_pass", true) != No {
		t.Error("a pipeline stands before a conflict")
	}
}

func TestGitLabPermissions(t *testing.T) {
	for level, want := range map[gitlab.AccessLevelValue]Permission{
		0: None, 5: None, 10: None, 15: None, 20: Read, 25: Read, 30: Write, 40: Admin, 50: Admin,
	} {
		if got := gitLabPermission(level); got != want {
			t.Errorf("level %d: %s, want %s", level, got, want)
		}
	}
	f, forge := openFakeGitLab(t)
	var u User
	f.locked(func() { u = User{ID: f.user("ada", Admin), Login: "ada"} })
	if p := must(forge.Permission(t.Context(), u))(t); p != Admin {
		t.Errorf("a maintainer: %s", p)
	}
	f.locked(func() { f.users[u.ID].blocked = true })
	if p := must(forge.Permission(t.Context(), u))(t); p != None {
		t.Errorf("blocked: %s", p)
	}
}

func TestGitLabGhosts(t *testing.T) {
	f, forge := openFakeGitLab(t)
	f.locked(func() {
		gone := f.user("gone", Admin)
		p := f.open(gone, 1)
		p.fork, p.forkGone = true, true
		delete(f.users, gone)
	})
	if pr := must(forge.PullRequest(t.Context(), 1))(t); !pr.Fork {
		t.Errorf("of a fork that is gone: %+v", pr)
	}
}

func TestGitLabLimitIsNotWaitedFor(t *testing.T) {
	f, forge := openFakeGitLab(t)
	f.locked(func() {
		f.broken = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte("Retry later\n"))
			return true
		}
	})
	var limit *LimitError
	_, err := forge.Comment(t.Context(), 1, "hello")
	if !errors.As(err, &limit) || len(f.requests) != 1 {
		t.Errorf("%v after %v", err, f.requests)
	}
}
