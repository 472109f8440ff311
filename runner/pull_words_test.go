package runner

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
)

// says fails where a text lacks one of the words.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in\n%s", w, text)
		}
	}
}

// silent fails where a text has one of the words.
func silent(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("%q should not be in\n%s", w, text)
		}
	}
}

// status fails where a commit's status of a context is not in the state, or lacks words.
// A state of "" is no status at all.
func (f *reviewFixture) status(commit, context, state string, words ...string) {
	f.t.Helper()
	s := f.repo.Statuses(commit)[context]
	if s.State != state {
		f.t.Errorf("%s of %s is %q (%s), want %q", context, short(commit), s.State, s.Description, state)
	}
	says(f.t, s.Description, words...)
}

// settled fails where anything of the repository's pull requests still runs, is locked, is
// to be posted, or is pending on one of the commits.
func (f *reviewFixture) settled(commits ...string) {
	f.t.Helper()
	f.noLocks()
	for _, commit := range commits {
		for context, s := range f.repo.Statuses(commit) {
			if s.State == "pending" {
				f.t.Errorf("%s of %s is left pending: %s", context, short(commit), s.Description)
			}
		}
	}
	runs, err := f.r.Runs(RunsQuery{})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, run := range runs {
		if run.Finished == nil {
			f.t.Errorf("%s is left %s", run.ID, run.Status)
		}
	}
}

// answers are what Mooring said below a pull request besides its report.
func (f *reviewFixture) answers(pull *gitea.Pull) []string {
	f.t.Helper()
	var all []string
	for _, c := range pull.Comments() {
		if c.By.ID == f.bot.ID && !strings.Contains(c.Body, "mooring:report") {
			all = append(all, c.Body)
		}
	}
	return all
}

// door is a state that Terraform reads over HTTP while it plans: a plan stands before it
// until it is opened.
type door struct {
	url     string
	knocked chan struct{} // one for each plan that stands there
	open    func()
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{knocked: make(chan struct{}, 100)}
	opened := make(chan struct{})
	d.open = sync.OnceFunc(func() { close(opened) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.knocked <- struct{}{}
		select {
		case <-opened:
			_, _ = w.Write([]byte(`{"version":4,"terraform_version":"1.9.0","serial":1,"lineage":"door","outputs":{},"resources":[]}`))
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { d.open(); s.Close() })
	d.url = s.URL
	return d
}

// behind is a root module whose plan stands before the door.
func (d *door) behind(value string) string {
	return module(value) + `
data "terraform_remote_state" "door" {
  backend = "http"
  config  = { address = "` + d.url + `" }
}
`
}

// pullOf is a pull request and the head that is looked at.
type pullOf struct {
	*gitea.Pull
	head string
}

// took is expect of what the branch came to: plans of pull requests are not listed.
func (f *reviewFixture) took(want string) []Run {
	f.t.Helper()
	runs := slices.DeleteFunc(f.sync(), func(run Run) bool { return run.Review })
	if got := summary(runs); got != want {
		f.t.Fatalf("the pass gave\n  %s\nwant\n  %s\n%s", got, want, detail(runs))
	}
	f.noLocks()
	return runs
}
