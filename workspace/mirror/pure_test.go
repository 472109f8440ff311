package mirror

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

func TestBadName(t *testing.T) {
	good := []string{"a", ".gitignore", ".gitmodules", ".github", ".gitlab-ci.yml", "git", "git~2", "agit~1", ".gi", ".git2", "x.git",
		"dev-disk-by\\x2dlabel.swap", "...", "ä", ".terraform", " ", "con", "a:b", strings.Repeat("n", 255)}
	bad := []string{"", ".", "..", "a/b", "a\x00b", ".git", ".GIT", ".Git", ".git ", ".git.", ".git...", ".git . .", ".git::$INDEX_ALLOCATION",
		".git:x", "git~1", "GIT~1", "git~1.", "git~1:x", ".g\u200cit", "\ufeff.git", ".git\u202e", ".gi\u206at",
		`a\.git\config`, `.git\hooks`, `x\GIT~1`, strings.Repeat("n", 256)}
	for _, name := range good {
		if reason := badName(name); reason != "" {
			t.Errorf("%q refused: %s", name, reason)
		}
	}
	for _, name := range bad {
		if badName(name) == "" {
			t.Errorf("%q allowed", name)
		}
	}
}

func TestLeaves(t *testing.T) {
	tests := []struct {
		links map[string]string
		want  string // the links that leave, sorted, by space
	}{
		{map[string]string{"l": "f"}, ""},
		{map[string]string{"l": "./a/../f"}, ""},
		{map[string]string{"l": ""}, ""},
		{map[string]string{"l": "."}, ""},
		{map[string]string{"l": "/"}, "l"},
		{map[string]string{"l": "/etc/passwd"}, "l"},
		{map[string]string{"l": "//x"}, "l"},
		{map[string]string{"l": ".."}, "l"},
		{map[string]string{"l": "../x"}, "l"},
		{map[string]string{"a/l": ".."}, ""},
		{map[string]string{"a/l": "../.."}, "a/l"},
		{map[string]string{"a/l": "../../name-of-the-checkout/f"}, "a/l"},
		{map[string]string{"a/b/c/l": "../../../x"}, ""},
		{map[string]string{"a/b/c/l": "../../../../x"}, "a/b/c/l"},
		{map[string]string{"l": "a/../../x"}, "l"},
		{map[string]string{"l": "none/../../x"}, "l"},
		{map[string]string{"l": "a//b/./../../.."}, "l"},
		// Through another link: where it points counts, not how deep it lies.
		{map[string]string{"a/b/up": "../..", "l": "a/b/up/x"}, ""},
		{map[string]string{"a/b/up": "../..", "l": "a/b/up/../x"}, "l"},
		{map[string]string{"a/b/up": "../..", "a/b/l": "up/../x"}, "a/b/l"},
		{map[string]string{"d": "a/b/c", "l": "d/../../../x"}, ""},
		{map[string]string{"d": "a/b/c", "l": "d/../../../../x"}, "l"},
		{map[string]string{"x": "/etc", "l": "x/passwd"}, "l x"},
		{map[string]string{"l": "m", "m": "n", "n": "../o"}, "l m n"},
		{map[string]string{"a/root": "..", "a/l": "root/root/f"}, ""},
		// Loops lead nowhere.
		{map[string]string{"l": "l"}, ""},
		{map[string]string{"l": "m/x", "m": "l/y"}, ""},
		{map[string]string{"l": "l/../.."}, ""},
		{map[string]string{"a": "b/b", "b": "c/c", "c": "d/d", "d": "e/e", "e": "a/a"}, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.links), func(t *testing.T) {
			var got []string
			for path := range tt.links {
				if leaves(path, tt.links) {
					got = append(got, path)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("leave: %q, want %q", got, tt.want)
			}
		})
	}
}

