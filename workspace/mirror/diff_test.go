package mirror

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"
)

// forest is trees in memory, named by the hash of their Git form.
type forest map[id][]byte

// files maps a path to its mode and content: "100644 text". A mode alone, such
// as "40000", makes an empty directory.
type files map[string]string

func (f forest) plant(t *testing.T, list files) id {
	t.Helper()
	below := map[string]files{}
	var entries []entry
	modes := map[string]string{}
	for p, v := range list {
		name, rest, nested := strings.Cut(p, "/")
		if nested {
			if below[name] == nil {
				below[name] = files{}
			}
			below[name][rest] = v
			continue
		}
		mode, content, _ := strings.Cut(v, " ")
		k, err := parseMode(mode)
		if err != nil {
			t.Fatal(err)
		}
		modes[name] = mode
		h := plumbing.ComputeHash(plumbing.BlobObject, []byte(content))
		if k == kindTree {
			h = f.plant(t, nil)
		}
		entries = append(entries, entry{name, k, h})
	}
	for name, list := range below {
		entries = append(entries, entry{name, kindTree, f.plant(t, list)})
	}
	slices.SortFunc(entries, compareEntries)
	var raw []byte
	for _, e := range entries {
		mode := modes[e.name]
		if e.kind == kindTree {
			mode = "40000"
		}
		raw = append(append(raw, mode+" "+e.name+"\x00"...), e.id[:]...)
	}
	h := plumbing.ComputeHash(plumbing.TreeObject, raw)
	f[h] = raw
	return h
}

func (f forest) read(h id) ([]entry, error) {
	raw, ok := f[h]
	if !ok {
		return nil, fmt.Errorf("no tree %s", h)
	}
	return parseTree(raw)
}

func TestChangedPaths(t *testing.T) {
	tests := []struct {
		name     string
		from, to files
		want     []string
	}{
		{"both empty", nil, nil, nil},
		{"from nothing", nil, files{"b": "100644 1", "a/c": "100644 2"}, []string{"a/c", "b"}},
		{"to nothing", files{"b": "100644 1", "a/c": "100644 2"}, nil, []string{"a/c", "b"}},
		{"the same", files{"a/b": "100644 1"}, files{"a/b": "100644 1"}, nil},
		{"content", files{"a/b": "100644 1", "a/c": "100644 1"}, files{"a/b": "100644 2", "a/c": "100644 1"}, []string{"a/b"}},
		{"executable bit", files{"a": "100644 1"}, files{"a": "100755 1"}, []string{"a"}},
		{"file to link", files{"a": "100644 b"}, files{"a": "120000 b"}, []string{"a"}},
		{"old modes are no change of a file", files{"a": "100644 1"}, files{"a": "100664 1"}, nil},
		{"submodule moved", files{"a": "160000 1"}, files{"a": "160000 2"}, []string{"a"}},
		{"renamed", files{"a/b": "100644 1"}, files{"c/b": "100644 1"}, []string{"a/b", "c/b"}},
		{"file to directory", files{"a": "100644 1"}, files{"a/b": "100644 1"}, []string{"a", "a/b"}},
		{"directory to file", files{"a/b": "100644 1"}, files{"a": "100644 1"}, []string{"a", "a/b"}},
		{"names that sort around the slash", files{"a/z": "100644 1", "a-b": "100644 1", "a0": "100644 1"},
			files{"a/z": "100644 2", "a-b": "100644 2", "a0": "100644 2"}, []string{"a-b", "a/z", "a0"}},
		{"empty directories hold no path", nil, files{"a": "40000"}, nil},
		{"an equal subtree elsewhere", files{"a/x": "100644 1", "b/x": "100644 1"}, files{"a/x": "100644 1", "c/x": "100644 1"}, []string{"b/x", "c/x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := forest{}
			got, err := changedPaths(f.read, f.plant(t, tt.from), f.plant(t, tt.to))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slices.IsSorted(got) {
				t.Errorf("not sorted: %q", got)
			}
		})
	}
}

func TestDiffReadsOnlyWhatDiffers(t *testing.T) {
	f := forest{}
	from, to := files{}, files{}
	for i := range 100 {
		p := fmt.Sprintf("d%02d/sub/main.tf", i)
		from[p], to[p] = "100644 1", "100644 1"
	}
	to["d42/sub/main.tf"] = "100644 2"
	reads := 0
	counting := func(h id) ([]entry, error) { reads++; return f.read(h) }
	got, err := changedPaths(counting, f.plant(t, from), f.plant(t, to))
	if err != nil || !slices.Equal(got, []string{"d42/sub/main.tf"}) {
		t.Fatalf("got %v, %v", got, err)
	}
	if reads != 6 { // the root, d42 and d42/sub, of each side
		t.Errorf("%d trees were read, want 6", reads)
	}
}

