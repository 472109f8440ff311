package mirror_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

func TestDamagedMirrorIsMadeAgain(t *testing.T) {
	cut := func(t *testing.T, path string, keep int64) {
		t.Helper()
		if err := errors.Join(os.Chmod(path, 0o600), os.Truncate(path, keep)); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]func(t *testing.T, git string){
		"pack cut off": func(t *testing.T, git string) { cut(t, only(t, git, "objects/pack/*.pack"), 100) },
		"pack empty":   func(t *testing.T, git string) { cut(t, only(t, git, "objects/pack/*.pack"), 0) },
		"index empty":  func(t *testing.T, git string) { cut(t, only(t, git, "objects/pack/*.idx"), 0) },
		"index changed": func(t *testing.T, git string) {
			scribble(t, only(t, git, "objects/pack/*.idx"), 1040)
		},
		"pack gone":   func(t *testing.T, git string) { _ = os.Remove(only(t, git, "objects/pack/*.pack")) },
		"index gone":  func(t *testing.T, git string) { _ = os.Remove(only(t, git, "objects/pack/*.idx")) },
		"HEAD gone":   func(t *testing.T, git string) { _ = os.Remove(filepath.Join(git, "HEAD")) },
		"HEAD empty":  func(t *testing.T, git string) { cut(t, filepath.Join(git, "HEAD"), 0) },
		"only a file": func(t *testing.T, git string) { _ = os.RemoveAll(filepath.Join(git, "objects")) },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
			dir := t.TempDir()
			m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
			commit := fetch(t, m)
			_ = m.Close()
			git := filepath.Dir(only(t, dir, "*/git/HEAD"))
			damage(t, git)

			m = openIn(t, dir, mirror.Remote{URL: repo.Dir})
			notes := m.Notes()
			if len(notes) != 1 || !strings.Contains(notes[0].Message, "damaged") || !strings.Contains(notes[0].Message, git+".damaged") {
				t.Errorf("notes = %v", notes)
			}
			if m.Has(commit) {
				t.Error("the damaged mirror is still in use")
			}
			c, err := m.Checkout(t.Context(), fetch(t, m))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Release(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(git + ".damaged"); err != nil {
				t.Errorf("the damaged mirror was not kept: %v", err)
			}
			_ = m.Close()
			if notes := openIn(t, dir, mirror.Remote{URL: repo.Dir}).Notes(); len(notes) != 0 {
				t.Errorf("the new mirror: %v", notes)
			}
		})
	}
}

