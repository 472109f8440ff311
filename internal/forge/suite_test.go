package forge

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// world is a forge with one repository in it, and people who do things there. What
// cannot be done ends the test. Branch main has a file and is the base of every pull
// request.
type world interface {
	// config is Mooring's: its account administers the repository.
	config() Config
	// person makes an account that may do as much in the repository.
	person(t *testing.T, p Permission) User
	rename(t *testing.T, u User) User // same id, another login
	remove(t *testing.T, u User)
	// team makes a team of org/team, or a group, with these members.
	team(t *testing.T, members ...User) string

	// commit adds a commit to a branch of the repository, which it makes from main
	// where it is missing, and returns it.
	commit(t *testing.T, branch string) string
	// open makes a pull request of a new branch with so many commits; fork: of
	// another repository, which by makes.
	open(t *testing.T, by User, commits int, fork bool) int
	draft(t *testing.T, number int)
	label(t *testing.T, number int, name string)
	push(t *testing.T, number int) string // another commit onto its head
	close(t *testing.T, number int)
	merge(t *testing.T, number int, method string) string // the commit that main is at then
	settle(t *testing.T, number int)                      // returns when the forge has looked whether it can be merged

	review(t *testing.T, by User, number int, v Verdict) // Approved or ChangesRequested, of its head; "" is a comment alone
	request(t *testing.T, number int, of User)           // asks for a review
	dismiss(t *testing.T, number int, by User)           // takes the last review of that person back

	comment(t *testing.T, by User, number int, body string) int64
	uncomment(t *testing.T, number int, id int64)
	reactions(t *testing.T, number int, comment int64) []string
	statuses(t *testing.T, commit string) map[string]Status // by context, the last

	issue(t *testing.T, by User, title, body string) int // opens one
	said(t *testing.T, issue int) []string               // its comments
	tip(t *testing.T, branch string) string              // "" where there is no such branch
	parent(t *testing.T, commit string) string
	read(t *testing.T, commit, file string) string
}

// traits are where forges differ in what they can.
type traits struct {
	dismissed    bool // a verdict can be taken back
	changes      bool // changes can be requested as a verdict
	reviewCommit bool // a review tells the commit that it was of
	fork         bool
	methods      []string // to merge by in one repository; nil is all
}

// suite is what holds on every forge.
func suite(t *testing.T, w world, can traits) {
	if can.methods == nil {
		can.methods = []string{"merge", "squash", "rebase"}
	}
	f, err := New(w.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Self", func(t *testing.T) { suiteSelf(t, w, f) })
	t.Run("Life of a pull request", func(t *testing.T) { suiteLife(t, w, f, can) })
	t.Run("Lists", func(t *testing.T) { suiteLists(t, w, f) })
	t.Run("Reviews", func(t *testing.T) { suiteReviews(t, w, f, can) })
	t.Run("Comments", func(t *testing.T) { suiteComments(t, w, f) })
	t.Run("Statuses", func(t *testing.T) { suiteStatuses(t, w, f) })
	t.Run("Permission", func(t *testing.T) { suitePermission(t, w, f) })
	t.Run("Teams", func(t *testing.T) { suiteTeams(t, w, f) })
	t.Run("Brought", func(t *testing.T) { suiteBrought(t, w, f, can) })
	t.Run("Merge", func(t *testing.T) { suiteMerge(t, w, f, can) })
	t.Run("Issues", func(t *testing.T) { suiteIssues(t, w, f) })
	t.Run("Branches", func(t *testing.T) { suiteBranches(t, w, f) })
	t.Run("Pull requests of ours", func(t *testing.T) { suiteOwnPulls(t, w, f) })
	t.Run("Weather", func(t *testing.T) { suiteWeather(t, w) })
}

func suiteSelf(t *testing.T, w world, f *Forge) {
	me := must(f.Self(t.Context()))(t)
	if me.ID <= 0 || me.Login == "" {
		t.Fatalf("%+v is nobody", me)
	}
	number := w.open(t, w.person(t, Write), 1, false)
	id := must(f.Comment(t.Context(), number, "It is me."))(t)
	said := must(f.Comments(t.Context(), number, 0))(t)
	if len(said) != 1 || said[0].ID != id || said[0].By.ID != me.ID {
		t.Errorf("comments %+v are not those of %+v", said, me)
	}
}

func suiteLife(t *testing.T, w world, f *Forge, can traits) {
	ctx := t.Context()
	ada := w.person(t, Write)
	number := w.open(t, ada, 1, false)
	w.settle(t, number)
	pr := must(f.PullRequest(ctx, number))(t)
	switch {
	case pr.Number != number, pr.State != Open, pr.Draft, pr.Fork, pr.Base != "main", pr.Title == "", pr.HeadRef == "",
		pr.Author.ID != ada.ID, whole(pr.Head) != nil, pr.MergeCommit != "", pr.Updated.IsZero():
		t.Errorf("new: %+v", pr)
	case !strings.HasPrefix(pr.HeadGitRef, "refs/"), !strings.Contains(pr.URL, strconv.Itoa(number)):
		t.Errorf("addresses: %+v", pr)
	case pr.Mergeable == No:
		t.Errorf("nothing is in its way: %+v", pr)
	}

	head := w.push(t, number)
	if pr = must(f.PullRequest(ctx, number))(t); pr.Head != head {
		t.Errorf("after a push to %s: %+v", head, pr)
	}
	w.label(t, number, "plan-me")
	if pr = must(f.PullRequest(ctx, number))(t); len(pr.Labels) != 1 || pr.Labels[0] != "plan-me" {
		t.Errorf("labelled: %+v", pr)
	}
	w.draft(t, number)
	if pr = must(f.PullRequest(ctx, number))(t); !pr.Draft || pr.Mergeable == Yes {
		t.Errorf("draft: %+v", pr)
	}
	w.close(t, number)
	if pr = must(f.PullRequest(ctx, number))(t); pr.State != Closed || pr.Head != head {
		t.Errorf("closed: %+v", pr)
	}
	if can.fork {
		fork := must(f.PullRequest(ctx, w.open(t, w.person(t, Read), 1, true)))(t)
		if !fork.Fork || fork.State != Open || fork.Base != "main" {
			t.Errorf("of a fork: %+v", fork)
		}
	}
	if _, err := f.PullRequest(ctx, 999999); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a number that nobody has: %v", err)
	}
}

