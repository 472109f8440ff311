package mirror_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := githttp.Git{Dir: dir}.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every layout a local repository can have is read with no git on the PATH.
func TestLocalLayouts(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n", "dir/other.tf": strings.Repeat("line\n", 500)})
	for i := range 5 {
		repo.Write("more", map[string]string{"dir/other.tf": strings.Repeat("line\n", 500+i)})
	}
	commit := repo.Head("main")

	packedRepo := newRepo(t, map[string]string{"a": "1"})
	packedRepo.Git("fetch", "--quiet", repo.Dir, "+main:main")
	packedRepo.Git("repack", "-adfq", "--depth=50")
	packedRepo.Git("pack-refs", "--all")

	work := filepath.Join(t.TempDir(), "work")
	gitIn(t, t.TempDir(), "clone", "--quiet", repo.Dir, work)
	linked := filepath.Join(t.TempDir(), "linked")
	gitIn(t, work, "worktree", "add", "--quiet", "-b", "side", linked)
	gitIn(t, work, "config", "extensions.worktreeConfig", "true")

	borrower := filepath.Join(t.TempDir(), "borrower.git")
	gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", "--shared", repo.Dir, borrower)
	twice := filepath.Join(t.TempDir(), "twice.git")
	gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", "--shared", borrower, twice)

	super := newRepo(t, map[string]string{"a": "1"})
	superWork := filepath.Join(t.TempDir(), "super")
	gitIn(t, t.TempDir(), "clone", "--quiet", super.Dir, superWork)
	gitIn(t, superWork, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", repo.Dir, "sub")

	odd := filepath.Join(t.TempDir(), "a b:c%20é.git")
	gitIn(t, t.TempDir(), "clone", "--quiet", "--bare", repo.Dir, odd)

	t.Setenv("PATH", t.TempDir())
	tests := []struct{ name, url, branch string }{
		{"bare", repo.Dir, "main"},
		{"file URL", "file://" + repo.Dir, "main"},
		{"packed", packedRepo.Dir, "main"},
		{"working copy", work, "main"},
		{"its .git", filepath.Join(work, ".git"), "main"},
		{"linked work tree", linked, "side"},
		{"alternates", borrower, "main"},
		{"alternates of alternates", twice, "main"},
		{"submodule with a .git file", filepath.Join(superWork, "sub"), "main"},
		{"odd name", odd, "main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := open(t, mirror.Remote{URL: tt.url})
			head, err := m.Poll(t.Context())
			if err != nil || head != (mirror.Head{Commit: commit, Branch: tt.branch}) {
				t.Fatalf("poll = %+v, %v", head, err)
			}
			fetchCommit(t, m, commit)
			if got := onDisk(t, checkout(t, m, commit).Dir)["main.tf"]; got != "-r--r--r-- # one\n" {
				t.Errorf("main.tf = %q", got)
			}
		})
	}
}

func TestDetachedHead(t *testing.T) {
	eachTransport(t, func(t *testing.T, repo *githttp.Repo, remote mirror.Remote) {
		first := repo.Write("one", map[string]string{"a": "1"})
		repo.Write("two", map[string]string{"a": "2"})
		repo.Git("update-ref", "--no-deref", "HEAD", first)
		m := open(t, remote)
		if head, err := m.Poll(t.Context()); err != nil || head != (mirror.Head{Commit: first}) {
			t.Errorf("poll = %+v, %v", head, err)
		}
		fetchCommit(t, m, first)
		if !m.Has(first) {
			t.Error("not fetched")
		}
	})
}

func TestLocalRefused(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	repo.Write("two", map[string]string{"main.tf": "# two\n"})
	dir := t.TempDir()
	gitIn(t, dir, "clone", "--quiet", "--bare", "--depth=1", "file://"+repo.Dir, "shallow.git")
	gitIn(t, dir, "init", "--quiet", "--bare", "--object-format=sha256", "sha256.git")
	if err := os.Mkdir(filepath.Join(dir, "plain"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		want error
		says string
	}{
		{"shallow.git", mirror.ErrUnsupported, "--unshallow"},
		{"sha256.git", mirror.ErrUnsupported, "sha256"},
		{"none", mirror.ErrNotFound, "no such file"},
		{"plain", mirror.ErrNotFound, "not a Git repository"},
		{"file", mirror.ErrNotFound, "is a file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := open(t, mirror.Remote{URL: filepath.Join(dir, tt.name)}).Poll(t.Context())
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("poll: %v\nwant %v that says %q", err, tt.want, tt.says)
			}
		})
	}
	// The same shallow clone behind a server.
	server := githttp.New(t, dir)
	m := open(t, mirror.Remote{URL: server.RepositoryURL("shallow.git")})
	if err := m.Fetch(t.Context(), repo.Head("main")); !errors.Is(err, mirror.ErrUnsupported) {
		t.Errorf("fetch from a shallow clone: %v, want ErrUnsupported", err)
	}
}

// An object that is damaged at its origin does not come into the mirror.
func TestLocalDamagedObject(t *testing.T) {
	repo := newRepo(t, map[string]string{"main.tf": "# one\n"})
	commit := repo.Head("main")
	blob := repo.Git("rev-parse", commit+":main.tf")
	other := strings.Repeat("# two\n", 1)
	loose := filepath.Join(repo.Dir, "objects", blob[:2], blob[2:])
	if _, err := os.Stat(loose); err != nil {
		t.Fatalf("the test needs loose objects: %v", err)
	}
	// The content of another file under this one's name.
	repo.Write("two", map[string]string{"main.tf": other})
	wrong := repo.Git("rev-parse", "main:main.tf")
	content, err := os.ReadFile(filepath.Join(repo.Dir, "objects", wrong[:2], wrong[2:]))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(loose), os.WriteFile(loose, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	m := open(t, mirror.Remote{URL: repo.Dir})
	if err := m.Fetch(t.Context(), commit); err == nil || !strings.Contains(err.Error(), blob) {
		t.Errorf("fetch: %v, want an error that names %s", err, blob)
	}
	if m.Has(commit) {
		t.Error("a commit with a wrong file is in the mirror")
	}
}
