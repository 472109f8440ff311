package mirror_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// world is the content of a commit by path: a letter of its kind, then the text.
type world map[string]string

func (w world) change() githttp.Change {
	c := githttp.Change{RemoveAll: true, Write: files{}, Executable: files{}, Symlink: files{}}
	for path, f := range w {
		switch f[0] {
		case 'x':
			c.Executable[path] = f[1:]
		case 'l':
			c.Symlink[path] = f[1:]
		default:
			c.Write[path] = f[1:]
		}
	}
	return c
}

// put writes a file, and takes away what is in its way.
func (w world) put(path, f string) {
	maps.DeleteFunc(w, func(p, _ string) bool {
		return strings.HasPrefix(p, path+"/") || strings.HasPrefix(path, p+"/")
	})
	w[path] = f
}

// mutator makes the commits of random people.
type mutator struct{ *rand.Rand }

func (r mutator) path() string {
	dirs := []string{"", "a/", "a/s/", "b/", "b/s/t/", "c/"}
	return dirs[r.IntN(len(dirs))] + string(rune('a'+r.IntN(4)))
}

func (r mutator) content() string {
	if r.IntN(8) == 0 {
		return "f" + strconv.Itoa(r.IntN(3)) // short: often the same on both sides
	}
	return "f" + lines(strconv.Itoa(r.IntN(20)))
}

func (r mutator) any(w world) string {
	paths := slices.Sorted(maps.Keys(w))
	return paths[r.IntN(len(paths))]
}

func (r mutator) mutate(w world) {
	if len(w) == 0 {
		w.put(r.path(), r.content())
		return
	}
	switch path := r.any(w); r.IntN(10) {
	case 0, 1: // a line
		text := strings.SplitAfter(w[path], "\n")
		if i := r.IntN(len(text)); i > 0 || w[path][0] != 'l' {
			text[i] = text[i][:min(1, len(text[i]))] + fmt.Sprintf("changed %d\n", r.IntN(3))
		}
		w[path] = strings.Join(text, "")
	case 2:
		w[path] = w[path][:1] + r.content()[1:]
	case 3:
		delete(w, path)
	case 4:
		w.put(r.path(), r.content())
	case 5, 6: // a rename, perhaps with a change
		f := w[path]
		if r.IntN(3) == 0 && f[0] != 'l' {
			f += "one line more\n"
		}
		delete(w, path)
		w.put(r.path(), f)
	case 7:
		if f := w[path]; f[0] == 'f' {
			w[path] = "x" + f[1:]
		} else if f[0] == 'x' {
			w[path] = "f" + f[1:]
		}
	case 8:
		w.put(path, "l"+r.path())
	case 9:
		if dir, _, ok := strings.Cut(path, "/"); ok && r.IntN(2) == 0 { // a directory is moved
			to := string(rune('a' + r.IntN(5)))
			for _, p := range slices.Sorted(maps.Keys(w)) {
				if rest, in := strings.CutPrefix(p, dir+"/"); in && to != dir {
					f := w[p]
					delete(w, p)
					w.put(to+"/"+rest, f)
				}
			}
		} else if ok { // or becomes a file
			w.put(dir, r.content())
		} else { // and a file a directory
			w.put(path+"/"+string(rune('a'+r.IntN(3))), r.content())
		}
	}
}

func (r mutator) after(w world, most int) world {
	w = maps.Clone(w)
	for range r.IntN(most) + 1 {
		r.mutate(w)
	}
	return w
}