func suiteLists(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	for _, pr := range must(f.PullRequests(ctx))(t) {
		w.close(t, pr.Number)
	}
	if left := must(f.PullRequests(ctx))(t); len(left) != 0 {
		t.Fatalf("all are closed, but for %+v", left)
	}
	ada := w.person(t, Write)
	first, second := w.open(t, ada, 1, false), w.open(t, ada, 1, false)
	want := map[int]string{}
	for _, number := range []int{first, second} {
		want[number] = must(f.PullRequest(ctx, number))(t).Head
	}
	found := must(f.PullRequests(ctx))(t)
	if len(found) != 2 {
		t.Fatalf("%+v", found)
	}
	for i, pr := range found {
		if pr.Head != want[pr.Number] || pr.State != Open || pr.Author.ID != ada.ID || pr.Base != "main" || pr.HeadGitRef == "" {
			t.Errorf("listed: %+v", pr)
		}
		if i > 0 && pr.Updated.After(found[i-1].Updated) {
			t.Errorf("#%d is newer than the one before it", pr.Number)
		}
	}
	w.close(t, first)
	if found = must(f.PullRequests(ctx))(t); len(found) != 1 || found[0].Number != second {
		t.Errorf("one is left open: %+v", found)
	}
	w.close(t, second)
}

func suiteReviews(t *testing.T, w world, f *Forge, can traits) {
	ctx := t.Context()
	number := w.open(t, w.person(t, Write), 1, false)
	bob, eve := w.person(t, Write), w.person(t, Write)
	at := must(f.PullRequest(ctx, number))(t).Head
	said := func(what string, want ...Review) {
		t.Helper()
		got := must(f.Reviews(ctx, number))(t)
		if len(got) != len(want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
			return
		}
		for i, r := range got {
			if !can.reviewCommit {
				want[i].Commit = r.Commit
			}
			if r.At.IsZero() || r.By.ID != want[i].By.ID || r.Verdict != want[i].Verdict || r.Commit != want[i].Commit {
				t.Errorf("%s: %+v, want %+v", what, r, want[i])
			}
		}
	}
	said("nobody")
	w.request(t, number, bob)
	w.review(t, eve, number, "")
	said("a request and a comment")
	w.review(t, bob, number, Approved)
	said("one", Review{By: bob, Verdict: Approved, Commit: at})
	if can.changes {
		w.review(t, eve, number, ChangesRequested)
		said("two", Review{By: bob, Verdict: Approved, Commit: at}, Review{By: eve, Verdict: ChangesRequested, Commit: at})
		w.review(t, eve, number, Approved)
	} else {
		w.review(t, eve, number, Approved)
	}
	said("the last word", Review{By: bob, Verdict: Approved, Commit: at}, Review{By: eve, Verdict: Approved, Commit: at})
	if can.reviewCommit {
		head := w.push(t, number)
		said("of an older head", Review{By: bob, Verdict: Approved, Commit: at}, Review{By: eve, Verdict: Approved, Commit: at})
		w.review(t, bob, number, Approved)
		said("again", Review{By: eve, Verdict: Approved, Commit: at}, Review{By: bob, Verdict: Approved, Commit: head})
		at = head
	}
	if can.dismissed {
		w.dismiss(t, number, bob)
		got := must(f.Reviews(ctx, number))(t)
		if len(got) != 2 || got[1].By.ID != bob.ID || got[1].Verdict != Dismissed {
			t.Errorf("dismissed: %+v", got)
		}
	}
}