func scribble(t *testing.T, path string, at int64) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	b[0] ^= 0xff
	_, werr := f.WriteAt(b, at)
	if err := errors.Join(err, werr, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Damage in the middle of a pack shows when the object is read. Nothing wrong
// is handed out, and the next fetch mends it.
func TestDamageFoundWhileReading(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n", "big.bin": noise(1 << 18)})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	commit := fetch(t, m)
	scribble(t, only(t, dir, "*/git/objects/pack/*.pack"), 1<<17)
	if _, err := m.Checkout(t.Context(), commit); !errors.Is(err, mirror.ErrDamaged) {
		t.Fatalf("checkout: %v, want ErrDamaged", err)
	}
	if left := checkoutsIn(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	fetchCommit(t, m, commit)
	if notes := m.Notes(); len(notes) != 1 || !strings.Contains(notes[0].Message, "damaged") {
		t.Errorf("notes = %v", notes)
	}
	checkout(t, m, commit)
}

func TestManyFetchesLeaveFewPacks(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n", "base.bin": noise(200 << 10)})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	first := fetch(t, m)
	var all []string
	for i := range 60 {
		all = append(all, repo.Write(fmt.Sprint(i), map[string]string{fmt.Sprintf("d%d/main.tf", i%7): fmt.Sprint(i)}))
		fetchCommit(t, m, all[i])
		if n := len(packSizes(t, dir)); n > 17 {
			t.Fatalf("%d packs after %d fetches", n, i+2)
		}
	}
	for i, commit := range all {
		tree, err := m.Tree(commit)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tree.ReadFile(fmt.Sprintf("d%d/main.tf", i%7)); err != nil || string(got) != fmt.Sprint(i) {
			t.Fatalf("commit %d: %q, %v", i, got, err)
		}
	}
	if yes, err := m.IsAncestor(first, all[len(all)-1]); err != nil || !yes {
		t.Errorf("history: %v, %v", yes, err)
	}
	git := filepath.Dir(only(t, dir, "*/git/HEAD"))
	repo.Git("--git-dir="+git, "fsck", "--full", "--strict")
	if tips, _ := filepath.Glob(filepath.Join(git, "refs/mooring/*")); len(tips) > 32 {
		t.Errorf("%d tips", len(tips))
	}
	if notes := m.Notes(); len(notes) != 0 {
		t.Errorf("notes = %v", notes)
	}
}

// Everything at once, for the race detector and for packs that come and go
// below their readers.
func TestConcurrentUse(t *testing.T) {
	repo := newRepo(t, map[string]string{"a/main.tf": "0", "b/main.tf": "x"})
	server := githttp.New(t, filepath.Dir(repo.Dir))
	m := open(t, mirror.Remote{URL: server.RepositoryURL("infra.git")})
	commits := []string{fetch(t, m)}
	for i := range 25 {
		commits = append(commits, repo.Write("x", map[string]string{"a/main.tf": fmt.Sprint(i + 1)}))
	}
	fetched := make(chan string, len(commits))
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(fetched)
		fetched <- commits[0]
		for _, c := range commits[1:] {
			repoAt(t, repo, c)
			if err := m.Fetch(t.Context(), c); err != nil {
				t.Error(err)
				return
			}
			fetched <- c
		}
	})
	for c := range fetched {
		for range 3 {
			wg.Go(func() {
				want := fmt.Sprint(index(commits, c))
				tree, err := m.Tree(c)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := tree.ReadFile("a/main.tf"); err != nil || string(got) != want {
					t.Errorf("tree: %q, %v; want %s", got, err, want)
				}
				held, err := m.Checkout(t.Context(), c)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := os.ReadFile(filepath.Join(held.Dir, "a/main.tf")); err != nil || string(got) != want {
					t.Errorf("checkout: %q, %v; want %s", got, err, want)
				}
				if err := held.Release(); err != nil {
					t.Error(err)
				}
				if _, err := m.Changes(commits[0], c); err != nil {
					t.Error(err)
				}
				if yes, err := m.IsAncestor(commits[0], c); err != nil || !yes {
					t.Errorf("IsAncestor = %v, %v", yes, err)
				}
				if _, err := m.Poll(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
}

// repoAt moves the branch, so that each fetch finds one commit more.
func repoAt(t *testing.T, repo *githttp.Repo, commit string) {
	t.Helper()
	repo.SetRef("refs/heads/main", commit)
}

func index(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

// What a server keeps in memory of a mirror at rest: one listing.
func TestMemoryAtRest(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: 6,000 files")
	}
	repo := newRepo(t, manyModules(2000))
	m := open(t, mirror.Remote{URL: repo.Dir})
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := heap()
	commit := fetch(t, m)
	tree, err := m.Tree(commit)
	if err != nil {
		t.Fatal(err)
	}
	bytes := 0
	if err := tree.Walk(func(path string, _ fs.FileMode, _ string) error {
		content, err := tree.ReadFile(path)
		bytes += len(content)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	m.DropCaches()
	grown := heap() - before
	t.Logf("%d files, %d KiB read; %d KiB of heap held", tree.Len(), bytes>>10, grown>>10)
	if grown > 2<<20 {
		t.Errorf("%d KiB of heap are held, want at most 2 MiB", grown>>10)
	}
	runtime.KeepAlive(tree)
}
