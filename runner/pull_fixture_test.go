package runner

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/policies/preflight"
)

// reviewFixture is a repository on a real Gitea with people, and a Runner that
// watches it as an account of its own.
type reviewFixture struct {
	*fixture
	server                       *gitea.Server
	repo                         *gitea.Repo
	owner, bot, author, reviewer *gitea.Account
}

func newReviewFixture(t *testing.T, files map[string]string, change ...func(*Options)) *reviewFixture {
	t.Helper()
	t.Parallel()
	needTerraform(t)
	s := gitea.Shared(t)
	f := &reviewFixture{fixture: &fixture{t: t}, server: s}
	f.owner, f.bot, f.author, f.reviewer = s.User("owner"), s.User("mooring"), s.User("ada"), s.User("grace")
	f.repo = s.Repository(f.owner, "infra", files)
	f.repo.Collaborator(f.bot, "admin")
	f.repo.Collaborator(f.author, "write")
	f.repo.Collaborator(f.reviewer, "write")
	f.opts = Options{
		DataDir: filepath.Join(t.TempDir(), "data"),
		Repositories: []RepositoryConfig{{
			Policies: RepositoryPolicies{Preflight: preflight.Rules{Mode: preflight.Off}}, // what the stories run is not what they are about
			Name:     "infra", URL: f.repo.URL, Branch: gitea.Branch, Username: f.bot.Login, Token: f.bot.Token, Apply: AfterMerge, AutoApply: policies.NoDestroy,
			Review: ReviewConfig{Forge: &forge.Config{Kind: forge.Gitea, URL: s.URL, Repository: f.repo.FullName(), Token: f.bot.Token}},
		}},
	}
	f.opts.Sandbox.Write = append(f.opts.Sandbox.Write, filepath.Dir(t.TempDir()))
	for _, c := range change {
		c(&f.opts)
	}
	f.open()
	t.Cleanup(func() { f.r.Close() })
	return f
}

// propose pushes a branch with files and opens a pull request for it.
func (f *reviewFixture) propose(branch string, files map[string]string) *gitea.Pull {
	f.t.Helper()
	f.repo.Push(f.author, branch, "Change "+branch, files)
	return f.repo.Open(f.author, branch, gitea.Branch, "Change "+branch)
}

// said is the one comment that Mooring keeps in a pull request; a test fails where
// there is none, or more than one.
func (f *reviewFixture) said(pull *gitea.Pull) string {
	f.t.Helper()
	var ours []string
	for _, c := range pull.Comments() {
		if c.By.ID == f.bot.ID && strings.Contains(c.Body, "mooring:report") {
			ours = append(ours, c.Body)
		}
	}
	if len(ours) != 1 {
		f.t.Fatalf("Mooring said %d things:\n%s", len(ours), strings.Join(ours, "\n---\n"))
	}
	return ours[0]
}

// planOf is the run of the last plan of a pull request.
func (f *reviewFixture) planOf(pull *gitea.Pull) Run {
	f.t.Helper()
	p, err := f.r.pull("infra", pullID(pull.Number))
	if err != nil {
		f.t.Fatal(err)
	}
	run, err := f.r.Show(runOf(p))
	if err != nil {
		f.t.Fatal(err)
	}
	return run
}
