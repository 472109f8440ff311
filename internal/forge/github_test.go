package forge

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func gitHubConfig(f *fakeGitHub) Config {
	return Config{Kind: GitHub, URL: f.server, Repository: "acme/infra", Token: gitHubToken}
}

func gitHubTraits() traits {
	return traits{dismissed: true, changes: true, reviewCommit: true, fork: true}
}

func TestGitHubFake(t *testing.T) {
	f := newFakeGitHub(t)
	suite(t, gitHubWorld(f, gitHubConfig(f)), gitHubTraits())
}

// openFake is a fake and Mooring's view of it.
func openFakeGitHub(t *testing.T) (*fakeGitHub, *Forge) {
	f := newFakeGitHub(t)
	return f, must(New(gitHubConfig(f)))(t)
}

func TestGitHubAddresses(t *testing.T) {
	for setting, want := range map[string]string{
		"":                                  "https://api.github.com/",
		"https://github.com/":               "https://api.github.com/",
		"https://api.github.com":            "https://api.github.com/",
		"https://acme.ghe.com":              "https://api.acme.ghe.com/",
		"https://git.example.com":           "https://git.example.com/api/v3/",
		"https://git.example.com/api/v3/":   "https://git.example.com/api/v3/",
		"http://git.example.com:8080/code/": "http://git.example.com:8080/code/api/v3/",
	} {
		if got, err := gitHubAPI(setting); err != nil || got.String() != want {
			t.Errorf("%q is at %v, %v, want %s", setting, got, err, want)
		}
	}
	for _, setting := range []string{"git.example.com", "ssh://git.example.com", "https://me:pw@git.example.com"} {
		if got, err := gitHubAPI(setting); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q is at %v, %v", setting, got, err)
		}
	}
}

func TestGitHubPages(t *testing.T) {
	f, forge := openFakeGitHub(t)
	var p *fakePull
	f.locked(func() {
		ada := f.user("ada", Write)
		for range 230 {
			p = f.open(ada, 1)
			f.say(f.pulls[1], ada, "mooring help")
		}
		for range 105 {
			f.review(f.pulls[1], f.user("reviewer-"+strconv.FormatInt(f.serial, 10), Write), Approved)
		}
	})
	ask := func() {
		t.Helper()
		if all := must(forge.PullRequests(t.Context()))(t); len(all) != 230 || all[0].Number != p.number {
			t.Errorf("%d pull requests", len(all))
		}
		if all := must(forge.Comments(t.Context(), 1, 0))(t); len(all) != 230 {
			t.Errorf("%d comments", len(all))
		}
		if all := must(forge.Reviews(t.Context(), 1))(t); len(all) != 105 {
			t.Errorf("%d reviews", len(all))
		}
	}
	ask()
	f.locked(func() { f.fresh = 0 })
	ask()
	f.locked(func() {
		if f.fresh != 0 {
			t.Errorf("%d answers were sent again though nothing had changed", f.fresh)
		}
		f.say(f.pulls[1], f.bot, "one more")
	})
	if all := must(forge.Comments(t.Context(), 1, 0))(t); len(all) != 231 || all[230].Body != "one more" {
		t.Errorf("%d comments after one more", len(all))
	}
}

func TestGitHubMergeable(t *testing.T) {
	f, forge := openFakeGitHub(t)
	f.locked(func() { f.open(f.user("ada", Write), 1) })
	for _, c := range []struct {
		says  Answer
		draft bool
		want  Answer
	}{{Unknown, false, Unknown}, {Yes, false, Yes}, {No, false, No}, {Yes, true, No}, {Unknown, true, Unknown}} {
		f.locked(func() { f.pulls[1].mergeable, f.pulls[1].draft = c.says, c.draft })
		if pr := must(forge.PullRequest(t.Context(), 1))(t); pr.Mergeable != c.want {
			t.Errorf("%+v: %d", c, pr.Mergeable)
		}
	}
	if all := must(forge.PullRequests(t.Context()))(t); all[0].Mergeable != Unknown {
		t.Errorf("a list does not tell, but is read as %d", all[0].Mergeable)
	}
}

func TestGitHubOpenHasNoMergeCommit(t *testing.T) {
	f, forge := openFakeGitHub(t)
	f.locked(func() { f.open(f.user("ada", Write), 1) })
	if pr := must(forge.PullRequest(t.Context(), 1))(t); pr.MergeCommit != "" {
		t.Errorf("a merge that was tried is taken for one: %+v", pr)
	}
}

