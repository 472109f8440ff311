package mirror

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// graph is a history: the parents of each commit are among those before it.
type graph struct {
	parents [][]int
	when    []int64
}

func commitID(i int) (h id) {
	binary.BigEndian.PutUint32(h[:], uint32(i)+1)
	return h
}

func (g graph) read(h id) (node, error) {
	i := int(binary.BigEndian.Uint32(h[:])) - 1
	n := node{when: time.Unix(g.when[i], 0)}
	for _, p := range g.parents[i] {
		n.parents = append(n.parents, commitID(p))
	}
	return n, nil
}

// ancestors marks commit i and all it contains.
func (g graph) ancestors(i int) []bool {
	seen := make([]bool, len(g.parents))
	todo := []int{i}
	for len(todo) > 0 {
		i, todo = todo[len(todo)-1], todo[:len(todo)-1]
		if !seen[i] {
			seen[i] = true
			todo = append(todo, g.parents[i]...)
		}
	}
	return seen
}

// bases finds the best common ancestors by their definition.
func (g graph) bases(a, b int) (best []id) {
	ofA, ofB := g.ancestors(a), g.ancestors(b)
	for i := range g.parents {
		good := ofA[i] && ofB[i]
		for j := range g.parents {
			good = good && (i == j || !ofA[j] || !ofB[j] || !g.ancestors(j)[i])
		}
		if good {
			best = append(best, commitID(i))
		}
	}
	return best
}

func TestMergeBasesInRandomHistories(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	several := 0
	for round := range 1000 {
		const n = 14
		g := graph{}
		for i := range n {
			var parents []int
			for range r.IntN(3) {
				if p := i - 1 - r.IntN(5); p >= 0 && !slices.Contains(parents, p) {
					parents = append(parents, p)
				}
			}
			g.parents = append(g.parents, parents)
			when := int64(i)
			if round%2 == 1 { // clocks that go wrong
				when = r.Int64N(n)
			}
			g.when = append(g.when, when)
		}
		for range 10 {
			a, b := n-1-r.IntN(4), n-1-r.IntN(6)
			want := g.bases(a, b)
			got, err := mergeBases(g.read, commitID(a), commitID(b))
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(got, func(a, b id) int { return cmp.Compare(a.String(), b.String()) })
			if !slices.Equal(got, want) {
				t.Fatalf("merge bases of %d and %d in %+v: %v, want %v", a, b, g, got, want)
			}
			if len(want) > 1 {
				several++
			}
		}
	}
	if several < 30 {
		t.Errorf("only %d pairs had several merge bases: the test shows little", several)
	}
}
