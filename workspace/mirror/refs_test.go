package mirror_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

func TestRefs(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		m := open(t, remote)
		if _, err := m.Refs(t.Context()); !errors.Is(err, mirror.ErrEmpty) {
			t.Fatalf("refs of an empty repository: %v, want ErrEmpty", err)
		}
		main := repo.Write("main", files{"a": "1"})
		review := repo.CommitOn("review/net", "review", change{Write: files{"a": "2"}})
		pull := repo.ForceCommit("tmp", main, "pull", change{Write: files{"a": "3"}})
		repo.SetRef("refs/pull/7/head", pull)
		repo.SetRef("refs/merge-requests/3/head", pull)
		repo.DeleteBranch("tmp")
		repo.Git("tag", "light", main)
		repo.Git("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "tag", "-a", "-m", "x", "heavy", main)
		repo.Git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
		repo.Git("symbolic-ref", "refs/heads/broken", "refs/heads/nowhere")
		want := mirror.Refs{
			Head: mirror.Head{Commit: main, Branch: "main"},
			All: map[string]string{
				"refs/heads/main": main, "refs/heads/alias": main, "refs/heads/review/net": review,
				"refs/pull/7/head": pull, "refs/merge-requests/3/head": pull,
				"refs/tags/light": main, "refs/tags/heavy": repo.Git("rev-parse", "refs/tags/heavy"),
			},
		}
		for _, packed := range []bool{false, true} {
			if packed {
				repo.Git("pack-refs", "--all")
			}
			got, err := m.Refs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("refs, packed %v (-want +got):\n%s", packed, diff)
			}
			if head, err := m.Poll(t.Context()); err != nil || head != want.Head {
				t.Errorf("poll = %+v, %v", head, err)
			}
		}
		remote.Branch = "none"
		got, err := open(t, remote).Refs(t.Context())
		if !errors.Is(err, mirror.ErrNoBranch) || !maps.Equal(got.All, want.All) || got.Head != (mirror.Head{}) {
			t.Errorf("refs without the watched branch = %+v, %v", got, err)
		}
	})
}

// Every ref's tip can be fetched, and only what is missing comes.
func TestFetchOfOtherRefs(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		many := files{}
		for i := range 300 {
			many[fmt.Sprintf("stacks/s%03d/main.tf", i)] = fmt.Sprintf("# stack %d\n%s", i, strings.Repeat("x", i))
		}
		main := repo.Write("many", many)
		dir := t.TempDir()
		m := openIn(t, dir, remote)
		fetch(t, m)
		for i, ref := range []string{"refs/pull/7/head", "refs/merge-requests/3/head", "refs/heads/review/net", "refs/changes/1/2/3"} {
			before := packSizes(t, dir)
			tip := repo.ForceCommit("tmp", main, ref, change{Write: files{fmt.Sprintf("stacks/s%03d/main.tf", i): "# changed\n"}})
			repo.SetRef(ref, tip)
			repo.DeleteBranch("tmp")
			refs, err := m.Refs(t.Context())
			if err != nil || refs.All[ref] != tip || refs.Head.Commit != main {
				t.Fatalf("%s: %+v, %v", ref, refs, err)
			}
			fetchCommit(t, m, tip)
			if changes, err := m.Changes(main, tip); err != nil || len(changes) != 1 {
				t.Errorf("%s: changes %v, %v", ref, changes, err)
			}
			for path, size := range packSizes(t, dir) {
				if _, old := before[path]; !old && size > 16<<10 {
					t.Errorf("%s: one file was changed; a new pack of %d bytes", ref, size)
				}
			}
		}
		// A repository may have an orphan in review.
		orphan := repo.ForceCommit("orphan", "", "orphan", change{Write: files{"other": "1"}})
		fetchCommit(t, m, orphan)
		before := packSizes(t, dir)
		fetchCommit(t, m, repo.Write("next", files{"stacks/s007/main.tf": "# next\n"}))
		for path, size := range packSizes(t, dir) {
			if _, old := before[path]; !old && size > 16<<10 {
				t.Errorf("after an orphan: a new pack of %d bytes", size)
			}
		}
	})
}

// A pull request is force-pushed between the poll and the fetch.
func TestFetchOfARefThatMovedOn(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		main := repo.Write("main", files{"a": "1"})
		repo.SetRef("refs/pull/7/head", repo.ForceCommit("tmp", main, "first", change{Write: files{"a": "2"}}))
		m := open(t, remote)
		for _, fetched := range []bool{false, true} { // the watched branch
			refs, err := m.Refs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			gone := refs.All["refs/pull/7/head"]
			now := repo.ForceCommit("tmp", main, fmt.Sprint("again", fetched), change{Write: files{"a": "3"}})
			repo.SetRef("refs/pull/7/head", now)
			err = m.Fetch(t.Context(), gone)
			var remoteErr *mirror.RemoteError
			if !errors.Is(err, mirror.ErrGone) || !errors.As(err, &remoteErr) {
				t.Errorf("branch fetched %v: %v, want ErrGone", fetched, err)
			}
			if m.Has(gone) {
				t.Error("it was fetched")
			}
			if fetched {
				fetchCommit(t, m, now) // as the next poll shows it
			}
			fetch(t, m)
		}
		// What the watched branch contains is offered, tip or not.
		parent := repo.Write("two", files{"a": "8"})
		repo.Write("three", files{"a": "9"})
		fetchCommit(t, m, parent)
		if !m.Has(parent) {
			t.Error("a commit of the watched branch was not fetched")
		}
	})
}

func TestRefsAreOneRequest(t *testing.T) {
	repo := newRepo(t, files{"a": "1"})
	server := githttp.New(t, filepath.Dir(repo.Dir))
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: server.RepositoryURL("infra.git")})
	fetch(t, m)
	for i := range 50 {
		repo.SetRef(fmt.Sprintf("refs/pull/%d/head", i), repo.Head("main"))
	}
	pull := repo.CommitOn("tmp", "pull", change{Write: files{"a": "2"}})
	repo.SetRef("refs/pull/7/head", pull)
	before := snapshot(t, dir)
	server.ResetRequests()
	refs, err := m.Refs(t.Context())
	if err != nil || len(refs.All) != 52 {
		t.Fatalf("refs: %d, %v", len(refs.All), err)
	}
	ask := githttp.Request{Method: "GET", Repository: "infra.git", Service: "git-upload-pack", Refs: true, Status: 200}
	if diff := cmp.Diff([]githttp.Request{ask}, server.Requests()); diff != "" {
		t.Errorf("refs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("asking wrote (-before +after):\n%s", diff)
	}
	server.ResetRequests()
	fetchCommit(t, m, pull)
	get := githttp.Request{Method: "POST", Repository: "infra.git", Service: "git-upload-pack", Status: 200}
	if diff := cmp.Diff([]githttp.Request{ask, get}, server.Requests()); diff != "" {
		t.Errorf("fetch of a pull request (-want +got):\n%s", diff)
	}
	server.ResetRequests()
	for _, c := range []string{pull, merge(t, m, repo.Head("main"), pull)} {
		fetchCommit(t, m, c)
	}
	if got := server.Requests(); len(got) != 0 {
		t.Errorf("what is here was asked for: %v", got)
	}
}
