package mirror_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

func TestPollFetchRead(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		m := open(t, remote)
		if _, err := m.Poll(t.Context()); !errors.Is(err, mirror.ErrEmpty) {
			t.Fatalf("poll of an empty repository: %v, want ErrEmpty", err)
		}
		first := repo.Commit("Begin\n\nWith more to say.", githttp.Change{
			Write:      map[string]string{"infra/network/main.tf": "# one\n", "infra/network/vars.tf": "", "README.md": "hello\n"},
			Executable: map[string]string{"bin/run.sh": "#!/bin/sh\n"},
			Symlink:    map[string]string{"infra/shared": "network/main.tf"},
		})
		head, err := m.Poll(t.Context())
		if err != nil || head != (mirror.Head{Commit: first, Branch: "main"}) {
			t.Fatalf("poll = %+v, %v; want %s on main", head, err, first)
		}
		if m.Has(first) {
			t.Fatal("the mirror has the commit before the fetch")
		}
		fetchCommit(t, m, first)
		if !m.Has(first) {
			t.Fatal("the mirror lacks the commit after the fetch")
		}
		commit, err := m.Commit(first)
		if err != nil || commit.Subject != "Begin" || commit.Author != "Ada Example <ada@example.com>" ||
			commit.When.UTC().Format("2006-01-02 15:04") != "2026-01-01 09:01" || len(commit.Parents) != 0 {
			t.Errorf("commit = %+v, %v", commit, err)
		}
		c := checkout(t, m, first)
		want := map[string]string{
			"README.md":             "-r--r--r-- hello\n",
			"bin":                   "dr-xr-xr-x",
			"bin/run.sh":            "-r-xr-xr-x #!/bin/sh\n",
			"infra":                 "dr-xr-xr-x",
			"infra/network":         "dr-xr-xr-x",
			"infra/network/main.tf": "-r--r--r-- # one\n",
			"infra/network/vars.tf": "-r--r--r-- ",
			"infra/shared":          "-> network/main.tf",
		}
		if diff := cmp.Diff(want, onDisk(t, c.Dir)); diff != "" {
			t.Errorf("checkout (-want +got):\n%s", diff)
		}

		second := repo.Commit("Change", githttp.Change{
			Write:  map[string]string{"infra/network/main.tf": "# two\n", "README.md/now/a/dir.txt": "x"},
			Remove: []string{"bin", "README.md"},
		})
		if got := fetch(t, m); got != second {
			t.Fatalf("fetched %s, want %s", got, second)
		}
		changes, err := m.Changes(first, second)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"README.md", "README.md/now/a/dir.txt", "bin/run.sh", "infra/network/main.tf"}, changes); diff != "" {
			t.Errorf("change set (-want +got):\n%s", diff)
		}
		if yes, err := m.IsAncestor(first, second); err != nil || !yes {
			t.Errorf("IsAncestor(first, second) = %v, %v", yes, err)
		}
		if yes, err := m.IsAncestor(second, first); err != nil || yes {
			t.Errorf("IsAncestor(second, first) = %v, %v", yes, err)
		}
		if got := onDisk(t, checkout(t, m, second).Dir); got["README.md/now/a/dir.txt"] != "-r--r--r-- x" || got["bin"] != "" {
			t.Errorf("second checkout = %v", got)
		}
	})
}

