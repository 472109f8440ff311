package forge

import (
	"encoding/base64"
	"errors"
	"net/http"
	"testing"
	"time"

	sdk "code.gitea.io/sdk/gitea"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/githttp"
)

func TestGiteaTeamsGivePermission(t *testing.T) {
	server := gitea.Shared(t)
	owner, bot, stranger := server.User("owner"), server.User("mooring"), server.User("stranger")
	org := server.Organisation(owner, "acme")
	repo := org.Repository("infra", map[string]string{"main.tf": ""})
	writer, reader, guest := server.User("writer"), server.User("reader"), server.User("guest")
	org.Team("operators", "write", []*gitea.Account{writer, bot}, repo)
	org.Team("auditors", "read", []*gitea.Account{reader, bot}, repo)
	repo.Collaborator(bot, "admin")
	repo.Collaborator(guest, "write")
	f := must(New(Config{Kind: Gitea, URL: server.URL, Repository: repo.FullName(), Token: bot.Token}))(t)
	for _, c := range []struct {
		who  *gitea.Account
		want Permission
	}{{writer, Write}, {guest, Write}, {reader, Read}, {stranger, None}, {bot, Admin}, {owner, Admin}} {
		if got, err := f.Permission(t.Context(), User{ID: c.who.ID, Login: c.who.Login}); err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", c.who.Login, got, err, c.want)
		}
	}
	// Of a team that does not show its members, nobody can be said not to be one.
	org.Team("hidden", "write", []*gitea.Account{reader}, repo)
	for _, who := range []*gitea.Account{reader, stranger} {
		if got, err := f.Permission(t.Context(), User{ID: who.ID, Login: who.Login}); got != None || !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v, %v", who.Login, got, err)
		}
	}
	if got, err := f.Permission(t.Context(), User{ID: writer.ID, Login: writer.Login}); err != nil || got != Write {
		t.Errorf("who is in another: %v, %v", got, err)
	}
}

func TestGiteaHidesWhatIsPrivate(t *testing.T) {
	w := newGiteaWorld(t)
	cfg := w.config()
	cfg.Token = w.server.User("outsider").Token
	f := must(New(cfg))(t)
	if _, err := f.PullRequests(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a list: %v", err)
	}
	if pr, ok, err := f.Brought(t.Context(), w.repo.Head(gitea.Branch)); !errors.Is(err, ErrNotFound) || ok {
		t.Errorf("what brought a commit: %+v, %v, %v", pr, ok, err)
	}
	cfg.Token = "0123456789012345678901234567890123456789"
	if _, err := must(New(cfg))(t).Self(t.Context()); !errors.Is(err, ErrDenied) {
		t.Errorf("a token that is none: %v", err)
	}
}