func TestGitHubGhosts(t *testing.T) {
	f, forge := openFakeGitHub(t)
	f.locked(func() {
		gone := f.user("gone", Admin)
		p := f.open(gone, 1)
		p.fork, p.forkGone = true, true
		f.say(p, gone, "mooring apply")
		f.review(p, gone, Approved)
		delete(f.users, gone)
	})
	pr := must(forge.PullRequest(t.Context(), 1))(t)
	if pr.Author.ID != 0 || !pr.Fork {
		t.Errorf("of a fork and an account that are gone: %+v", pr)
	}
	said := must(forge.Comments(t.Context(), 1, 0))(t)
	if len(said) != 1 || said[0].By != (User{}) {
		t.Errorf("%+v", said)
	}
	if p := must(forge.Permission(t.Context(), said[0].By))(t); p != None {
		t.Errorf("nobody may %s", p)
	}
	if all := must(forge.Reviews(t.Context(), 1))(t); len(all) != 0 {
		t.Errorf("nobody's approval counts: %+v", all)
	}
}

func TestGitHubReviewsOfBefore(t *testing.T) {
	f, forge := openFakeGitHub(t)
	f.locked(func() {
		p := f.open(f.user("ada", Write), 1)
		bob := f.user("bob", Write)
		f.review(p, bob, ChangesRequested)
		f.review(p, bob, Approved)
		f.review(p, bob, "") // a comment after it changes nothing
	})
	old := must(forge.PullRequest(t.Context(), 1))(t).Head
	f.locked(func() { f.push(f.pulls[1]) })
	got := must(forge.Reviews(t.Context(), 1))(t)
	if len(got) != 1 || got[0].Verdict != Approved || got[0].Commit != old {
		t.Errorf("%+v is not an approval of %s", got, old)
	}
}

func TestGitHubBrought(t *testing.T) {
	f, forge := openFakeGitHub(t)
	var merged, squashed, rebased, upstream *fakePull
	f.locked(func() {
		ada := f.user("ada", Write)
		merged, squashed, rebased = f.open(ada, 2), f.open(ada, 2), f.open(ada, 3)
		f.merge(merged, "merge")
		f.merge(squashed, "squash")
		f.merge(rebased, "rebase")
		upstream = f.open(ada, 1)
		upstream.elsewhere = true
		f.merge(upstream, "merge")
	})
	for what, c := range map[string]struct {
		commit string
		want   int
	}{
		"the merge":                  {merged.brought[2], merged.number},
		"a commit that was merged":   {merged.commits[0], merged.number},
		"the squash":                 {squashed.brought[0], squashed.number},
		"a commit squashed away":     {squashed.commits[0], 0},
		"the head squashed away":     {squashed.head, 0},
		"the first that was rebased": {rebased.brought[0], rebased.number},
		"the last that was rebased":  {rebased.brought[2], rebased.number},
		"a commit before its rebase": {rebased.commits[0], 0},
		"a merge elsewhere":          {upstream.brought[1], 0},
	} {
		pr, ok, err := forge.Brought(t.Context(), c.commit)
		if err != nil || ok != (c.want != 0) || pr.Number != c.want {
			t.Errorf("%s: #%d, %v, %v, want #%d", what, pr.Number, ok, err, c.want)
		}
	}
	if _, _, err := forge.Brought(t.Context(), strings.Repeat("ab", 20)); !errors.Is(err, ErrNotFound) {
		t.Errorf("a commit that nobody has: %v", err)
	}
}

func TestGitHubMergesByItsDefault(t *testing.T) {
	for _, c := range []struct {
		method string
		untold bool
		want   string
		err    error
	}{
		{"merge", false, "merge", nil}, {"squash", false, "squash", nil}, {"rebase", false, "rebase", nil},
		{"merge", true, "merge", nil}, {"squash", true, "", ErrRefused},
	} {
		f, forge := openFakeGitHub(t)
		f.locked(func() {
			f.open(f.user("ada", Write), 1)
			f.method, f.untold = c.method, c.untold
		})
		err := forge.Merge(t.Context(), MergeRequest{Number: 1, Head: f.pulls[1].head})
		if !errors.Is(err, c.err) || f.pulls[1].way != c.want {
			t.Errorf("%+v: merged by %q, %v", c, f.pulls[1].way, err)
		}
	}
}