func TestTreeIsTheCheckout(t *testing.T) {
	repo := newRepo(t, map[string]string{"a/b.tf": "1", "a-b.tf": "2", "a.tf": "3", "ä.tf": "4"})
	repo.Commit("More", githttp.Change{
		Executable: map[string]string{"run": "x"},
		Symlink:    map[string]string{"l": "a.tf"},
		Submodule:  map[string]string{"vendor/mod": strings.Repeat("1", 40)},
		Write:      map[string]string{"a/.terraform/terraform.tfstate": "{}", ".terraform.lock.hcl": "# lock\n"},
	})
	m := open(t, mirror.Remote{URL: repo.Dir})
	commit := fetch(t, m)
	tree, err := m.Tree(commit)
	if err != nil {
		t.Fatal(err)
	}
	var walked []string
	if err := tree.Walk(func(path string, mode fs.FileMode, id string) error {
		if want := repo.Git("rev-parse", commit+":"+path); id != want {
			t.Errorf("%s: id %s, git says %s", path, id, want)
		}
		walked = append(walked, fmt.Sprintf("%s %s", mode, path))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"-r--r--r-- .terraform.lock.hcl", "-r--r--r-- a-b.tf", "-r--r--r-- a.tf", "-r--r--r-- a/b.tf",
		"Lrwxrwxrwx l", "-r-xr-xr-x run", "-r--r--r-- ä.tf",
	}
	if diff := cmp.Diff(want, walked); diff != "" {
		t.Errorf("walk (-want +got):\n%s", diff)
	}
	if b, err := tree.ReadFile("a/b.tf"); err != nil || string(b) != "1" {
		t.Errorf("ReadFile = %q, %v", b, err)
	}
	for _, path := range []string{"a", "none", "a/.terraform/terraform.tfstate", "vendor/mod", ""} {
		if _, err := tree.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadFile(%q): %v, want fs.ErrNotExist", path, err)
		}
	}
	if _, err := tree.ReadFile("l"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile of a link: %v", err)
	}
	if target, err := tree.ReadLink("l"); err != nil || target != "a.tf" {
		t.Errorf("ReadLink = %q, %v", target, err)
	}
	c := checkout(t, m, commit)
	disk := onDisk(t, c.Dir)
	if _, ok := disk["a/.terraform"]; ok {
		t.Error(".terraform is in the checkout")
	}
	if disk["vendor/mod"] != "dr-xr-xr-x" {
		t.Errorf("submodule directory = %q", disk["vendor/mod"])
	}
	var noted []string
	for _, n := range c.Notes {
		noted = append(noted, n.File)
	}
	if !slices.Equal(noted, []string{"a/.terraform", "vendor/mod"}) {
		t.Errorf("notes about %v", noted)
	}
}

func TestForcePush(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		m := open(t, remote)
		base := repo.Write("base", map[string]string{"main.tf": "base"})
		old := repo.Write("old", map[string]string{"main.tf": "old"})
		fetch(t, m)
		now := repo.ForceCommit("main", base, "new", githttp.Change{Write: map[string]string{"main.tf": "new"}})
		// The server may forget what nothing names: the mirror may not.
		repo.Git("reflog", "expire", "--expire=now", "--all")
		repo.Git("gc", "--quiet", "--prune=now")
		if got := fetch(t, m); got != now {
			t.Fatalf("fetched %s, want %s", got, now)
		}
		if yes, err := m.IsAncestor(old, now); err != nil || yes {
			t.Errorf("IsAncestor(old, new) = %v, %v: a force push goes unseen", yes, err)
		}
		if got := onDisk(t, checkout(t, m, old).Dir)["main.tf"]; got != "-r--r--r-- old" {
			t.Errorf("old commit after the force push: %q", got)
		}
		if paths, err := m.Changes(old, now); err != nil || !slices.Equal(paths, []string{"main.tf"}) {
			t.Errorf("changes = %v, %v", paths, err)
		}
		// Back to where it was: nothing to fetch.
		repo.SetRef("refs/heads/main", base)
		if got := fetch(t, m); got != base {
			t.Errorf("fetched %s, want %s", got, base)
		}
		// A history that shares nothing with the one before.
		other := repo.ForceCommit("main", "", "other", githttp.Change{Write: map[string]string{"other.tf": "x"}})
		if got := fetch(t, m); got != other {
			t.Errorf("fetched %s, want %s", got, other)
		}
		if yes, err := m.IsAncestor(base, other); err != nil || yes {
			t.Errorf("IsAncestor(base, other) = %v, %v", yes, err)
		}
		err := m.Fetch(t.Context(), strings.Repeat("ab", 20))
		if !errors.Is(err, mirror.ErrGone) {
			t.Errorf("fetch of a commit nobody has: %v, want ErrGone", err)
		}
	})
}

