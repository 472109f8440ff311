package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// verdict is what git says of a merge.
type verdict struct {
	tree string // "" for a conflict
	// whole says that every file of the result is one side's at that path: git
	// has put no two files together, nor one's mode to another's content.
	whole bool
}

// gitMerges has git merge theirs into ours, as forges do it.
func gitMerges(t *testing.T, repo *githttp.Repo, ours, theirs string) verdict {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "merge-tree", "--write-tree", "--messages", ours, theirs)
	cmd.Dir = repo.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + repo.Dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return verdict{}
	}
	if err != nil {
		t.Fatalf("git merge-tree: %v: %s", err, stderr.Bytes())
	}
	tree, messages, _ := strings.Cut(string(out), "\n")
	v := verdict{tree: tree, whole: !strings.Contains(messages, "Auto-merging")}
	of := map[string]bool{}
	for _, side := range []string{ours, theirs} {
		for line := range strings.Lines(repo.Git("ls-tree", "-r", side) + "\n") {
			of[line] = true
		}
	}
	if result := repo.Git("ls-tree", "-r", tree); result != "" {
		for line := range strings.Lines(result + "\n") {
			v.whole = v.whole && of[line]
		}
	}
	return v
}

// treeOf asks git for the root of a commit in the mirror.
func treeOf(t *testing.T, m *mirror.Mirror, commit string) string {
	t.Helper()
	tree, err := gitInMirror(m).Run(t.Context(), "rev-parse", commit+"^{tree}")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func gitInMirror(m *mirror.Mirror) githttp.Git {
	return githttp.Git{Dir: filepath.Join(m.Dir(), "git"), Env: []string{
		"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + filepath.Join(m.Dir(), "git", "merges", "objects")}}
}

// part commits base, and two commits on top of it.
func part(repo *githttp.Repo, base, ours, theirs githttp.Change) (o, h string) {
	b := repo.ForceCommit("main", "", "base", base)
	return repo.ForceCommit("main", b, "ours", ours), repo.ForceCommit("review", b, "theirs", theirs)
}

type (
	change = githttp.Change
	files  = map[string]string
)

// lines is a file that git can merge, and find again where it was renamed.
func lines(tag string, changed ...int) string {
	var b strings.Builder
	for i := range 12 {
		if slices.Contains(changed, i) {
			fmt.Fprintf(&b, "%s line %d changed\n", tag, i)
			continue
		}
		fmt.Fprintf(&b, "%s line %d\n", tag, i)
	}
	return b.String()
}

var mergeCases = []struct {
	name               string
	base, ours, theirs change
	conflicts          []string
	doubt              bool // we refuse what git would merge from whole files
}{
	{name: "different files",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Write: files{"a": "2"}}, theirs: change{Write: files{"b": "2"}}},
	{name: "different directories",
		base: change{Write: files{"a/x/1": "1", "b/y/1": "1", "c/1": "1"}}, ours: change{Write: files{"a/x/1": "2"}}, theirs: change{Write: files{"b/y/1": "2"}}},
	{name: "one directory",
		base: change{Write: files{"a/1": "1", "a/2": "1", "a/3": "1"}}, ours: change{Write: files{"a/1": "2"}}, theirs: change{Write: files{"a/3": "2"}}},
	{name: "one file, far apart",
		base: change{Write: files{"a": lines("a")}}, ours: change{Write: files{"a": lines("a", 1)}}, theirs: change{Write: files{"a": lines("a", 10)}},
		conflicts: []string{"a"}},
	{name: "one file, one line",
		base: change{Write: files{"a": "1"}}, ours: change{Write: files{"a": "2"}}, theirs: change{Write: files{"a": "3"}},
		conflicts: []string{"a"}},
	{name: "several files",
		base: change{Write: files{"d/a": "1", "d/e/b": "1", "c": "1"}}, ours: change{Write: files{"d/a": "2", "d/e/b": "2", "c": "2"}},
		theirs: change{Write: files{"d/a": "3", "d/e/b": "3"}}, conflicts: []string{"d/a", "d/e/b"}},
	{name: "the same change",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Write: files{"a": "2"}}, theirs: change{Write: files{"a": "2", "b": "2"}}},
	{name: "the same change and no other",
		base: change{Write: files{"a": "1"}}, ours: change{Write: files{"a": "2"}}, theirs: change{Write: files{"a": "2"}}},
	{name: "no change on one side",
		base: change{Write: files{"a": "1"}}, ours: change{}, theirs: change{Write: files{"a": "2"}}},
	{name: "both add different files",
		base: change{Write: files{"a": "1"}}, ours: change{Write: files{"d/x": "2"}}, theirs: change{Write: files{"d/y": "3"}}},
	{name: "both add the same file",
		base: change{Write: files{"a": "1"}}, ours: change{Write: files{"d/x": "2"}}, theirs: change{Write: files{"d/x": "2", "y": "1"}}},
	{name: "both add one file, not the same",
		base: change{Write: files{"a": "1"}}, ours: change{Write: files{"d/x": "2"}}, theirs: change{Write: files{"d/x": "3"}}, conflicts: []string{"d/x"}},
	{name: "delete and nothing",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Remove: []string{"a"}}, theirs: change{Write: files{"b": "2"}}},
	{name: "delete and modify",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Remove: []string{"a"}}, theirs: change{Write: files{"a": "2"}}, conflicts: []string{"a"}},
	{name: "modify and delete",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Write: files{"a": "2"}}, theirs: change{Remove: []string{"a"}}, conflicts: []string{"a"}},
	{name: "both delete",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Remove: []string{"a"}}, theirs: change{Remove: []string{"a"}, Write: files{"b": "2"}}},
	{name: "both delete a directory",
		base: change{Write: files{"d/a": "1", "d/b": "1", "c": "1"}}, ours: change{Remove: []string{"d"}}, theirs: change{Remove: []string{"d"}, Write: files{"c": "2"}}},
	{name: "each deletes half of a directory",
		base: change{Write: files{"d/a": "1", "d/b": "2", "c": "1"}}, ours: change{Remove: []string{"d/a"}}, theirs: change{Remove: []string{"d/b"}}},
	{name: "each deletes half of all",
		base: change{Write: files{"a": "1", "b": "2"}}, ours: change{Remove: []string{"a"}}, theirs: change{Remove: []string{"b"}}},
	{name: "directory deleted, file in it modified",
		base: change{Write: files{"d/a": "1", "d/b": "1", "c": "1"}}, ours: change{Remove: []string{"d"}}, theirs: change{Write: files{"d/b": "2"}}, conflicts: []string{"d/b"}},
	{name: "directory deleted, file added to it",
		base: change{Write: files{"d/a": "1", "d/b": "1", "c": "1"}}, ours: change{Remove: []string{"d"}}, theirs: change{Write: files{"d/new": "2"}}},
	{name: "mode and nothing",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Executable: files{"a": "1"}}, theirs: change{Write: files{"b": "2"}}},
	{name: "mode on both sides",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Executable: files{"a": "1"}}, theirs: change{Executable: files{"a": "1"}, Write: files{"b": "2"}}},
	{name: "mode and content",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Executable: files{"a": "1"}}, theirs: change{Write: files{"a": "2"}}, conflicts: []string{"a"}},
	{name: "added with two modes",
		base: change{Write: files{"b": "1"}}, ours: change{Executable: files{"a": "1"}}, theirs: change{Write: files{"a": "1"}}, conflicts: []string{"a"}},
	{name: "symlink and another file",
		base: change{Write: files{"b": "1"}, Symlink: files{"l": "b"}}, ours: change{Symlink: files{"l": "c"}}, theirs: change{Write: files{"b": "2"}}},
	{name: "symlink on both sides",
		base: change{Write: files{"b": "1"}, Symlink: files{"l": "b"}}, ours: change{Symlink: files{"l": "c"}}, theirs: change{Symlink: files{"l": "d"}}, conflicts: []string{"l"}},
	{name: "symlink becomes a file, retargeted",
		base: change{Write: files{"b": "1"}, Symlink: files{"l": "b"}}, ours: change{Write: files{"l": "b"}}, theirs: change{Symlink: files{"l": "d"}}, conflicts: []string{"l"}},
	{name: "file becomes a symlink, other side still",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Symlink: files{"a": "b"}}, theirs: change{Write: files{"b": "2"}}},
	{name: "submodule moved on one side",
		base: change{Write: files{"b": "1"}, Submodule: files{"m": strings.Repeat("1", 40)}}, ours: change{Submodule: files{"m": strings.Repeat("2", 40)}}, theirs: change{Write: files{"b": "2"}}},
	{name: "submodule moved on both sides",
		base: change{Write: files{"b": "1"}, Submodule: files{"m": strings.Repeat("1", 40)}}, ours: change{Submodule: files{"m": strings.Repeat("2", 40)}},
		theirs: change{Submodule: files{"m": strings.Repeat("3", 40)}}, conflicts: []string{"m"}},
	{name: "file becomes a directory, other side still",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"a/x": "1"}}, theirs: change{Write: files{"b": "2"}}},
	{name: "file becomes a directory, and is modified",
		base: change{Write: files{"a": "1", "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"a/x": "8"}}, theirs: change{Write: files{"a": "2"}}, conflicts: []string{"a"}},
	{name: "directory becomes a file, other side still",
		base: change{Write: files{"a/x": "1", "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"a": "2"}}, theirs: change{Write: files{"b": "2"}}},
	{name: "directory becomes a file, and gets another file",
		base: change{Write: files{"a/x": "1", "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"a": "2"}}, theirs: change{Write: files{"a/y": "3"}}, conflicts: []string{"a"}},
	{name: "file and directory of one name added",
		base: change{Write: files{"b": "1"}}, ours: change{Write: files{"a": "2"}}, theirs: change{Write: files{"a/y": "3"}}, conflicts: []string{"a"}},
	{name: "file and directory of one name added, names between",
		base: change{Write: files{"b": "1", "a.tf": "1", "a-": "1"}}, ours: change{Write: files{"a/y": "3"}}, theirs: change{Write: files{"a": "2"}}, conflicts: []string{"a"}},
	{name: "rename, other side still",
		base: change{Write: files{"a": lines("a"), "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"c": lines("a", 3)}}, theirs: change{Write: files{"b": "2"}}},
	{name: "rename and modify",
		base: change{Write: files{"a": lines("a"), "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"c": lines("a")}}, theirs: change{Write: files{"a": lines("a", 3)}}, conflicts: []string{"a"}},
	{name: "renamed on both sides alike",
		base: change{Write: files{"a": lines("a"), "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"c": lines("a")}}, theirs: change{Remove: []string{"a"}, Write: files{"c": lines("a")}}},
	{name: "renamed on both sides, to two names",
		base: change{Write: files{"a": lines("a"), "b": "1"}}, ours: change{Remove: []string{"a"}, Write: files{"c": lines("a")}}, theirs: change{Remove: []string{"a"}, Write: files{"d": lines("a", 2)}}, conflicts: []string{"a"}},
	{name: "renamed and deleted",
		base: change{Write: files{"a": lines("a"), "b": "1"}}, ours: change{Remove: []string{"a"}}, theirs: change{Remove: []string{"a"}, Write: files{"d": lines("a", 2)}}, conflicts: []string{"a"}},
	{name: "symlink renamed and deleted",
		base: change{Symlink: files{"a": "somewhere"}, Write: files{"b": "1"}}, ours: change{Remove: []string{"a"}}, theirs: change{Remove: []string{"a"}, Symlink: files{"d": "somewhere"}}, conflicts: []string{"a"}},
	{name: "empty file renamed and deleted: no rename to git",
		base: change{Write: files{"a": "", "b": "1"}}, ours: change{Remove: []string{"a"}}, theirs: change{Remove: []string{"a"}, Write: files{"d": ""}}},
	{name: "deleted on both sides, something else added",
		base: change{Write: files{"a": lines("a"), "b": "1"}}, ours: change{Remove: []string{"a"}}, theirs: change{Remove: []string{"a"}, Write: files{"d": lines("d")}}},
	{name: "two files renamed to one",
		base: change{Write: files{"a": lines("a"), "b": lines("b")}}, ours: change{Remove: []string{"a"}, Write: files{"c": lines("a")}}, theirs: change{Remove: []string{"b"}, Write: files{"c": lines("b")}}, conflicts: []string{"c"}},
	{name: "directory renamed, file added to the old one",
		base: change{Write: files{"d/a": lines("a"), "d/b": lines("b"), "c": "1"}}, ours: change{Remove: []string{"d"}, Write: files{"e/a": lines("a"), "e/b": lines("b")}},
		theirs: change{Write: files{"d/new": "2"}}, conflicts: []string{"d"}},
	{name: "file moved out of a directory that goes, file added to it: no rename of the directory to git where most went elsewhere",
		base:   change{Write: files{"d/a": lines("a"), "d/b": lines("b"), "c": "1"}},
		ours:   change{Remove: []string{"d"}, Write: files{"e/a": lines("a"), "f/b": lines("b")}},
		theirs: change{Write: files{"d/new": "2"}}, conflicts: []string{"d"}},
	{name: "subdirectory renamed, other side adds elsewhere",
		base: change{Write: files{"d/s/a": lines("a"), "d/b": lines("b")}}, ours: change{Remove: []string{"d/s"}, Write: files{"d/t/a": lines("a")}},
		theirs: change{Write: files{"d/new": "2"}}},
	{name: "one deleted by both, like one that is added",
		base:   change{Write: files{"a": lines("a"), "b": lines("a", 0)}},
		ours:   change{Remove: []string{"a", "b"}, Write: files{"x": lines("a", 0)}},
		theirs: change{Remove: []string{"a"}}, conflicts: []string{"a"}, doubt: true},
	{name: "names in git's own order",
		base: change{Write: files{"a/1": "1", "a.b": "1", "a-b": "1", "a0": "1", "ä": "1"}}, ours: change{Write: files{"a/1": "2", "a-b": "2"}}, theirs: change{Write: files{"a/2": "2", "a0": "2", "ä": "2"}}},
}

func TestMergeIsGitsFileByFile(t *testing.T) {
	for _, tt := range mergeCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newRepo(t, nil)
			ours, theirs := part(repo, tt.base, tt.ours, tt.theirs)
			m := open(t, mirror.Remote{URL: repo.Dir})
			fetchCommit(t, m, ours)
			fetchCommit(t, m, theirs)
			got, err := m.Merge(t.Context(), ours, theirs)
			git := gitMerges(t, repo, ours, theirs)
			if len(tt.conflicts) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if git.tree == "" || !git.whole || treeOf(t, m, got.Commit) != git.tree {
					t.Errorf("merged to the tree %s; git: %+v", treeOf(t, m, got.Commit), git)
				}
				merged, err := m.Commit(got.Commit)
				if err != nil || !slices.Equal(merged.Parents, []string{ours, theirs}) || merged.Author != "Mooring <mooring@localhost>" || !got.Made {
					t.Errorf("made: %+v, %v", merged, err)
				}
				return
			}
			var conflict *mirror.ConflictError
			if !errors.As(err, &conflict) || conflict.Base != ours || conflict.Head != theirs {
				t.Fatalf("merge = %+v, %v; want a conflict of the two", got, err)
			}
			if diff := cmp.Diff(tt.conflicts, conflict.Paths); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
			if !strings.Contains(err.Error(), fmt.Sprintf("%q", tt.conflicts[0])) || !strings.Contains(err.Error(), "update the branch first") {
				t.Errorf("message: %v", err)
			}
			if git.tree != "" && git.whole != tt.doubt {
				t.Errorf("git: %+v, doubt %v", git, tt.doubt)
			}
		})
	}
}

func TestMergeOfWhatContainsTheOther(t *testing.T) {
	repo := newRepo(t, files{"a": "1"})
	first := repo.Head("main")
	second := repo.Write("two", files{"a": "2"})
	other := repo.ForceCommit("other", "", "other", change{Write: files{"a": "3"}})
	m := open(t, mirror.Remote{URL: repo.Dir})
	fetchCommit(t, m, second)
	fetchCommit(t, m, other)
	for _, tt := range []struct{ base, head, want string }{{first, second, second}, {second, first, second}, {second, second, second}} {
		if got, err := m.Merge(t.Context(), tt.base, tt.head); err != nil || got != (mirror.Merged{Commit: tt.want}) {
			t.Errorf("merge %s into %s = %+v, %v; want %s", tt.head, tt.base, got, err, tt.want)
		}
	}
	if _, err := m.Merge(t.Context(), second, other); !errors.Is(err, mirror.ErrUnrelated) {
		t.Errorf("merge of histories that share nothing: %v, want ErrUnrelated", err)
	}
	for _, bad := range []string{strings.Repeat("ab", 20), "main", second[:12], ""} {
		if _, err := m.Merge(t.Context(), second, bad); !errors.Is(err, mirror.ErrUnknownCommit) {
			t.Errorf("head %q: %v, want ErrUnknownCommit", bad, err)
		}
		if _, err := m.Merge(t.Context(), bad, second); !errors.Is(err, mirror.ErrUnknownCommit) {
			t.Errorf("base %q: %v, want ErrUnknownCommit", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Merge(ctx, first, second); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// mergeInto commits a merge of two commits with the tree of a third.
func mergeInto(repo *githttp.Repo, branch, treeOf, first, second string) string {
	tree := repo.Git("rev-parse", treeOf+"^{tree}")
	id := repo.Git("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit-tree", "-m", "merge", "-p", first, "-p", second, tree)
	repo.SetRef("refs/heads/"+branch, id)
	return id
}

func TestMergeOfACrissCross(t *testing.T) {
	// a was changed in one base and b in the other; both sides have both.
	cross := func(t *testing.T) (repo *githttp.Repo, ours, theirs string) {
		repo = newRepo(t, files{"a": "1", "b": "1", "c": "1", "d/x": "1", "d/y": "1"})
		root := repo.Head("main")
		left := repo.ForceCommit("main", root, "left", change{Write: files{"a": "2"}})
		right := repo.ForceCommit("review", root, "right", change{Write: files{"b": "2"}})
		both := repo.ForceCommit("both", root, "both", change{Write: files{"a": "2", "b": "2"}})
		return repo, mergeInto(repo, "main", both, left, right), mergeInto(repo, "review", both, right, left)
	}
	tests := []struct {
		name         string
		ours, theirs change
		conflicts    []string
		whole        bool // git merges it file by file
	}{
		{"elsewhere", change{Write: files{"c": "2"}}, change{Write: files{"d/x": "2"}}, nil, true},
		{"in one directory", change{Write: files{"d/y": "2"}}, change{Write: files{"d/x": "2"}}, nil, true},
		{"alike, where the bases differ", change{Write: files{"a": "3", "c": "2"}}, change{Write: files{"a": "3"}}, nil, true},
		{"where the bases differ, by one side", change{Write: files{"a": "3"}}, change{Write: files{"c": "2"}}, []string{"a"}, true},
		{"undone by one side", change{Write: files{"a": "1"}}, change{Write: files{"c": "2"}}, []string{"a"}, true},
		{"where the bases differ, by both", change{Write: files{"a": "3"}}, change{Write: files{"a": "1"}}, []string{"a"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repo, left, right := cross(t)
			ours := repo.ForceCommit("main", left, "ours", tt.ours)
			theirs := repo.ForceCommit("review", right, "theirs", tt.theirs)
			if bases := repo.Git("merge-base", "--all", ours, theirs); len(strings.Fields(bases)) != 2 {
				t.Fatalf("merge bases: %s", bases)
			}
			m := open(t, mirror.Remote{URL: repo.Dir})
			fetchCommit(t, m, ours)
			fetchCommit(t, m, theirs)
			git := gitMerges(t, repo, ours, theirs)
			if git.whole != tt.whole {
				t.Errorf("git: %+v", git)
			}
			got, err := m.Merge(t.Context(), ours, theirs)
			var conflict *mirror.ConflictError
			if errors.As(err, &conflict) {
				if diff := cmp.Diff(tt.conflicts, conflict.Paths); diff != "" {
					t.Errorf("conflicts (-want +got):\n%s", diff)
				}
				return
			}
			if err != nil || len(tt.conflicts) > 0 || treeOf(t, m, got.Commit) != git.tree {
				t.Errorf("merge = %+v, %v; git: %+v", got, err, git)
			}
		})
	}
}