func TestGitHubRefusesInItsWords(t *testing.T) {
	f, forge := openFakeGitHub(t)
	var stale string
	f.locked(func() {
		p := f.open(f.user("ada", Write), 1)
		stale = p.head
		f.push(p)
	})
	err := forge.Merge(t.Context(), MergeRequest{Number: 1, Head: stale, Method: "merge"})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "Head branch was modified") {
		t.Error(err)
	}
	f.locked(func() { f.users[f.bot].permission = Read })
	err = forge.Merge(t.Context(), MergeRequest{Number: 1, Head: f.pulls[1].head, Method: "merge"})
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "Resource not accessible") {
		t.Error(err)
	}
	if f.pulls[1].state != Open {
		t.Error("merged all the same")
	}
}

func TestGitHubHidesWhatIsNotShown(t *testing.T) {
	f := newFakeGitHub(t)
	cfg := gitHubConfig(f)
	cfg.Repository = "acme/secret"
	if _, err := must(New(cfg))(t).PullRequests(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("404: %v", err)
	}
	cfg = gitHubConfig(f)
	cfg.Token = "ghp_wrong"
	_, err := must(New(cfg))(t).PullRequests(t.Context())
	if !errors.Is(err, ErrDenied) || errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), "ghp_wrong") {
		t.Errorf("401: %v", err)
	}
}

func TestGitHubLimits(t *testing.T) {
	const documented = `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`
	now := time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC)
	for what, c := range map[string]struct {
		status int
		header map[string]string
		body   string
		wait   time.Duration // 0 is no limit
	}{
		"secondary, told when":     {403, map[string]string{"Retry-After": "90"}, documented, 90 * time.Second},
		"secondary, not told when": {403, map[string]string{"X-RateLimit-Remaining": "4000"}, documented, time.Minute},
		"primary": {403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(now.Unix()+1200, 10)},
			`{"message":"API rate limit exceeded"}`, 20 * time.Minute},
		"too many":     {429, map[string]string{"Retry-After": "7"}, "{}", 7 * time.Second},
		"a permission": {403, map[string]string{"X-RateLimit-Remaining": "12"}, `{"message":"Must have admin rights to Repository."}`, 0},
	} {
		f := newFakeGitHub(t)
		cfg := gitHubConfig(f)
		cfg.Now = func() time.Time { return now }
		forge := must(New(cfg))(t)
		f.locked(func() {
			f.broken = func(w http.ResponseWriter, _ *http.Request) bool {
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
				return true
			}
		})
		_, err := forge.PullRequests(t.Context())
		var limit *LimitError
		switch {
		case c.wait == 0:
			if errors.As(err, &limit) || !errors.Is(err, ErrDenied) {
				t.Errorf("%s: %v", what, err)
			}
		case !errors.As(err, &limit) || !limit.Until.Equal(now.Add(c.wait)) || !errors.Is(err, ErrUnavailable):
			t.Errorf("%s: %v", what, err)
		default:
			if _, err := forge.Comment(t.Context(), 1, "hello"); !errors.As(err, &limit) || len(f.requests) != 1 {
				t.Errorf("%s: %v after %v", what, err, f.requests)
			}
		}
	}
}

func TestGitHubAsksForLogins(t *testing.T) {
	f, forge := openFakeGitHub(t)
	var ada, eve int64
	f.locked(func() {
		ada, eve = f.user("ada", Admin), f.user("eve", Read)
		f.users[ada].login = "ada-l"
		f.users[eve].login = "ada" // the name was free
	})
	if p := must(forge.Permission(t.Context(), User{ID: ada, Login: "ada"}))(t); p != Admin {
		t.Errorf("renamed, another has the name: %s", p)
	}
	if f.seen("GET", "/user/"+strconv.FormatInt(ada, 10)) != 1 {
		t.Error("nobody asked who the id is now")
	}
	if p := must(forge.Permission(t.Context(), User{ID: eve, Login: "ada"}))(t); p != Read {
		t.Errorf("who has the name now: %s", p)
	}
}

func TestGitHubStatusIsCut(t *testing.T) {
	f, forge := openFakeGitHub(t)
	commit := f.branches["main"][0]
	if err := forge.SetStatus(t.Context(), commit, Status{Context: "mooring/plan", Check: Error, Description: strings.Repeat("ü", 200)}); err != nil {
		t.Fatal(err)
	}
	got := slices.Clone(f.statuses)
	if len(got) != 1 || got[0].state != "error" || len([]rune(got[0].description)) != 140 || !strings.HasSuffix(got[0].description, "…") {
		t.Errorf("%+v", got)
	}
}