func TestBranches(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		main := repo.Write("main", map[string]string{"a": "1"})
		next := repo.CommitOn("release/next", "next", githttp.Change{Write: map[string]string{"a": "2"}})
		repo.SetRef("refs/pull/7/head", main)

		remote.Branch = "release/next"
		dir := t.TempDir()
		m := openIn(t, dir, remote)
		if head, err := m.Poll(t.Context()); err != nil || head != (mirror.Head{Commit: next, Branch: "release/next"}) {
			t.Errorf("poll = %+v, %v", head, err)
		}
		remote.Branch = "mian"
		_, err := openIn(t, dir, remote).Poll(t.Context())
		var missing *mirror.NoBranchError
		if !errors.Is(err, mirror.ErrNoBranch) || !errors.As(err, &missing) ||
			!slices.Equal(missing.Branches, []string{"main", "release/next"}) {
			t.Errorf("poll of a missing branch: %v", err)
		}
		if !strings.Contains(err.Error(), `branch "mian" not found; branches there: main, release/next`) {
			t.Errorf("message: %v", err)
		}
		remote.Branch = ""
		repo.Git("symbolic-ref", "HEAD", "refs/heads/gone")
		if _, err := openIn(t, dir, remote).Poll(t.Context()); !errors.Is(err, mirror.ErrNoBranch) {
			t.Errorf("poll of a HEAD that names nothing: %v", err)
		}
		repo.Git("symbolic-ref", "HEAD", "refs/heads/release/next")
		if head, err := openIn(t, dir, remote).Poll(t.Context()); err != nil || head.Branch != "release/next" || head.Commit != next {
			t.Errorf("poll of HEAD = %+v, %v", head, err)
		}
		repo.Git("pack-refs", "--all")
		if head, err := openIn(t, dir, remote).Poll(t.Context()); err != nil || head.Commit != next {
			t.Errorf("poll with packed refs = %+v, %v", head, err)
		}
	})
}

func TestOnlyTheWatchedBranchIsFetched(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		repo.Write("main", map[string]string{"a": "1"})
		other := repo.CommitOn("other", "other", githttp.Change{Write: map[string]string{"a": "2"}})
		repo.Git("tag", "v1", other)
		m := open(t, remote)
		fetch(t, m)
		if m.Has(other) {
			t.Error("a branch that nobody watches was fetched")
		}
		// A pull request's head can be asked for by its commit.
		repo.SetRef("refs/pull/1/head", other)
		fetchCommit(t, m, other)
		if !m.Has(other) {
			t.Error("a commit that a ref names was not fetched")
		}
	})
}

func TestFetchIsIncremental(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		files := map[string]string{}
		for i := range 500 {
			files[fmt.Sprintf("stacks/s%03d/main.tf", i)] = fmt.Sprintf("# stack %d\n%s", i, strings.Repeat("x", i))
		}
		repo.Write("many", files)
		dir := t.TempDir()
		m := openIn(t, dir, remote)
		fetch(t, m)
		before := packSizes(t, dir)
		repo.Write("one", map[string]string{"stacks/s007/main.tf": "# changed\n"})
		fetch(t, m)
		after := packSizes(t, dir)
		for path := range before {
			delete(after, path)
		}
		sizes := slices.Collect(maps.Values(after))
		// A commit, three directories and a file: the widest directory has 500
		// entries of some 30 bytes.
		if len(sizes) != 1 || sizes[0] > 24<<10 {
			t.Errorf("one file was changed; new packs of %v bytes", sizes)
		}
		// Git itself judges the mirror: whole, connected, readable.
		repo.Git("--git-dir="+filepath.Dir(only(t, dir, "*/git/HEAD")), "fsck", "--full", "--strict")
	})
}

// only returns the one file that matches pattern below dir.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v; want one file", pattern, found, err)
	}
	return found[0]
}
