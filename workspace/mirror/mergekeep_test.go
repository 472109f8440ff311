package mirror_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// parted is a mirror that holds two commits that have parted.
func parted(t *testing.T) (m *mirror.Mirror, repo *githttp.Repo, ours, theirs string) {
	t.Helper()
	repo = newRepo(t, nil)
	ours, theirs = part(repo, change{Write: files{"net/main.tf": "1", "net/vars.tf": "1", "dns/main.tf": "1"}},
		change{Write: files{"net/main.tf": "2"}}, change{Write: files{"net/vars.tf": "2"}})
	m = open(t, mirror.Remote{URL: repo.Dir})
	fetchCommit(t, m, ours)
	fetchCommit(t, m, theirs)
	return m, repo, ours, theirs
}

func merge(t *testing.T, m *mirror.Mirror, base, head string) string {
	t.Helper()
	got, err := m.Merge(t.Context(), base, head)
	if err != nil {
		t.Fatal(err)
	}
	return got.Commit
}

// A pull request from the poll that shows it to the checkout of its merge.
func TestMergeOfAPullRequest(t *testing.T) {
	made := map[string]string{}
	for _, tr := range transports {
		t.Run(tr.name, func(t *testing.T) {
			repo := newRepo(t, nil)
			ours, theirs := part(repo, change{Write: files{"net/main.tf": "1", "dns/main.tf": "1"}},
				change{Write: files{"net/main.tf": "2"}}, change{Write: files{"dns/main.tf": "2", "dns/new.tf": "2"}})
			repo.SetRef("refs/pull/7/head", theirs)
			repo.DeleteBranch("review")
			m := open(t, tr.serve(t, repo.Dir))
			refs, err := m.Refs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fetchCommit(t, m, refs.Head.Commit)
			fetchCommit(t, m, refs.All["refs/pull/7/head"])
			merged := merge(t, m, ours, theirs)
			made[merged] = tr.name

			fetchCommit(t, m, merged) // is here, so nobody is asked
			disk := onDisk(t, checkout(t, m, merged).Dir)
			if disk["net/main.tf"] != "-r--r--r-- 2" || disk["dns/main.tf"] != "-r--r--r-- 2" || disk["dns/new.tf"] != "-r--r--r-- 2" {
				t.Errorf("checkout: %v", disk)
			}
			tree, err := m.Tree(merged)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := tree.ReadFile("dns/new.tf"); err != nil || string(got) != "2" || tree.Len() != 3 {
				t.Errorf("tree: %q, %v, %d files", got, err, tree.Len())
			}
			for from, want := range map[string][]string{ours: {"dns/main.tf", "dns/new.tf"}, theirs: {"net/main.tf"}, merged: nil} {
				if got, err := m.Changes(from, merged); err != nil || !slices.Equal(got, want) {
					t.Errorf("changes from %s: %v, %v; want %v", from, got, err, want)
				}
			}
			for _, side := range []string{ours, theirs} {
				if yes, err := m.IsAncestor(side, merged); err != nil || !yes {
					t.Errorf("IsAncestor(%s, merged) = %v, %v", side, yes, err)
				}
			}
			c, err := m.Commit(merged)
			latest, _ := m.Commit(theirs)
			if err != nil || c.Subject != "What this merge would give" || !c.When.Equal(latest.When) {
				t.Errorf("commit = %+v, %v; want the time of %+v", c, err, latest)
			}
			if out, err := gitInMirror(m).Run(t.Context(), "fsck", "--full", "--strict", merged); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if len(made) != 1 {
		t.Errorf("three mirrors made different commits of one merge: %v", made)
	}
}

func TestForgetAMerge(t *testing.T) {
	m, repo, ours, theirs := parted(t)
	commit := merge(t, m, ours, theirs)
	other := merge(t, m, theirs, ours) // has the same trees
	if commit == other {
		t.Fatal("the order of the parents is lost")
	}
	held := checkout(t, m, commit)
	if _, err := m.Tree(commit); err != nil {
		t.Fatal(err)
	}
	if err := m.Forget(commit); err != nil {
		t.Fatal(err)
	}
	if m.Has(commit) {
		t.Error("it is still there")
	}
	if _, err := m.Tree(commit); !errors.Is(err, mirror.ErrUnknownCommit) {
		t.Errorf("tree of a forgotten commit: %v", err)
	}
	if got := onDisk(t, held.Dir)["net/vars.tf"]; got != "-r--r--r-- 2" {
		t.Errorf("a checkout that is held: %q", got)
	}
	if _, err := m.Tree(ours); err != nil { // not to read the next from memory
		t.Fatal(err)
	}
	if _, err := m.Tree(other); err != nil {
		t.Errorf("the other merge: %v", err)
	}
	for _, again := range []string{commit, ours, strings.Repeat("ab", 20)} {
		if err := m.Forget(again); err != nil {
			t.Errorf("forget %s: %v", again, err)
		}
	}
	if !m.Has(ours) || !m.Has(theirs) {
		t.Error("a fetched commit was forgotten")
	}
	if err := m.Forget("main"); !errors.Is(err, mirror.ErrUnknownCommit) {
		t.Errorf("forget a name: %v", err)
	}
	if again := merge(t, m, ours, theirs); again != commit {
		t.Errorf("made again: %s, was %s", again, commit)
	}
	if _, err := m.Merge(t.Context(), commit, theirs); !errors.Is(err, mirror.ErrUnknownCommit) {
		t.Errorf("merge into a merge: %v, want ErrUnknownCommit", err)
	}
	// The forge makes the merge: it is fetched whole, and does not go with ours.
	real := mergeInto(repo, "main", gitMerges(t, repo, ours, theirs).tree, ours, theirs)
	fetchCommit(t, m, real)
	for _, c := range []string{commit, other} {
		if err := m.Forget(c); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := (githttp.Git{Dir: filepath.Join(m.Dir(), "git")}).Run(t.Context(), "fsck", "--full", "--strict", real, ours, theirs); err != nil {
		t.Errorf("what was fetched: %v\n%s", err, out)
	}
	if _, err := m.Tree(ours); err != nil { // not to read the next from memory
		t.Fatal(err)
	}
	if got := onDisk(t, checkout(t, m, real).Dir)["net/vars.tf"]; got != "-r--r--r-- 2" {
		t.Errorf("the real merge: %q", got)
	}
	if notes := m.Notes(); len(notes) != 0 {
		t.Errorf("notes: %v", notes)
	}
}

func TestCollectMerges(t *testing.T) {
	m, _, ours, theirs := parted(t)
	wanted, unwanted := merge(t, m, ours, theirs), merge(t, m, theirs, ours)
	want := func(commit string) bool { return commit == wanted }
	now := time.Now()
	collect := func(what string, before time.Time, dryRun bool, n int) {
		t.Helper()
		freed, err := m.CollectMerges(before, want, dryRun)
		if err != nil || freed.Removed != n || (freed.Bytes > 0) != (n > 0) {
			t.Errorf("%s: %+v, %v; want %d", what, freed, err, n)
		}
	}
	collect("young", now.Add(-time.Hour), false, 0)
	collect("dry run", now.Add(time.Hour), true, 1)
	if !m.Has(unwanted) {
		t.Error("a dry run removed it")
	}
	collect("old", now.Add(time.Hour), false, 1)
	collect("again", now.Add(time.Hour), false, 0)
	if m.Has(unwanted) || !m.Has(wanted) {
		t.Errorf("unwanted: %v, wanted: %v", m.Has(unwanted), m.Has(wanted))
	}
	// The other collections leave it alone.
	if _, err := m.Collect(now.Add(time.Hour), now.Add(time.Hour), false); err != nil {
		t.Fatal(err)
	}
	checkout(t, m, wanted)
	// Who asks again makes it young again.
	old := now.Add(-48 * time.Hour)
	if err := os.Chtimes(filepath.Join(m.Dir(), "git", "merges", wanted), old, old); err != nil {
		t.Fatal(err)
	}
	merge(t, m, ours, theirs)
	want = func(string) bool { return false }
	collect("asked for again", now.Add(-time.Hour), false, 0)
}

// Merges outlive fetches that combine packs, and the process.
func TestMergesStay(t *testing.T) {
	repo := newRepo(t, nil)
	ours, theirs := part(repo, change{Write: files{"a/1": "1", "a/2": "1"}}, change{Write: files{"a/1": "2"}}, change{Write: files{"a/2": "2"}})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	fetchCommit(t, m, ours)
	fetchCommit(t, m, theirs)
	commit := merge(t, m, ours, theirs)
	for i := range 40 {
		fetchCommit(t, m, repo.Write(fmt.Sprint(i), files{"b/main.tf": fmt.Sprint(i)}))
	}
	if n := len(packSizes(t, dir)); n > 17 {
		t.Errorf("%d packs", n)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Merge(t.Context(), ours, theirs); !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("merge in a closed mirror: %v", err)
	}
	m = openIn(t, dir, mirror.Remote{URL: repo.Dir})
	if got := onDisk(t, checkout(t, m, commit).Dir); got["a/1"] != "-r--r--r-- 2" || got["a/2"] != "-r--r--r-- 2" {
		t.Errorf("after a restart: %v", got)
	}
	if notes := m.Notes(); len(notes) != 0 {
		t.Errorf("notes: %v", notes)
	}
}

// What a crash may leave of a merge is gone after Open, and the merge can be made
// again; what was fetched is not touched.
func TestMergesAfterACrash(t *testing.T) {
	tests := map[string]func(t *testing.T, merges, name string) error{
		"no name":    func(_ *testing.T, _, name string) error { return os.Remove(name) },
		"empty name": func(_ *testing.T, _, name string) error { return os.Truncate(name, 0) },
		"other pack": func(_ *testing.T, _, name string) error {
			return os.WriteFile(name, []byte(strings.Repeat("ab", 20)), 0o600)
		},
		"no pack":  func(t *testing.T, merges, _ string) error { return os.Remove(only(t, merges, "objects/pack/*.pack")) },
		"no index": func(t *testing.T, merges, _ string) error { return os.Remove(only(t, merges, "objects/pack/*.idx")) },
		"pack cut": func(t *testing.T, merges, _ string) error {
			scribble(t, only(t, merges, "objects/pack/*.idx"), 1040)
			return nil
		},
		"half a pack": func(_ *testing.T, merges, _ string) error {
			return os.WriteFile(filepath.Join(merges, "objects/pack/tmp_pack_1"), []byte("PACK"), 0o600)
		},
		"half a pack that comes": func(_ *testing.T, merges, _ string) error {
			return os.WriteFile(filepath.Join(merges, "objects/incoming/tmp_pack_1"), []byte("PACK"), 0o600)
		},
		"half a name": func(_ *testing.T, merges, _ string) error {
			return os.WriteFile(filepath.Join(merges, "tmp_merge"), []byte("ab"), 0o600)
		},
		"all gone": func(_ *testing.T, merges, _ string) error { return os.RemoveAll(merges) },
	}
	for name, crash := range tests {
		t.Run(name, func(t *testing.T) {
			repo := newRepo(t, nil)
			ours, theirs := part(repo, change{Write: files{"a": "1", "b": "1"}}, change{Write: files{"a": "2"}}, change{Write: files{"b": "2"}})
			dir := t.TempDir()
			m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
			fetchCommit(t, m, ours)
			fetchCommit(t, m, theirs)
			commit := merge(t, m, ours, theirs)
			merges := filepath.Join(m.Dir(), "git", "merges")
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if err := crash(t, merges, filepath.Join(merges, commit)); err != nil {
				t.Fatal(err)
			}
			m = openIn(t, dir, mirror.Remote{URL: repo.Dir})
			if coming, _ := filepath.Glob(filepath.Join(merges, "objects/incoming/*")); len(coming) != 0 {
				t.Errorf("left: %v", coming)
			}
			left, _ := filepath.Glob(filepath.Join(merges, "objects/pack/*"))
			if want := map[bool]int{true: 2, false: 0}[m.Has(commit)]; len(left) != want {
				t.Errorf("packs: %v; has it: %v", left, m.Has(commit))
			}
			if again := merge(t, m, ours, theirs); again != commit {
				t.Errorf("made again: %s, was %s", again, commit)
			}
			checkout(t, m, commit)
			if notes := m.Notes(); len(notes) != 0 {
				t.Errorf("notes: %v", notes)
			}
		})
	}
}

// A process that is killed while it merges, at any point, leaves a mirror that
// opens without a note.
func TestKilledWhileMerging(t *testing.T) {
	if dir := os.Getenv("MERGE_KILLED_DIR"); dir != "" {
		m := openIn(t, dir, mirror.Remote{URL: os.Getenv("MERGE_KILLED_URL")})
		for {
			fmt.Print(".")
			commit := merge(t, m, os.Getenv("MERGE_KILLED_BASE"), os.Getenv("MERGE_KILLED_HEAD"))
			fmt.Print(".")
			if err := m.Forget(commit); err != nil {
				t.Fatal(err)
			}
		}
	}
	repo := newRepo(t, nil)
	ours, theirs := part(repo, change{Write: files{"a": "1", "b": "1"}}, change{Write: files{"a": "2"}}, change{Write: files{"b": "2"}})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	fetchCommit(t, m, ours)
	fetchCommit(t, m, theirs)
	commit := merge(t, m, ours, theirs)
	for i := range 12 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileMerging$")
		cmd.Env = append(os.Environ(), "MERGE_KILLED_DIR="+dir, "MERGE_KILLED_URL="+repo.Dir, "MERGE_KILLED_BASE="+ours, "MERGE_KILLED_HEAD="+theirs)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, i+1)); err != nil { // it goes on while we come to kill it
			t.Fatal(err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		m = openIn(t, dir, mirror.Remote{URL: repo.Dir})
		if got := merge(t, m, ours, theirs); got != commit {
			t.Errorf("kill %d: merged to %s, was %s", i, got, commit)
		}
		c, err := m.Checkout(t.Context(), commit)
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		if err := c.Release(); err != nil {
			t.Error(err)
		}
		if packs, _ := filepath.Glob(filepath.Join(m.Dir(), "git/merges/objects/pack/*")); len(packs) != 2 {
			t.Errorf("kill %d: packs %v", i, packs)
		}
		if notes := m.Notes(); len(notes) != 0 {
			t.Errorf("kill %d: notes %v", i, notes)
		}
	}
}

// Many merge, read, fetch and forget at once.
func TestConcurrentMerges(t *testing.T) {
	repo := newRepo(t, manyModules(60))
	base := repo.Head("main")
	ours := repo.ForceCommit("main", base, "ours", change{Write: files{"stacks/team-01/service-0001/main.tf": "2"}})
	var heads []string
	for i := range 8 {
		heads = append(heads, repo.ForceCommit(fmt.Sprint("review-", i), base, "theirs", change{Write: files{"stacks/team-01/service-0001/variables.tf": fmt.Sprint(i)}}))
	}
	m := open(t, mirror.Remote{URL: repo.Dir})
	fetchCommit(t, m, ours)
	for _, h := range heads {
		fetchCommit(t, m, h)
	}
	later := make([]string, 20)
	for i := range later {
		later[i] = repo.CommitOn("later", fmt.Sprint(i), change{Write: files{"later": fmt.Sprint(i)}})
	}
	var mu sync.Mutex
	made := map[string]string{} // by head
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for round := range 6 {
				for k, h := range heads {
					got, err := m.Merge(t.Context(), ours, h)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if before, ok := made[h]; ok && before != got.Commit {
						t.Errorf("two merges of %s: %s and %s", h, before, got.Commit)
					}
					made[h] = got.Commit
					mu.Unlock()
					switch {
					case k == 0 && i == 0: // nobody else reads the first one
						if err := m.Forget(got.Commit); err != nil {
							t.Error(err)
						}
					case k == 0:
					default:
						if changes, err := m.Changes(ours, got.Commit); err != nil || len(changes) != 1 {
							t.Errorf("round %d: changes %v, %v", round, changes, err)
						}
						tree, err := m.Tree(got.Commit)
						if err != nil {
							t.Error(err)
							return
						}
						if b, err := tree.ReadFile("stacks/team-01/service-0001/variables.tf"); err != nil || !bytes.Equal(b, fmt.Append(nil, k)) {
							t.Errorf("round %d: %q, %v", round, b, err)
						}
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range later {
			if err := m.Fetch(t.Context(), later[len(later)-1]); err != nil {
				t.Error(err)
			}
			if _, err := m.CollectMerges(time.Now().Add(-time.Hour), func(string) bool { return false }, false); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if len(made) != len(heads) {
		t.Errorf("%d merges of %d", len(made), len(heads))
	}
	if notes := m.Notes(); len(notes) != 0 {
		t.Errorf("notes: %v", notes)
	}
}

// A merge in 10,000 files after 10,000 commits costs what the sides changed.
func TestMergeIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: 10,000 files and 10,000 commits")
	}
	repo := newRepo(t, manyModules(3334))
	history(t, repo, 10_000)
	base := repo.Head("main")
	ours := repo.ForceCommit("main", base, "ours", change{Write: files{"stacks/team-01/service-0001/main.tf": "2", "modules/m/main.tf": "2"}})
	theirs := repo.ForceCommit("review", base, "theirs", change{Write: files{"stacks/team-01/service-0001/variables.tf": "2", "stacks/team-02/service-0002/main.tf": "2"}})
	far := repo.ForceCommit("far", repo.Git("rev-parse", base+"~9000"), "far", change{Write: files{"stacks/team-03/service-0003/main.tf": "2"}})
	dir := t.TempDir()
	m := openIn(t, dir, mirror.Remote{URL: repo.Dir})
	for _, c := range []string{ours, theirs, far} {
		fetchCommit(t, m, c)
	}
	for _, tt := range []struct {
		name, head string
		limit      time.Duration
	}{{"near", theirs, 100 * time.Millisecond}, {"again", theirs, 100 * time.Millisecond}, {"9,000 commits apart", far, 2 * time.Second}} {
		start := cpu(t)
		got, err := m.Merge(t.Context(), ours, tt.head)
		spent := cpu(t) - start
		if err != nil {
			t.Fatal(err)
		}
		if tree, git := treeOf(t, m, got.Commit), gitMerges(t, repo, ours, tt.head); tree != git.tree {
			t.Errorf("%s: tree %s; git: %+v", tt.name, tree, git)
		}
		t.Logf("%s: %v of processor time", tt.name, spent)
		if limit := tt.limit * slowdown; spent > limit {
			t.Errorf("%s: %v of processor time, want at most %v", tt.name, spent, limit)
		}
	}
	packs, err := filepath.Glob(filepath.Join(dir, "*/git/merges/objects/pack/*.pack"))
	if err != nil || len(packs) != 2 {
		t.Fatalf("packs: %v, %v", packs, err)
	}
	for _, p := range packs {
		if info, err := os.Stat(p); err != nil || info.Size() > 16<<10 {
			t.Errorf("a merge takes %d bytes, %v", info.Size(), err)
		}
	}
}

// history puts n commits on main, older than what a test commits after them.
func history(t *testing.T, repo *githttp.Repo, n int) {
	t.Helper()
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, "commit refs/heads/main\ncommitter Ada <ada@example.com> %d +0000\ndata 1\nx\n", 1700000000+60*i)
		if i == 0 {
			fmt.Fprintf(&s, "from %s\n", repo.Head("main"))
		}
		fmt.Fprintf(&s, "M 100644 inline count\ndata %d\n%d\n", len(fmt.Sprint(i)), i)
	}
	cmd := exec.CommandContext(t.Context(), "git", "fast-import", "--quiet", "--date-format=raw")
	cmd.Dir, cmd.Stdin = repo.Dir, strings.NewReader(s.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("fast-import: %v\n%s", err, out)
	}
}
