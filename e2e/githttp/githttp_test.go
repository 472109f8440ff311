package githttp_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
)

// serve starts a server with one repository, infra.git, that holds files.
func serve(t *testing.T, files map[string]string) (*githttp.Server, *githttp.Repo) {
	t.Helper()
	root := t.TempDir()
	return githttp.New(t, root), githttp.NewRepo(t, filepath.Join(root, "infra.git"), files)
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := githttp.Git{Dir: dir}.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestCloneThenFetchWhatOthersPushed(t *testing.T) {
	server, repo := serve(t, map[string]string{"infra/network/main.tf": "# one\n", "README.md": "hello\n"})
	work := t.TempDir()
	git(t, work, "clone", "--quiet", server.RepositoryURL("infra.git"), ".")
	if got := read(t, work, "infra/network/main.tf"); got != "# one\n" {
		t.Fatalf("main.tf = %q", got)
	}

	second := repo.Commit("Second", githttp.Change{
		Write:      map[string]string{"infra/network/main.tf": "# two\n", "odd name \"quoted\".txt": "no newline"},
		Executable: map[string]string{"run.sh": "#!/bin/sh\n"},
		Symlink:    map[string]string{"link": "README.md"},
		Remove:     []string{"README.md"},
	})
	git(t, work, "pull", "--quiet")
	if got := git(t, work, "rev-parse", "HEAD"); got != second {
		t.Errorf("HEAD = %s, want %s", got, second)
	}
	if got := read(t, work, "infra/network/main.tf"); got != "# two\n" {
		t.Errorf("main.tf = %q", got)
	}
	if got := read(t, work, "odd name \"quoted\".txt"); got != "no newline" {
		t.Errorf("odd name = %q", got)
	}
	if _, err := os.Stat(filepath.Join(work, "README.md")); !os.IsNotExist(err) {
		t.Errorf("README.md: %v, want it gone", err)
	}
	if target, err := os.Readlink(filepath.Join(work, "link")); err != nil || target != "README.md" {
		t.Errorf("link = %q, %v", target, err)
	}
	info, err := os.Stat(filepath.Join(work, "run.sh"))
	if err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("run.sh: %v, %v, want it executable", info, err)
	}
}

func TestPushOverHTTP(t *testing.T) {
	server, repo := serve(t, map[string]string{"a": "1"})
	work := t.TempDir()
	git(t, work, "clone", "--quiet", server.RepositoryURL("infra.git"), ".")
	// More than http.postBuffer (1 MiB) that does not compress, so that git sends it in chunks.
	noise := make([]byte, 3<<20)
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = byte(state >> 24)
	}
	if err := os.WriteFile(filepath.Join(work, "noise"), noise, 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", "noise")
	git(t, work, "commit", "--quiet", "-m", "Noise")
	git(t, work, "push", "--quiet")
	if got, want := repo.Head(githttp.Branch), git(t, work, "rev-parse", "HEAD"); got != want {
		t.Fatalf("main on the server = %s, want %s", got, want)
	}
}

func TestTokenIsAsked(t *testing.T) {
	server, repo := serve(t, map[string]string{"a": "1"})
	server.RequireToken("s3cret")
	if _, err := (githttp.Git{Dir: t.TempDir()}).Run(t.Context(), "ls-remote", server.RepositoryURL("infra.git")); err == nil {
		t.Fatal("ls-remote without a token succeeded")
	}
	if _, err := (githttp.Git{Dir: t.TempDir()}).Run(t.Context(), "ls-remote", server.RepositoryURLAs("infra.git", "bot", "wrong")); err == nil {
		t.Fatal("ls-remote with a wrong token succeeded")
	}
	server.ResetRequests()
	out := git(t, t.TempDir(), "ls-remote", server.RepositoryURLAs("infra.git", "bot", "s3cret"), "main")
	if !strings.HasPrefix(out, repo.Head(githttp.Branch)) {
		t.Fatalf("ls-remote = %q", out)
	}
	requests := server.Requests()
	last := requests[len(requests)-1]
	if last.User != "bot" || last.Repository != "infra.git" || last.Status != http.StatusOK {
		t.Errorf("last request = %+v", last)
	}
}

func TestFailuresEndAndAreCounted(t *testing.T) {
	server, _ := serve(t, map[string]string{"a": "1"})
	server.FailNext(2, http.StatusServiceUnavailable)
	url := server.RepositoryURL("infra.git") + "/info/refs?service=git-upload-pack"
	for i, want := range []int{503, 503, 200} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("request %d: status %d, want %d", i, resp.StatusCode, want)
		}
	}
	for i, seen := range server.Requests() {
		want := githttp.Request{Method: "GET", Repository: "infra.git", Service: "git-upload-pack", Refs: true, Status: seen.Status}
		if seen != want {
			t.Errorf("request %d = %+v", i, seen)
		}
	}
	if got := len(server.Requests()); got != 3 {
		t.Errorf("%d requests seen, want 3", got)
	}
}

func TestHistoriesAreReproducible(t *testing.T) {
	build := func() []string {
		_, repo := serve(t, map[string]string{"a": "1", "b/c": "2"})
		first := repo.Head(githttp.Branch)
		second := repo.Write("Change a", map[string]string{"a": "2"})
		reverted := repo.Revert("Back again")
		if a, b := repo.Git("rev-parse", first+"^{tree}"), repo.Git("rev-parse", reverted+"^{tree}"); a != b {
			t.Errorf("tree after the revert = %s, want that of the first commit, %s", b, a)
		}
		forced := repo.ForceCommit(githttp.Branch, first, "Rewrite", githttp.Change{Remove: []string{"b"}})
		if got := repo.Git("rev-parse", forced+"^"); got != first {
			t.Errorf("parent of the forced commit = %s, want %s", got, first)
		}
		if got := repo.Git("ls-tree", "-r", "--name-only", forced); got != "a" {
			t.Errorf("files after the forced commit: %q, want a alone", got)
		}
		orphan := repo.ForceCommit(githttp.Branch, "", "Start over", githttp.Change{Write: map[string]string{"z": ""}})
		if got := repo.Git("rev-list", "--count", orphan); got != "1" {
			t.Errorf("history after starting over has %s commits, want 1", got)
		}
		feature := repo.CommitOn("feature", "On a branch", githttp.Change{Write: map[string]string{"f": "1"}})
		if got := repo.Git("rev-parse", feature+"^"); got != orphan {
			t.Errorf("feature starts from %s, want %s", got, orphan)
		}
		return []string{first, second, reverted, forced, orphan, feature}
	}
	one, two := build(), build()
	for i := range one {
		if one[i] != two[i] || len(one[i]) != 40 {
			t.Errorf("commit %d: %q and %q, want the same id twice", i, one[i], two[i])
		}
	}
}

func TestEmptyRepository(t *testing.T) {
	server, repo := serve(t, nil)
	if head := repo.Head(githttp.Branch); head != "" {
		t.Fatalf("head of an empty repository = %q", head)
	}
	if out := git(t, t.TempDir(), "ls-remote", server.RepositoryURL("infra.git")); out != "" {
		t.Errorf("ls-remote of an empty repository = %q", out)
	}
	repo.Write("First", map[string]string{"a": "1"})
	if out := git(t, t.TempDir(), "ls-remote", server.RepositoryURL("infra.git")); out == "" {
		t.Error("ls-remote after the first commit is empty")
	}
}