// part makes the two sides of one history: they part once, or cross.
func (r mutator) part(repo *githttp.Repo, name string) (ours, theirs string) {
	root := world{}
	for range 8 {
		root.put(r.path(), r.content())
	}
	base := repo.ForceCommit("base-"+name, "", "base", root.change())
	a, b := r.after(root, 5), r.after(root, 5)
	ours = repo.ForceCommit("ours-"+name, base, "ours", a.change())
	theirs = repo.ForceCommit("theirs-"+name, base, "theirs", b.change())
	if r.IntN(4) > 0 {
		return ours, theirs
	}
	// Each merges the other's first commit, as somebody has resolved it.
	mixed := world{}
	for _, w := range []world{a, b} {
		for _, p := range slices.Sorted(maps.Keys(w)) {
			if r.IntN(5) > 0 {
				mixed.put(p, w[p])
			}
		}
	}
	resolved := repo.ForceCommit("resolved-"+name, base, "resolved", mixed.change())
	left := mergeInto(repo, "ours-"+name, resolved, ours, theirs)
	right := mergeInto(repo, "theirs-"+name, resolved, theirs, ours)
	return repo.ForceCommit("ours-"+name, left, "ours", r.after(mixed, 4).change()),
		repo.ForceCommit("theirs-"+name, right, "theirs", r.after(mixed, 4).change())
}

// What we merge git merges to the same tree, and what git does not merge from
// whole files we do not merge. We may refuse more only where there is more than
// one merge base, or a rename, or where both sides changed the mode of a file and
// one its content too.
func TestMergeOfRandomHistories(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MERGE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("MERGE_SEED=%d", seed)
	histories := 200
	if testing.Short() {
		histories = 40
	}
	repo := newRepo(t, nil)
	r := mutator{rand.New(rand.NewPCG(seed, 1))}
	type pair struct{ ours, theirs string }
	var pairs []pair
	all := []string{"commit-tree", "-m", "all"}
	for i := range histories {
		ours, theirs := r.part(repo, strconv.Itoa(i))
		pairs = append(pairs, pair{ours, theirs})
		all = append(all, "-p", ours, "-p", theirs)
	}
	tip := repo.Git(append(all, repo.Git("rev-parse", pairs[0].ours+"^{tree}"))...)
	repo.SetRef("refs/heads/main", tip)
	m := open(t, mirror.Remote{URL: repo.Dir})
	fetch(t, m)

	var merged, refused, careful int
	for i, p := range pairs {
		git := gitMerges(t, repo, p.ours, p.theirs)
		got, err := m.Merge(t.Context(), p.ours, p.theirs)
		var conflict *mirror.ConflictError
		switch {
		case err == nil:
			merged++
			if tree := treeOf(t, m, got.Commit); git.tree != tree || !git.whole {
				t.Errorf("history %d: %s and %s merged to the tree %s; git: %+v", i, p.ours, p.theirs, tree, git)
			}
		case !errors.As(err, &conflict):
			t.Errorf("history %d: %v", i, err)
		case git.tree == "" || !git.whole:
			refused++
		default:
			careful++
			if !inDoubt(repo, p.ours, p.theirs, conflict.Paths) {
				t.Errorf("history %d: %v; git merges it: %+v", i, err, git)
			}
		}
	}
	t.Logf("%d merged, %d refused with git, %d refused in doubt", merged, refused, careful)
	if merged < histories/10 || refused < histories/10 {
		t.Errorf("of %d histories %d merged, %d refused: the test shows little", histories, merged, refused)
	}
	if out, err := gitInMirror(m).Run(t.Context(), "fsck", "--full", "--strict"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func inDoubt(repo *githttp.Repo, ours, theirs string, conflicts []string) bool {
	bases := strings.Fields(repo.Git("merge-base", "--all", ours, theirs))
	if len(bases) > 1 {
		return true
	}
	for _, side := range []string{ours, theirs} {
		if repo.Git("diff", "-M50%", "-l0", "--diff-filter=R", "--name-only", bases[0], side) != "" {
			return true
		}
	}
	for _, path := range conflicts {
		states := map[string]bool{}
		for _, c := range []string{bases[0], ours, theirs} {
			states[repo.Git("ls-tree", c, "--", path)] = true
		}
		if len(states) < 3 {
			return false // git has kept to the rule, and we have not
		}
	}
	return true
}