// TestIsAncestor draws histories as "child: parents", newest last.
func TestIsAncestor(t *testing.T) {
	line := func(n int) (h []string) {
		for i := 1; i < n; i++ {
			h = append(h, fmt.Sprintf("c%d: c%d", i, i-1))
		}
		return h
	}
	tests := []struct {
		name     string
		history  []string
		a, b     string
		want     bool
		maxReads int // 0: not counted
	}{
		{"itself", nil, "c0", "c0", true, 0},
		{"parent", line(2), "c0", "c1", true, 0},
		{"child", line(2), "c1", "c0", false, 0},
		{"far", line(500), "c0", "c499", true, 0},
		{"siblings", []string{"a: r", "b: r"}, "a", "b", false, 0},
		{"through the second parent", []string{"a: r", "b: r", "m: b a"}, "a", "m", true, 0},
		{"criss-cross", []string{"a: r", "b: r", "m: a b", "n: b a"}, "m", "n", false, 0},
		{"no common root", []string{"a: r", "y: z"}, "a", "y", false, 0},
		{"parted lately, long history", append(line(500), "x: c499", "y: c499"), "x", "y", false, 10},
	}
	for _, tt := range tests {
		for _, clock := range []string{"right", "backwards", "still"} {
			t.Run(tt.name+", clock "+clock, func(t *testing.T) {
				hash := func(name string) id { return plumbing.ComputeHash(plumbing.CommitObject, []byte(name)) }
				nodes := map[id]node{hash("c0"): {}, hash("r"): {}, hash("z"): {}}
				for i, l := range tt.history {
					child, parents, _ := strings.Cut(l, ": ")
					n := node{when: time.Unix(map[string]int64{"right": int64(i + 1), "backwards": int64(-i)}[clock], 0)}
					for p := range strings.FieldsSeq(parents) {
						n.parents = append(n.parents, hash(p))
					}
					nodes[hash(child)] = n
				}
				reads := 0
				got, err := isAncestor(func(h id) (node, error) {
					reads++
					n, ok := nodes[h]
					if !ok {
						return n, errors.New("no such commit")
					}
					return n, nil
				}, hash(tt.a), hash(tt.b))
				if err != nil || got != tt.want {
					t.Errorf("got %v, %v; want %v", got, err, tt.want)
				}
				if clock == "right" && tt.maxReads > 0 && reads > tt.maxReads {
					t.Errorf("%d commits were read, want at most %d", reads, tt.maxReads)
				}
			})
		}
	}
}

func TestRollUp(t *testing.T) {
	tests := []struct {
		sizes []int64
		want  int
	}{
		{nil, 0},
		{[]int64{5}, 0},
		{[]int64{1, 2, 4, 8}, 0},
		{[]int64{1, 1}, 2},
		{[]int64{1, 1, 1, 1, 100}, 4},
		{[]int64{1, 1, 1, 1, 5}, 5}, // four and five: the next is not twice as large
		{[]int64{1, 10, 15, 100}, 3},
		{[]int64{3, 4, 100, 150, 1000}, 4},
	}
	for _, tt := range tests {
		if got := rollUp(tt.sizes); got != tt.want {
			t.Errorf("rollUp(%v) = %d, want %d", tt.sizes, got, tt.want)
		}
	}
}

// However many packs come one by one, few remain, and each byte is rewritten
// only a few times.
func TestRollUpAmortised(t *testing.T) {
	packs := []int64{10_000}
	var written int64
	const fetches = 5000
	for range fetches {
		packs = append(packs, 5)
		slices.Sort(packs)
		if len(packs) <= manyPacks {
			continue
		}
		n := rollUp(packs)
		var sum int64
		for _, s := range packs[:n] {
			sum += s
		}
		written += sum
		packs = append([]int64{sum}, packs[n:]...)
		slices.Sort(packs)
	}
	if len(packs) > manyPacks {
		t.Errorf("%d packs after %d fetches", len(packs), fetches)
	}
	if written > 20*5*fetches {
		t.Errorf("%d bytes rewritten for %d fetched", written, 5*fetches)
	}
}

func TestObjectHeader(t *testing.T) {
	tests := []struct {
		kind plumbing.ObjectType
		size int64
		want []byte
	}{
		{plumbing.BlobObject, 0, []byte{0x30}},
		{plumbing.CommitObject, 15, []byte{0x1f}},
		{plumbing.TreeObject, 16, []byte{0xa0, 0x01}},
		{plumbing.BlobObject, 1 << 11, []byte{0xb0, 0x80, 0x01}},
	}
	for _, tt := range tests {
		if got := objectHeader(tt.kind, tt.size); !slices.Equal(got, tt.want) {
			t.Errorf("objectHeader(%v, %d) = %x, want %x", tt.kind, tt.size, got, tt.want)
		}
	}
}