// Who may only read may push refs/for/main all the same, which makes a pull request
// in the repository itself, with no fork to be seen.
func TestGiteaPullRequestsWithoutABranchAreForks(t *testing.T) {
	w := newGiteaWorld(t)
	eve := w.account(t, w.person(t, Read))
	git := githttp.Git{Dir: t.TempDir(), Env: []string{
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader",
		"GIT_CONFIG_VALUE_0=Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(eve.Login+":"+eve.Token)),
	}}
	for _, args := range [][]string{
		{"clone", "--quiet", w.repo.URL, "."},
		{"commit", "--quiet", "--allow-empty", "-m", "From outside"},
		{"push", "--quiet", "-o", "topic=outside", "origin", "HEAD:refs/for/main"},
	} {
		if out, err := git.Run(t.Context(), args...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	f := must(New(w.config()))(t)
	all := must(f.PullRequests(t.Context()))(t)
	if len(all) != 1 || !all[0].Fork || all[0].Author.ID != eve.ID {
		t.Fatalf("%+v", all)
	}
	if one := must(f.PullRequest(t.Context(), all[0].Number))(t); !one.Fork || one.Head != all[0].Head {
		t.Errorf("%+v", one)
	}
}

// The branch moves before Gitea marks the pull request as merged.
func TestGiteaBroughtAtOnce(t *testing.T) {
	w := newGiteaWorld(t)
	ada := w.person(t, Write)
	f := must(New(w.config()))(t)
	number := w.open(t, ada, 1, false)
	w.settle(t, number)
	tip := func() string {
		var branch struct{ Commit struct{ ID string } }
		w.server.Call(w.owner, http.MethodGet, "repos/"+w.repo.FullName()+"/branches/main", nil, &branch)
		return branch.Commit.ID
	}
	before := tip()
	merged := make(chan error, 1)
	go func() { merged <- w.pulls[number].pull.TryMerge(w.owner, "squash") }()
	for tip() == before {
		select {
		case err := <-merged:
			merged <- err
			if err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	if pr, ok, err := f.Brought(t.Context(), tip()); err != nil || !ok || pr.Number != number {
		t.Errorf("%+v, %v, %v", pr, ok, err)
	}
	if err := <-merged; err != nil {
		t.Error(err)
	}
}

func TestGiteaHooks(t *testing.T) {
	w := newGiteaWorld(t)
	ada, bob := w.person(t, Write), w.person(t, Write)
	inbox := gitea.Receive(t)
	w.repo.Webhook(inbox.URL, hookSecret)
	number := w.open(t, ada, 1, false)
	w.settle(t, number)
	w.push(t, number)
	id := w.comment(t, bob, number, "mooring plan")
	w.uncomment(t, number, id)
	w.review(t, bob, number, Approved)
	w.settle(t, number)
	w.merge(t, number, "merge")
	for _, want := range []struct {
		kind, action string
		hook         Hook
	}{
		{"push", "", Hook{Event: "push", Pushed: true}},
		{"pull_request", "opened", Hook{Event: "pull_request", Number: number}},
		{"pull_request_sync", "synchronized", Hook{Event: "pull_request", Number: number}},
		{"pull_request_comment", "created", Hook{Event: "issue_comment", Number: number}},
		{"pull_request_comment", "deleted", Hook{Event: "issue_comment", Number: number}},
		{"pull_request_review_approved", "reviewed", Hook{Event: "pull_request_approved", Number: number}},
		{"pull_request", "closed", Hook{Event: "pull_request", Number: number}},
	} {
		d := inbox.Await(want.kind, want.action)
		want.hook.Repository = w.repo.FullName()
		if got, err := ParseHook(Gitea, hookSecret, d.Header, d.Body); err != nil || got != want.hook {
			t.Errorf("%s %s: %+v, %v, want %+v", want.kind, want.action, got, err, want.hook)
		}
		if got, err := ParseHook(Gitea, "another", d.Header, d.Body); !errors.Is(err, ErrSignature) || got != (Hook{}) {
			t.Errorf("%s %s by another secret: %+v, %v", want.kind, want.action, got, err)
		}
	}
}

func TestGiteaPages(t *testing.T) {
	response := func(total string, next int) *sdk.Response {
		h := http.Header{}
		if total != "" {
			h.Set("X-Total-Count", total)
		}
		return &sdk.Response{Response: &http.Response{Header: h}, NextPage: next}
	}
	items := func(from, to int) (all []int) {
		for i := from; i < to; i++ {
			all = append(all, i)
		}
		return all
	}
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		page  func(asked, page int) ([]int, *sdk.Response, error)
		want  int
		asked int
		err   error
	}{
		"none":       {page: func(_, _ int) ([]int, *sdk.Response, error) { return nil, response("0", 0), nil }, asked: 1},
		"all in one": {page: func(_, _ int) ([]int, *sdk.Response, error) { return items(0, 120), response("120", 0), nil }, want: 120, asked: 1},
		"by link": {page: func(_, n int) ([]int, *sdk.Response, error) {
			return items(50*(n-1), min(50*n, 120)), response("", []int{0, 2, 3, 0}[n]), nil
		}, want: 120, asked: 3},
		"by count, of a server with short pages": {page: func(_, n int) ([]int, *sdk.Response, error) {
			return items(20*(n-1), min(20*n, 45)), response("45", 0), nil
		}, want: 45, asked: 3},
		"shrinks once": {page: func(asked, n int) ([]int, *sdk.Response, error) {
			if asked == 1 {
				return items(1, 51), response("60", 2), nil
			}
			return items(50*(n-1), min(50*n, 59)), response("59", 2-n), nil
		}, want: 59, asked: 4},
		"counts what it hides": {page: func(_, n int) ([]int, *sdk.Response, error) {
			return items(50*(n-1), min(50*n, 70)), response("71", 0), nil
		}, want: 70, asked: 3},
		"breaks": {page: func(_, n int) ([]int, *sdk.Response, error) {
			if n == 2 {
				return nil, nil, broken
			}
			return items(0, 50), response("60", 2), nil
		}, asked: 2, err: broken},
		"has no end": {page: func(_, n int) ([]int, *sdk.Response, error) { return items(0, 1), response("", n+1), nil }, asked: maxPages, err: ErrRefused},
	} {
		asked := 0
		all, err := giteaPages(func(o sdk.ListOptions) ([]int, *sdk.Response, error) {
			asked++
			if o.PageSize != giteaPage {
				t.Errorf("%s: pages of %d", name, o.PageSize)
			}
			return c.page(asked, o.Page)
		})
		if len(all) != c.want || asked != c.asked || !errors.Is(err, c.err) {
			t.Errorf("%s: %d items of %d requests, %v", name, len(all), asked, err)
		}
	}
}

func TestGiteaMarksOfYoungCommits(t *testing.T) {
	for name, c := range map[string]struct {
		age   time.Duration
		marks int // how many asks it takes until the mark is there
		open  bool
		found bool
		asks  int
	}{
		"marked":                 {age: time.Hour, marks: 1, found: true, asks: 1},
		"marked late":            {open: true, age: time.Second, marks: 3, found: true, asks: 3},
		"pushed just now":        {open: true, age: time.Second, marks: 99, asks: 3},
		"pushed, none open":      {age: time.Second, marks: 99, asks: 2},
		"marked as none is open": {age: time.Second, marks: 2, found: true, asks: 2},
		"pushed some time ago":   {age: time.Minute, marks: 99, asks: 1},
		"of a clock that leads":  {open: true, age: -time.Second, marks: 2, found: true, asks: 2},
	} {
		asks := 0
		_, address := wired(t, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Date", noon.Format(http.TimeFormat))
			switch {
			case r.URL.Path == "/api/v1/repos/acme/infra/pulls":
				_, _ = rw.Write([]byte(map[bool]string{false: "[]", true: `[{"number":1}]`}[c.open]))
			case r.URL.Path != "/api/v1/repos/acme/infra/commits/"+commit+"/pull":
				_, _ = rw.Write([]byte(`{"sha":"` + commit + `","commit":{"committer":{"date":"` + noon.Add(-c.age).Format(time.RFC3339) + `"}}}`))
			case func() bool { asks++; return asks < c.marks }():
				rw.WriteHeader(http.StatusNotFound)
			default:
				_, _ = rw.Write([]byte(`{"number":7,"state":"closed","merged":true,"merge_commit_sha":"` + commit + `"}`))
			}
		})
		f := must(New(Config{Kind: Gitea, URL: address, Repository: "acme/infra", Token: token}))(t)
		f.backend.(*giteaForge).marks = []time.Duration{1, 1}
		pr, ok, err := f.Brought(t.Context(), commit)
		if err != nil || ok != c.found || asks != c.asks || ok && (pr.Number != 7 || pr.State != Merged) {
			t.Errorf("%s: %+v, %v, %v after %d asks", name, pr, ok, err, asks)
		}
	}
}

// A busy Gitea has been seen to take more than three seconds to find out whether it can merge.
func TestGiteaFindsOutWhetherItCanMerge(t *testing.T) {
	for name, c := range map[string]struct {
		busy, asks int // how many asks it is busy for, and is asked
		err        error
	}{
		"at once":  {asks: 1},
		"busy":     {busy: 5, asks: 6},
		"conflict": {busy: 99, asks: 8, err: ErrRefused},
	} {
		asks, looks := 0, 0
		_, address := wired(t, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			if r.Method == http.MethodGet { // only then it looks into one that nobody has worked on for a week
				looks++
				_, _ = rw.Write([]byte(`{"number":7,"state":"open"}`))
				return
			}
			if asks++; asks <= c.busy || looks < asks-1 {
				rw.WriteHeader(http.StatusMethodNotAllowed)
				_, _ = rw.Write([]byte(`{"message":"Please try again later"}`))
			}
		})
		f := must(New(Config{Kind: Gitea, URL: address, Repository: "acme/infra", Token: token}))(t)
		g := f.backend.(*giteaForge)
		var patience time.Duration
		for i, pause := range g.checks {
			patience, g.checks[i] = patience+pause, 1
		}
		if patience < 20*time.Second || patience > 30*time.Second {
			t.Errorf("it is given %s", patience)
		}
		err := f.Merge(t.Context(), MergeRequest{Number: 7, Head: commit, Method: "merge"})
		if !errors.Is(err, c.err) || asks != c.asks {
			t.Errorf("%s: %v after %d asks", name, err, asks)
		}
	}
}

const commit = "0123456789abcdef0123456789abcdef01234567"
