package githttp

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Branch is the branch that HEAD of a new repository names.
const Branch = "main"

// Repo is a bare repository that a test writes commits to, as a push by somebody else would.
// Equal histories have equal commit ids: the author is fixed and each commit is a minute after the one before.
// Its methods end the test when git fails. Not for use by several goroutines at once.
type Repo struct {
	Dir string // the bare repository, a remote URL for a local path

	t       TB
	git     Git
	commits int
}

// Change is what a commit does to the tree of its parent. Paths use slashes.
type Change struct {
	Write      map[string]string // content by path
	Executable map[string]string // the same, with the executable bit
	Symlink    map[string]string // target by path
	Submodule  map[string]string // commit id by path
	Remove     []string          // files or whole directories
	RemoveAll  bool              // start from an empty tree, then do the rest
}

// NewRepo makes a bare repository at dir, which must not hold one, with one commit of files on [Branch].
// Without files it has no commit: an empty repository.
func NewRepo(t TB, dir string, files map[string]string) *Repo {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("make repository: %v", err)
	}
	r := &Repo{Dir: dir, t: t, git: Git{Dir: dir}}
	r.Git("init", "--quiet", "--bare", "--initial-branch="+Branch, ".")
	if len(files) > 0 {
		r.Write("First commit", files)
	}
	return r
}

// Git runs a git command in the bare repository and returns its standard output.
func (r *Repo) Git(args ...string) string {
	r.t.Helper()
	out, err := r.git.Run(r.t.Context(), args...)
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	return out
}

// Write commits files, by path, on top of [Branch] and returns the commit id.
func (r *Repo) Write(message string, files map[string]string) string {
	r.t.Helper()
	return r.Commit(message, Change{Write: files})
}

// Remove commits the removal of paths from [Branch] and returns the commit id.
func (r *Repo) Remove(message string, paths ...string) string {
	r.t.Helper()
	return r.Commit(message, Change{Remove: paths})
}

// Commit commits a change on top of [Branch] and returns the commit id.
func (r *Repo) Commit(message string, change Change) string {
	r.t.Helper()
	return r.CommitOn(Branch, message, change)
}

// CommitOn commits a change on top of a branch, which is made from [Branch] when it is not there, and returns the
// commit id. The first branch of an empty repository starts from nothing.
func (r *Repo) CommitOn(branch, message string, change Change) string {
	r.t.Helper()
	parent := r.Head(branch)
	if parent == "" {
		parent = r.Head(Branch)
	}
	return r.commit(branch, parent, message, change)
}

// ForceCommit replaces a branch by a commit on top of parent, as a forced push does, and returns its id.
// An empty parent starts a history of its own.
func (r *Repo) ForceCommit(branch, parent, message string, change Change) string {
	r.t.Helper()
	return r.commit(branch, parent, message, change)
}

// Revert commits the opposite of the last commit on [Branch] and returns the commit id.
func (r *Repo) Revert(message string) string {
	r.t.Helper()
	tree := r.Git("rev-parse", "refs/heads/"+Branch+"~1^{tree}")
	git := Git{Dir: r.Dir, Env: r.nextDate()}
	id, err := git.Run(r.t.Context(), "commit-tree", "-m", message, "-p", "refs/heads/"+Branch, tree)
	if err != nil {
		r.t.Fatalf("revert: %v", err)
	}
	r.SetRef("refs/heads/"+Branch, id)
	return id
}

// Head returns the commit id of a branch, "" when there is no such branch.
func (r *Repo) Head(branch string) string {
	r.t.Helper()
	return r.Git("for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
}

// SetRef points a full ref name at a commit, whatever it pointed at before.
func (r *Repo) SetRef(ref, id string) {
	r.t.Helper()
	r.Git("update-ref", ref, id)
}

// DeleteBranch removes a branch.
func (r *Repo) DeleteBranch(branch string) {
	r.t.Helper()
	r.Git("update-ref", "-d", "refs/heads/"+branch)
}

func (r *Repo) commit(branch, parent, message string, change Change) string {
	r.t.Helper()
	var stream bytes.Buffer
	fmt.Fprintf(&stream, "commit refs/heads/%s\nmark :1\n", branch)
	fmt.Fprintf(&stream, "committer %s <%s> %d +0000\n", authorName, authorEmail, r.next().Unix())
	writeData(&stream, message)
	if parent != "" {
		fmt.Fprintf(&stream, "from %s\n", parent)
	} else {
		fmt.Fprintf(&stream, "from %s\n", strings.Repeat("0", 40))
	}
	writeChange(&stream, change)
	stream.WriteString("get-mark :1\n")

	id, err := r.git.run(r.t.Context(), &stream, "fast-import", "--quiet", "--force", "--date-format=raw")
	if err != nil {
		r.t.Fatalf("commit %q: %v", message, err)
	}
	return id
}

// writeChange writes a change as git fast-import reads it. Paths are sorted, so equal changes are equal streams.
func writeChange(w io.Writer, change Change) {
	if change.RemoveAll {
		fmt.Fprintln(w, "deleteall")
	}
	for _, path := range change.Remove {
		fmt.Fprintf(w, "D %s\n", quote(path))
	}
	inline := func(mode string, files map[string]string) {
		for _, path := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintf(w, "M %s inline %s\n", mode, quote(path))
			writeData(w, files[path])
		}
	}
	inline("100644", change.Write)
	inline("100755", change.Executable)
	inline("120000", change.Symlink)
	for _, path := range slices.Sorted(maps.Keys(change.Submodule)) {
		fmt.Fprintf(w, "M 160000 %s %s\n", change.Submodule[path], quote(path))
	}
}

func writeData(w io.Writer, content string) {
	fmt.Fprintf(w, "data %d\n%s\n", len(content), content)
}

// quote writes a path in the C style that fast-import wants for paths with special characters.
func quote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
}

// next is the time of the next commit.
func (r *Repo) next() time.Time {
	r.commits++
	return time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(r.commits) * time.Minute)
}

func (r *Repo) nextDate() []string {
	date := fmt.Sprintf("%d +0000", r.next().Unix())
	return []string{"GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date}
}
