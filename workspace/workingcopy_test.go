package workspace

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// writeFiles writes an archive; "-> target" is a symbolic link, as in memTree.
func writeFiles(t *testing.T, dir, archive string) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		full := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(strings.TrimSpace(string(f.Data)), "-> "); ok {
			if err := os.Symlink(target, full); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(full, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func walkedPaths(t *testing.T, dir string) []string {
	t.Helper()
	tree, err := WorkingCopy(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	if err := tree.Walk(func(p string, _ fs.FileMode, id string) error {
		if id == "" {
			t.Errorf("%s has no id", p)
		}
		out = append(out, p)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// git runs the real one with a home of its own.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not on PATH")
		}
		t.Skip("SKIPPED: git is not on PATH, so what it ignores cannot be compared")
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestIgnoredFilesAreThoseThatGitIgnores compares with Git itself.
func TestIgnoredFilesAreThoseThatGitIgnores(t *testing.T) {
	const files = `
-- a.log --
-- keep.log --
-- build/x --
-- src/build/x --
-- src/a.log --
-- src/keep.log --
-- src/deep/er/a.tmp --
-- src/deep/er/b.txt --
-- docs/a.txt --
-- docs/sub/a.txt --
-- docs/sub/b.md --
-- foo/bar --
-- x/foo/bar --
-- foo/baz/bar --
-- hash#tag --
-- #hash --
-- !bang --
-- spaced name --
-- trailing  --
-- abc1 --
-- abd1 --
-- dir/only --
-- other/dir --
-- vendor/keep/me --
-- vendor/drop/me --
-- .hidden/x --
-- q?mark --
-- back\slash --
`
	cases := []struct{ name, ignores string }{
		{"none", ""},
		{"a pattern at any depth", "-- .gitignore --\n*.log\n"},
		{"negation", "-- .gitignore --\n*.log\n!keep.log\n"},
		{"the last rule wins", "-- .gitignore --\n!keep.log\n*.log\n"},
		{"a directory only", "-- .gitignore --\nbuild/\ndir/\n"},
		{"anchored at the front", "-- .gitignore --\n/build\n/a.log\n"},
		{"a slash in the middle anchors", "-- .gitignore --\nfoo/bar\n"},
		{"** in front", "-- .gitignore --\n**/foo/bar\n**/er\n"},
		{"** behind", "-- .gitignore --\ndocs/**\n"},
		{"** in the middle", "-- .gitignore --\nfoo/**/bar\nsrc/**/*.tmp\n"},
		{"a single star stays in its segment", "-- .gitignore --\ndocs/*.txt\n"},
		{"question mark and class", "-- .gitignore --\nab[cd]?\n"},
		{"negated class", "-- .gitignore --\nab[!c]1\n"},
		{"comments and escapes", "-- .gitignore --\n# comment\n\\#hash\n\\!bang\n"},
		{"trailing spaces", "-- .gitignore --\nspaced name   \nabc1  \n"},
		{"an escaped character", "-- .gitignore --\nq\\?mark\n"},
		{"nested files", "-- .gitignore --\n*.log\n-- src/.gitignore --\n!a.log\n/deep\n-- docs/.gitignore --\n*.txt\n!sub/a.txt\n"},
		{"an ignored directory stays ignored", "-- .gitignore --\nvendor/\n!vendor/keep/me\n"},
		{"a directory opened again", "-- .gitignore --\nvendor/*\n!vendor/keep\n"},
		{"a broken class matches nothing", "-- .gitignore --\nab[cd\n"},
		{"everything but", "-- .gitignore --\n/*\n!/src\n/src/*\n!/src/deep\n"},
		{"Windows line ends", "-- .gitignore --\n*.log\r\nbuild/\r\n"},
		{"info/exclude", "-- .git/info/exclude --\n*.log\n-- src/.gitignore --\n!a.log\n"},
		{"two stars inside a segment", "-- .gitignore --\na**1\n"},
		{"hidden too", "-- .gitignore --\n.hidden\n"},
	}
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	writeFiles(t, dir, files)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, old := range []string{".gitignore", "src/.gitignore", "docs/.gitignore", ".git/info/exclude"} {
				if err := os.Remove(filepath.Join(dir, old)); err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
			}
			writeFiles(t, dir, c.ignores)
			var want []string
			for name := range strings.SplitSeq(git(t, dir, "ls-files", "-z", "--others", "--exclude-standard"), "\x00") {
				if name != "" {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			if got := walkedPaths(t, dir); !slices.Equal(got, want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

func TestAWorkingCopyLeavesOutWhatIsNotTheRepository(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, `
-- a/main.tf --
-- a/.terraform/providers/x --
-- a/.terraform.lock.hcl --
-- .git/config --
-- sub/.git/config --
-- sub/x --
-- link --
-> a
`)
	if got := join(walkedPaths(t, dir)); got != "a/.terraform.lock.hcl a/main.tf link sub/x" {
		t.Errorf("got %q", got)
	}
}

func TestAWorkingCopyIsReadAsItLies(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, "-- a/main.tf --\nmodule \"m\" {\n  source = \"./m\"\n}\n-- a/m --\n-> ../lib\n-- lib/x.tf --\n# m\n")
	tree, err := WorkingCopy(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := scanTree(t, tree)
	if got := unitIDs(g); got != "a" {
		t.Errorf("units %q", got)
	}
	noWarnings(t, g)
	for _, bad := range []string{"../x", "/etc/passwd", "a/../../x", "a/m"} {
		if _, err := tree.ReadFile(bad); err == nil {
			t.Errorf("ReadFile(%q) answered", bad)
		}
	}
	if _, err := WorkingCopy(filepath.Join(dir, "a", "main.tf")); err == nil {
		t.Error("a file is no working copy")
	}
	if _, err := WorkingCopy(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("nothing is no working copy")
	}
}