func suiteComments(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	ada := w.person(t, Write)
	number, other := w.open(t, ada, 1, false), w.open(t, ada, 1, false)
	var ids []int64
	for i := range 55 {
		ids = append(ids, w.comment(t, ada, number, "mooring plan "+strconv.Itoa(i)))
	}
	w.comment(t, ada, other, "elsewhere")
	said := must(f.Comments(ctx, number, 0))(t)
	if len(said) != len(ids) {
		t.Fatalf("%d comments of %d", len(said), len(ids))
	}
	for i, c := range said {
		if c.ID != ids[i] || c.Body != "mooring plan "+strconv.Itoa(i) || c.By.ID != ada.ID || c.Created.IsZero() {
			t.Fatalf("comment %d: %+v", i, c)
		}
	}
	if said = must(f.Comments(ctx, number, ids[52]))(t); len(said) != 2 || said[0].ID != ids[53] {
		t.Errorf("after the 53rd: %+v", said)
	}
	if said = must(f.Comments(ctx, number, ids[54]))(t); len(said) != 0 {
		t.Errorf("after the last: %+v", said)
	}

	const text = "| unit | add |\n|---|---|\n| `infra/a` | 1 |\n\n<details><summary>x & y</summary>\n\nÄöü 🚢 \\ \" '\n\n</details>\n<!-- mooring:1 -->"
	mine := must(f.Comment(ctx, number, text))(t)
	if said = must(f.Comments(ctx, number, ids[54]))(t); len(said) != 1 || said[0].ID != mine || said[0].Body != text {
		t.Errorf("a comment came back as %+v", said)
	}
	if err := f.EditComment(ctx, number, mine, "Nothing changes."); err != nil {
		t.Error(err)
	}
	if said = must(f.Comments(ctx, number, ids[54]))(t); len(said) != 1 || said[0].Body != "Nothing changes." {
		t.Errorf("edited: %+v", said)
	}
	if _, err := f.Comment(ctx, number, strings.Repeat("x", f.MaxComment())); err != nil {
		t.Errorf("as long as may be: %v", err)
	}
	if _, err := f.Comment(ctx, number, strings.Repeat("x", f.MaxComment()+1)); !errors.Is(err, ErrRefused) {
		t.Errorf("longer than may be: %v", err)
	}
	for range 2 {
		if err := f.React(ctx, number, ids[0], Seen); err != nil {
			t.Errorf("seen, perhaps again: %v", err)
		}
	}
	if err := f.React(ctx, number, ids[0], Sad); err != nil {
		t.Error(err)
	}
	if got := w.reactions(t, number, ids[0]); len(got) != 2 {
		t.Errorf("reactions %v", got)
	}

	w.uncomment(t, number, mine)
	if err := f.EditComment(ctx, number, mine, "Still here?"); !errors.Is(err, ErrNotFound) {
		t.Errorf("edit of one that is gone: %v", err)
	}
	if err := f.React(ctx, number, mine, Seen); !errors.Is(err, ErrNotFound) {
		t.Errorf("reaction to one that is gone: %v", err)
	}
	if _, err := f.Comment(ctx, 999999, "Hello?"); !errors.Is(err, ErrNotFound) {
		t.Errorf("comment on nothing: %v", err)
	}
}

