package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

func checkoutsIn(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*/checkouts/*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, "*/checkouts/.*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(found, hidden...)
}

func TestCheckoutIsSharedAndCounted(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("d%02d/f%03d.tf", i%20, i)] = fmt.Sprint(i)
	}
	repo := newRepo(t, files)
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	commit := fetch(t, m)

	const holders = 12
	all := make([]*mirror.Checkout, holders)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			c, err := m.Checkout(t.Context(), commit)
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = c
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, c := range all {
		if c.Dir != all[0].Dir || filepath.Base(c.Dir) != commit {
			t.Errorf("checkouts %s and %s of one commit", c.Dir, all[0].Dir)
		}
	}
	if got := len(onDisk(t, all[0].Dir)); got != 320 {
		t.Errorf("%d entries, want 320", got)
	}
	for _, c := range all[1:] {
		wg.Go(func() {
			if err := errors.Join(c.Release(), c.Release()); err != nil { // twice counts once
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(filepath.Join(all[0].Dir, "d00/f000.tf")); err != nil {
		t.Errorf("removed while somebody holds it: %v", err)
	}
	if err := all[0].Release(); err != nil {
		t.Fatal(err)
	}
	if left := checkoutsIn(t, dir); len(left) != 0 {
		t.Errorf("left after the last release: %v", left)
	}
	// And again.
	checkout(t, m, commit)
}

// Takers and releasers at random: whoever holds a checkout finds it whole.
func TestCheckoutStress(t *testing.T) {
	repo := newRepo(t, map[string]string{"a/b.tf": "1", "c.tf": "2"})
	first := repo.Head("main")
	second := repo.Write("two", map[string]string{"a/b.tf": "2"})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	fetch(t, m)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				commit, want := first, "1"
				if (i+j)%3 == 0 {
					commit, want = second, "2"
				}
				c, err := m.Checkout(t.Context(), commit)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := os.ReadFile(filepath.Join(c.Dir, "a/b.tf")); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", commit, got, err)
				}
				if err := c.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if left := checkoutsIn(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestCheckoutCancelled(t *testing.T) {
	repo := newRepo(t, map[string]string{"a.tf": "1"})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	commit := fetch(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Checkout(ctx, commit); !errors.Is(err, context.Canceled) {
		t.Errorf("checkout: %v, want Canceled", err)
	}
	if left := checkoutsIn(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	checkout(t, m, commit)
	if _, err := m.Checkout(t.Context(), strings.Repeat("a", 40)); !errors.Is(err, mirror.ErrUnknownCommit) {
		t.Errorf("checkout of an unknown commit: %v", err)
	}
	if _, err := m.Checkout(t.Context(), "main"); !errors.Is(err, mirror.ErrUnknownCommit) {
		t.Errorf("checkout of a name: %v", err)
	}
}

func TestLeftoversAreRemovedButNotWhatIsHeld(t *testing.T) {
	repo := newRepo(t, map[string]string{"a/b.tf": "1"})
	dir := t.TempDir()
	remote := mirror.Remote{URL: repo.Dir}
	crashed := openIn(t, dir, remote)
	commit := fetch(t, crashed)
	old, err := crashed.Checkout(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	parent := filepath.Dir(old.Dir)
	for _, name := range []string{".new-123/x", ".old-1-abc/y", strings.Repeat("c", 40) + "/z"} {
		if err := os.MkdirAll(filepath.Join(parent, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Dir(filepath.Join(parent, name)), 0o555); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{strings.Repeat("d", 40) + ".lock", strings.Repeat("c", 40) + ".lock"} {
		if err := os.WriteFile(filepath.Join(parent, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// A child of the crashed process has the lock file and lives on.
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{old.LockFile()}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := old.LockFile().Close(); err != nil { // as the end of its process does
		t.Fatal(err)
	}
	m := openIn(t, dir, remote)
	if diff := cmp.Diff([]string{old.Dir, old.Dir + ".lock"}, checkoutsIn(t, dir)); diff != "" {
		t.Errorf("left after open (-want +got):\n%s", diff)
	}
	if notes := m.Notes(); len(notes) != 1 || !strings.Contains(notes[0].Message, commit) {
		t.Errorf("notes = %v", notes)
	}
	if notes := m.Notes(); len(notes) != 0 {
		t.Errorf("said again: %v", notes)
	}
	mine := checkout(t, m, commit)
	if mine.Dir == old.Dir {
		t.Error("a checkout that another run holds was given out")
	}
	if err := errors.Join(stdin.Close(), child.Wait()); err != nil {
		t.Fatal(err)
	}
	if got := checkoutsIn(t, dir); len(got) != 4 {
		t.Errorf("checkouts: %v", got)
	}
	if err := mine.Release(); err != nil {
		t.Fatal(err)
	}
	openIn(t, dir, remote)
	if got := checkoutsIn(t, dir); len(got) != 0 {
		t.Errorf("left after the child's end: %v", got)
	}
}

func TestSymlinksThatLeave(t *testing.T) {
	tests := []struct {
		name  string
		links map[string]string
		bad   string // path of a refused one
	}{
		{"within", map[string]string{"a/l": "../b/f", "b/l": "f", "dir": "b", "gone": "no/such"}, ""},
		{"absolute", map[string]string{"a/l": "/etc/passwd"}, "a/l"},
		{"above", map[string]string{"a/l": "../../etc"}, "a/l"},
		{"through a link", map[string]string{"a/deep/er/l": "up/../../x", "a/deep/er/up": "../../../b"}, "a/deep/er/l"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo := newRepo(t, map[string]string{"b/f": "1"})
			repo.Commit("links", githttp.Change{Symlink: tt.links})
			dir := t.TempDir()
			m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
			commit := fetch(t, m)
			if tt.bad == "" {
				c := checkout(t, m, commit)
				for path, target := range tt.links {
					if got, err := os.Readlink(filepath.Join(c.Dir, path)); err != nil || got != target {
						t.Errorf("%s -> %q, %v", path, got, err)
					}
				}
				return
			}
			_, err := m.Checkout(t.Context(), commit)
			var escape *mirror.EscapeError
			if !errors.As(err, &escape) || escape.Path != tt.bad || escape.Target != tt.links[tt.bad] {
				t.Errorf("checkout: %v", err)
			}
			if left := checkoutsIn(t, dir); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestNotesOfACheckout(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("4", 64) + "\nsize 12345\n"
	repo := newRepo(t, map[string]string{
		"files/image.bin":          pointer,
		"docs/lfs.md":              "We use:\n" + pointer,
		"files/long.txt":           pointer + strings.Repeat("x", 2000),
		"infra/.terraform/modules": "{}",
	})
	repo.Commit("sub", githttp.Change{Submodule: map[string]string{"vendor": strings.Repeat("1", 40)}})
	m := open(t, mirror.Remote{URL: repo.Dir})
	c := checkout(t, m, fetch(t, m))
	var said []string
	for _, n := range c.Notes {
		word, _, _ := strings.Cut(n.Message, " ")
		said = append(said, fmt.Sprintf("%s:%d %s", n.File, n.Line, word))
	}
	want := []string{"files/image.bin:1 Git", "infra/.terraform:0 committed", "vendor:0 submodule"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if got := onDisk(t, c.Dir)["files/image.bin"]; got != "-r--r--r-- "+pointer {
		t.Errorf("pointer = %q", got)
	}
}

func TestEdgesOfTrees(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		big := noise(3 << 20)
		first := repo.Commit("swap", githttp.Change{
			Write:   map[string]string{"x": "file", "y/z": "1", "empty": "", "big.bin": big, strings.Repeat("n", 255): "long"},
			Symlink: map[string]string{"l": "x"},
		})
		second := repo.Commit("swapped", githttp.Change{
			Remove:     []string{"x", "y", "l"},
			Write:      map[string]string{"x/deep": "2", "l/f": "3"},
			Executable: map[string]string{"y": "4", "empty": ""},
		})
		third := repo.Commit("nothing left", githttp.Change{RemoveAll: true})
		m := open(t, remote)
		fetch(t, m)
		if got := onDisk(t, checkout(t, m, first).Dir); got["big.bin"] != "-r--r--r-- "+big || got[strings.Repeat("n", 255)] == "" {
			t.Error("the first checkout lacks the large file or the long name")
		}
		got := onDisk(t, checkout(t, m, second).Dir)
		delete(got, "big.bin")
		delete(got, strings.Repeat("n", 255))
		want := map[string]string{"x": "dr-xr-xr-x", "x/deep": "-r--r--r-- 2", "l": "dr-xr-xr-x", "l/f": "-r--r--r-- 3",
			"y": "-r-xr-xr-x 4", "empty": "-r-xr-xr-x "}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("second (-want +got):\n%s", diff)
		}
		if got := onDisk(t, checkout(t, m, third).Dir); len(got) != 0 {
			t.Errorf("empty commit: %v", got)
		}
		paths, err := m.Changes(first, second)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"empty", "l", "l/f", "x", "x/deep", "y", "y/z"}, paths); diff != "" {
			t.Errorf("change set (-want +got):\n%s", diff)
		}
		all, err := m.Changes("", second)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := m.Tree(second)
		if err != nil {
			t.Fatal(err)
		}
		var walked []string
		_ = tree.Walk(func(path string, _ fs.FileMode, _ string) error { walked = append(walked, path); return nil })
		if diff := cmp.Diff(walked, all); diff != "" {
			t.Errorf("changes from nothing are not the walk:\n%s", diff)
		}
		if got, err := m.Changes(second, second); err != nil || len(got) != 0 {
			t.Errorf("changes of one commit: %v, %v", got, err)
		}
		if _, err := m.Changes(strings.Repeat("e", 40), second); !errors.Is(err, mirror.ErrUnknownCommit) {
			t.Errorf("changes from an unknown commit: %v", err)
		}
	})
}

func TestCheckoutOf10000Files(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: 10,000 files")
	}
	repo := newRepo(t, manyModules(3334))
	m := open(t, mirror.Remote{URL: repo.Dir})
	commit := fetch(t, m)
	c := checkout(t, m, commit)
	files := 0
	for _, v := range onDisk(t, c.Dir) {
		if strings.HasPrefix(v, "-r--r--r-- ") {
			files++
		}
	}
	if files != 3*3334 {
		t.Errorf("%d files, want %d", files, 3*3334)
	}
	// Git's own eye on the content: every file is what the commit says.
	git := githttp.Git{Dir: repo.Dir, Env: []string{"GIT_INDEX_FILE=" + filepath.Join(t.TempDir(), "index"), "GIT_WORK_TREE=" + c.Dir}}
	for _, args := range [][]string{{"read-tree", commit}, {"update-index", "--refresh"}, {"ls-files", "--others", "--directory"}} {
		if out, err := git.Run(t.Context(), args...); err != nil || out != "" {
			t.Errorf("git %v: %s, %v", args, out[:min(len(out), 200)], err)
		}
	}
}
