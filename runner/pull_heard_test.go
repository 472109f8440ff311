package runner

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/internal/forge"
)

// A command that cannot be judged while the forge is half away is obeyed when it is back,
// however many looks that takes, and once.
func TestACommandIsNotLostInAnOutage(t *testing.T) {
	var broken atomic.Bool
	var ahead atomic.Int64
	f := newReviewFixture(t, map[string]string{"app/main.tf": module(`"one"`)}, func(o *Options) {
		to, err := url.Parse(o.Repositories[0].Review.Forge.URL)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(to)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if broken.Load() && strings.Contains(r.URL.Path, "/collaborators/") {
				http.Error(w, "away", http.StatusBadGateway)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(s.Close)
		o.Repositories[0].Review.Forge = &forge.Config{Kind: forge.Gitea, URL: s.URL, Repository: o.Repositories[0].Review.Forge.Repository, Token: o.Repositories[0].Review.Forge.Token}
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	f.expect("app applied")
	pull := f.propose("topic", map[string]string{"app/main.tf": module(`"two"`)})
	f.sync()
	asked := pull.Comment(f.author, "mooring help")
	broken.Store(true)
	v := f.r.repos[0].reviews
	for range 4 {
		if err := v.look(t.Context()); err == nil {
			t.Fatal("a look that could not judge a command did not fail")
		}
		ahead.Add(int64(5 * time.Second))
	}
	broken.Store(false)
	for range 3 { // what Mooring says is news of its own
		f.sync()
		ahead.Add(int64(5 * time.Second))
	}
	if got := f.answers(pull); len(got) != 1 || !strings.Contains(got[0], "mooring help") {
		t.Errorf("%d answers: %q", len(got), got)
	}
	if r := pull.Reactions(asked); len(r) == 0 {
		t.Error("nobody can see that the command was heard")
	}
	known, err := f.r.pulls("infra")
	if err != nil || len(known) != 1 || !known[0].Fresh.IsZero() {
		t.Errorf("it is looked at for ever: %+v, %v", known, err)
	}
}