func suiteStatuses(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	commit := w.commit(t, "statuses")
	for _, s := range []Status{
		{Context: "mooring/plan", Check: Pending, Description: "planning 3 units"},
		{Context: "mooring/plan", Check: Success, Description: "1 to add", URL: "https://mooring.example.com/runs/1"},
		{Context: "mooring/policy", Check: Failure, Description: strings.Repeat("long ", 200)},
		{Context: "mooring/apply", Check: Error},
	} {
		if err := f.SetStatus(ctx, commit, s); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
	}
	got := w.statuses(t, commit)
	plan := got["mooring/plan"]
	if plan.Check != Success || plan.Description != "1 to add" || plan.URL != "https://mooring.example.com/runs/1" {
		t.Errorf("plan: %+v", plan)
	}
	if policy := got["mooring/policy"]; policy.Check != Failure || !strings.HasPrefix(policy.Description, "long long") {
		t.Errorf("policy: %+v", policy)
	}
	if apply := got["mooring/apply"]; apply.Check != Error && apply.Check != Failure { // GitLab has one word for both
		t.Errorf("apply: %+v", apply)
	}
	if err := f.SetStatus(ctx, strings.Repeat("0123456789", 4), Status{Context: "mooring/plan", Check: Success}); err == nil {
		t.Error("a status of a commit that nobody has")
	}
}

func suitePermission(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	for _, want := range []Permission{None, Read, Write, Admin} {
		u := w.person(t, want)
		check := func(what string, u User, want Permission) {
			t.Helper()
			if got, err := f.Permission(ctx, u); err != nil || got != want {
				t.Errorf("%s %s: %v, %v", want, what, got, err)
			}
		}
		check("as is", u, want)
		check("without a login", User{ID: u.ID}, want)
		check("without an id", User{Login: u.Login}, None)
		check("under another's id", User{ID: 999999, Login: u.Login}, None)
		now := w.rename(t, u)
		if now.ID != u.ID || now.Login == u.Login {
			t.Fatalf("%+v became %+v", u, now)
		}
		check("renamed", now, want)
		check("by the name of before", u, want)
		w.remove(t, now)
		check("removed", now, None)
		check("removed, by the name of before", u, None)
	}
	owner, thief := w.person(t, Admin), w.person(t, None)
	if got, err := f.Permission(ctx, User{ID: thief.ID, Login: owner.Login}); err != nil || got != None {
		t.Errorf("under the name of an administrator: %v, %v", got, err)
	}
}