// A few hundred bytes of trees that name each other stand for more files than
// there are atoms: that ends, and soon.
func TestTreeBombs(t *testing.T) {
	f := forest{}
	bomb := func(leaf id, k string) id {
		h := leaf
		for range 60 {
			var raw []byte
			for _, name := range []string{"a", "b"} {
				raw = append(append(raw, k+" "+name+"\x00"...), h[:]...)
			}
			k = "40000"
			h = plumbing.ComputeHash(plumbing.TreeObject, raw)
			f[h] = raw
		}
		return h
	}
	blob := plumbing.ComputeHash(plumbing.BlobObject, nil)
	if _, err := listTree(f.read, nil, bomb(blob, "100644")); err == nil {
		t.Error("listing of a bomb of files has no error")
	}
	if _, err := changedPaths(f.read, id{}, bomb(f.plant(t, nil), "40000")); err == nil {
		t.Error("change set of a bomb of empty directories has no error")
	}
	deep := blob
	k := "100644"
	for range 2 * maxDepth {
		raw := append([]byte(k+" d\x00"), deep[:]...)
		k, deep = "40000", plumbing.ComputeHash(plumbing.TreeObject, raw)
		f[deep] = raw
	}
	var refused *PathError
	if _, err := changedPaths(f.read, id{}, deep); !errors.As(err, &refused) {
		t.Errorf("deep tree: %v", err)
	}
}

// However a listing came about, it is the one that reading the whole tree gives.
func TestListingFromListing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	names := []string{"a", "a-", "a.tf", "b", ".terraform", ".terraform.lock.hcl", "z0"}
	modes := []string{"100644", "100755", "120000", "160000"}
	f := forest{}
	now := files{}
	var last *listing
	for step := range 400 {
		for range 1 + rnd.IntN(6) {
			p := names[rnd.IntN(len(names))]
			for rnd.IntN(3) > 0 && strings.Count(p, "/") < 3 {
				p = path.Join(p, names[rnd.IntN(len(names))])
			}
			for old := range now { // a file gives way to a directory, and the reverse
				if strings.HasPrefix(old, p+"/") || strings.HasPrefix(p, old+"/") {
					delete(now, old)
				}
			}
			if rnd.IntN(3) == 0 {
				delete(now, p)
				continue
			}
			now[p] = fmt.Sprintf("%s %d", modes[rnd.IntN(len(modes))], rnd.IntN(4))
		}
		root := f.plant(t, now)
		got, err := listTree(f.read, last, root)
		if err != nil {
			t.Fatal(err)
		}
		want, err := listTree(f.read, nil, root)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
			t.Fatalf("step %d of seed %d (-whole +derived):\n%s", step, seed, diff)
		}
		var paths []string
		for i := range got.len() {
			paths = append(paths, got.path(i))
			if got.find(got.path(i)) != i {
				t.Fatalf("%q is not found", got.path(i))
			}
		}
		if !slices.IsSorted(paths) {
			t.Fatalf("not sorted: %q", paths)
		}
		last = got
	}
}

func lines(l *listing) []string {
	out := []string{}
	for i := range l.len() {
		out = append(out, fmt.Sprintf("%d %s %s", l.kinds[i], l.ids[i], l.path(i)))
	}
	return out
}

func TestListingRefusesUnsafeNames(t *testing.T) {
	for _, p := range []string{".git/hooks/post-checkout", "sub/.GIT/config", "a/git~1", "..", "a/../b", "\u200c.git/x", ".git"} {
		f := forest{}
		_, err := listTree(f.read, nil, f.plant(t, files{p: "100644 x"}))
		var refused *PathError
		if !errors.As(err, &refused) {
			t.Errorf("%q: %v, want a PathError", p, err)
		}
	}
	f := forest{}
	list, err := listTree(f.read, nil, f.plant(t, files{".gitignore": "100644 x", ".github/w.yml": "100644 x", "git": "100644 x", "a.git": "100644 x"}))
	if err != nil || list.len() != 4 {
		t.Errorf("harmless names: %v", err)
	}
}

func TestParseTreeIsStrict(t *testing.T) {
	var h id
	e := func(s string) string { return s + "\x00" + string(h[:]) }
	bad := map[string]string{
		"out of order":     e("100644 b") + e("100644 a"),
		"twice":            e("100644 a") + e("100644 a"),
		"file and dir":     e("100644 a") + e("100644 a-") + e("40000 a"),
		"no mode":          e(" a"),
		"mode not octal":   e("10x644 a"),
		"unknown mode":     e("10644 a"),
		"cut off":          "100644 a\x00abc",
		"no NUL":           "100644 a",
		"rubbish":          "\x00\x00\x00",
		"mode is too long": e("0000100644 a"),
	}
	for name, raw := range bad {
		if got, err := parseTree([]byte(raw)); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
	got, err := parseTree([]byte(e("100644 a-") + e("040000 a") + e("100755 a0")))
	want := []entry{{"a-", kindFile, h}, {"a", kindTree, h}, {"a0", kindExec, h}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzParseTree(f *testing.F) {
	var h id
	f.Add([]byte("100644 a\x00" + string(h[:])))
	f.Add([]byte("40000 a\x00" + string(h[:]) + "120000 b\x00" + string(h[:])))
	f.Add([]byte("100644 a\x00abc"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parseTree(raw)
		if err != nil {
			return
		}
		total := 0
		for i, e := range entries {
			total += len(e.name) + len(e.id) + 2
			if i > 0 && !lessEntry(entries[i-1], e) {
				t.Errorf("%q before %q", entries[i-1].name, e.name)
			}
		}
		if total > len(raw) {
			t.Errorf("%d bytes hold entries of %d", len(raw), total)
		}
	})
}