func suiteTeams(t *testing.T, w world, f *Forge) {
	ctx := t.Context()
	in, out := w.person(t, Read), w.person(t, Admin)
	team := w.team(t, in)
	check := func(what string, u User, want bool) {
		t.Helper()
		if got, err := f.InTeam(ctx, team, u); err != nil || got != want {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	check("member", in, true)
	check("member whose login is another's", User{ID: in.ID, Login: out.Login}, true)
	check("no member", out, false)
	check("no member under the name of one", User{ID: out.ID, Login: in.Login}, false)
	check("nobody", User{Login: in.Login}, false)
	if _, err := f.InTeam(ctx, team+"-of-nobody", in); !errors.Is(err, ErrNotFound) {
		t.Errorf("a team that does not exist: %v", err)
	}
}

func suiteBrought(t *testing.T, w world, f *Forge, can traits) {
	ctx := t.Context()
	ada := w.person(t, Write)
	for _, method := range can.methods {
		number := w.open(t, ada, 2, false)
		head := must(f.PullRequest(ctx, number))(t).Head
		w.commit(t, "main") // so that a rebase makes new commits
		w.settle(t, number)
		tip := w.merge(t, number, method)
		pr, ok, err := f.Brought(ctx, tip)
		if err != nil || !ok || pr.Number != number || pr.State != Merged || pr.MergeCommit != tip || pr.Head != head || pr.Base != "main" {
			t.Errorf("%s: %+v, %v, %v", method, pr, ok, err)
		}
	}
	if pr, ok, err := f.Brought(ctx, w.commit(t, "main")); err != nil || ok {
		t.Errorf("pushed: %+v, %v, %v", pr, ok, err)
	}
	open := must(f.PullRequest(ctx, w.open(t, ada, 1, false)))(t)
	if pr, ok, err := f.Brought(ctx, open.Head); err != nil || ok {
		t.Errorf("head of an open one: %+v, %v, %v", pr, ok, err)
	}
	if _, ok, err := f.Brought(ctx, strings.Repeat("0123456789", 4)); err == nil || ok {
		t.Errorf("a commit that nobody has: %v, %v", ok, err)
	}
}

func suiteMerge(t *testing.T, w world, f *Forge, can traits) {
	ctx := t.Context()
	ada := w.person(t, Write)
	for _, method := range append([]string{""}, can.methods...) {
		number := w.open(t, ada, 1, false)
		stale := must(f.PullRequest(ctx, number))(t).Head
		head := w.push(t, number)
		w.settle(t, number)
		if err := f.Merge(ctx, MergeRequest{Number: number, Head: stale, Method: method}); !errors.Is(err, ErrRefused) {
			t.Errorf("%q at an older head: %v", method, err)
		}
		if err := f.Merge(ctx, MergeRequest{Number: number, Method: method}); err == nil {
			t.Errorf("%q at no head", method)
		}
		if pr := must(f.PullRequest(ctx, number))(t); pr.State != Open {
			t.Fatalf("%q: merged at another head: %+v", method, pr)
		}
		if err := f.Merge(ctx, MergeRequest{Number: number, Head: head, Method: method}); err != nil {
			t.Errorf("%q: %v", method, err)
			continue
		}
		pr := must(f.PullRequest(ctx, number))(t)
		if pr.State != Merged || whole(pr.MergeCommit) != nil || pr.Head != head {
			t.Errorf("%q: %+v", method, pr)
		}
		if err := f.Merge(ctx, MergeRequest{Number: number, Head: head, Method: method}); !errors.Is(err, ErrRefused) {
			t.Errorf("%q twice: %v", method, err)
		}
	}
	number := w.open(t, ada, 1, false)
	head := must(f.PullRequest(ctx, number))(t).Head
	w.close(t, number)
	if err := f.Merge(ctx, MergeRequest{Number: number, Head: head}); !errors.Is(err, ErrRefused) {
		t.Errorf("closed: %v", err)
	}
}

// suiteWeather asks through a proxy that answers for the forge, as they do.
func suiteWeather(t *testing.T, w world) {
	cfg := w.config()
	behind, err := url.Parse(cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	number := w.open(t, w.person(t, Write), 1, false)
	var instead atomic.Pointer[http.HandlerFunc]
	var asked atomic.Int64
	pass := httputil.NewSingleHostReverseProxy(behind)
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if h := instead.Load(); h != nil {
			(*h)(rw, r)
			return
		}
		pass.ServeHTTP(rw, r)
	}))
	t.Cleanup(proxy.Close)
	now := time.Now()
	cfg.URL, cfg.Now = proxy.URL, func() time.Time { return now }
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 0 {
		t.Error("New asks")
	}
	get := func() error {
		_, err := f.PullRequest(t.Context(), number)
		if err != nil && cfg.Token != "" && strings.Contains(err.Error(), cfg.Token) {
			t.Errorf("the token is in %v", err)
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	answer := func(status int, body string, header ...string) {
		h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				rw.Header().Set(header[i], header[i+1])
			}
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		})
		instead.Store(&h)
	}

	answer(http.StatusTooManyRequests, "slow down", "Retry-After", "120")
	var limit *LimitError
	if err := get(); !errors.As(err, &limit) || !errors.Is(err, ErrUnavailable) || limit.Until.Sub(now) != 2*time.Minute {
		t.Errorf("429: %v", err)
	}
	before := asked.Load()
	if err := get(); !errors.As(err, &limit) || asked.Load() != before {
		t.Errorf("while limited: %v after %d more requests", err, asked.Load()-before)
	}
	now = limit.Until
	answer(http.StatusForbidden, `{"message":"API rate limit exceeded"}`, "X-RateLimit-Remaining", "0",
		"X-RateLimit-Reset", strconv.FormatInt(now.Add(5*time.Minute).Unix(), 10))
	if err := get(); !errors.As(err, &limit) || limit.Until.Unix() != now.Add(5*time.Minute).Unix() {
		t.Errorf("403 of a limit: %v", err)
	}
	now = limit.Until
	answer(http.StatusForbidden, `{"message":"not for `+cfg.Token+`"}`)
	if err := get(); !errors.Is(err, ErrDenied) || errors.Is(err, ErrUnavailable) {
		t.Errorf("403: %v", err)
	}
	answer(http.StatusBadGateway, "<h1>"+cfg.Token+"</h1>")
	if err := get(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("502: %v", err)
	}
	answer(http.StatusOK, "<h1>We are down</h1>", "Content-Type", "text/html; charset=utf-8")
	if err := get(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a page: %v", err)
	}
	answer(http.StatusFound, "", "Location", "http://elsewhere.invalid/")
	if err := get(); !errors.Is(err, ErrRefused) {
		t.Errorf("sent elsewhere: %v", err)
	}
	instead.Store(nil)
	if err := get(); err != nil {
		t.Errorf("fair again: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.PullRequest(ctx, number); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
	proxy.Close()
	if err := get(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
