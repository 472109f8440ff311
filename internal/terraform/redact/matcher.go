package redact

import (
	"bytes"
	"slices"
)

// A matcher finds forms in text, all of them, in one pass whatever the text: the
// automaton of Aho and Corasick, "Efficient string matching", CACM 18(6), 1975.
//
// A node is a beginning of a form. Nodes are numbered breadth first, so that the
// children of one stand side by side, sorted, and 17 bytes a node are enough. Node 0 is
// the empty beginning.
type matcher struct {
	label []byte  // the byte that leads to the node
	child []int32 // the node's first child; the next node's first child ends them
	fail  []int32 // the longest other node that the node ends in
	depth []int32 // the node's length in bytes
	found []int32 // the length of the longest form that the node ends in, or 0

	// dense has every step from the nodes of depth 0 and 1, where most text is.
	dense [][256]int32
}

// fold makes every space alike: Terraform wraps long messages, so that a space in a
// secret may come out as the end of a line. And it makes the two alphabets of base64
// alike, which halves the number of forms.
var fold = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	for _, c := range "\t\n\r" {
		t[c] = ' '
	}
	t['-'], t['_'] = '+', '/'
	return t
}()

// newMatcher finds these forms; empty ones are left out.
func newMatcher(forms []string) *matcher {
	sorted := make([]string, 0, len(forms))
	for _, f := range forms {
		if f == "" {
			continue
		}
		b := []byte(f)
		for i, c := range b {
			b[i] = fold[c]
		}
		sorted = append(sorted, string(b))
	}
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)

	nodes, last := 1, ""
	for _, f := range sorted {
		nodes += len(f) - common(f, last)
		last = f
	}
	m := &matcher{
		label: make([]byte, 0, nodes), child: make([]int32, 0, nodes+1), fail: make([]int32, 0, nodes),
		depth: make([]int32, 0, nodes), found: make([]int32, 0, nodes),
	}
	// A node is made from the forms that begin with it, which stand side by side.
	type span struct{ lo, hi, parent int32 }
	m.add(0, 0)
	spans := []span{{0, int32(len(sorted)), 0}}
	for n := int32(0); n < int32(len(m.label)); n++ {
		at := spans[0]
		spans = spans[1:]
		depth := m.depth[n]
		m.child[n] = int32(len(m.label))
		if n > 0 {
			m.link(n, at.parent)
		}
		lo := at.lo
		if lo < at.hi && int32(len(sorted[lo])) == depth && depth > 0 {
			m.found[n] = depth
			lo++
		} else {
			m.found[n] = m.found[m.fail[n]]
		}
		for lo < at.hi {
			c, hi := sorted[lo][depth], lo+1
			for hi < at.hi && sorted[hi][depth] == c {
				hi++
			}
			m.add(c, depth+1)
			spans = append(spans, span{lo, hi, n})
			lo = hi
		}
	}
	m.child = append(m.child, int32(len(m.label)))
	m.fill()
	return m
}

// common is the length of the beginning that a and b have in common.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func (m *matcher) add(label byte, depth int32) {
	m.label = append(m.label, label)
	m.depth = append(m.depth, depth)
	m.child = append(m.child, 0)
	m.fail = append(m.fail, 0)
	m.found = append(m.found, 0)
}

// link sets where n goes on when nothing below it fits. Nodes above n are complete.
func (m *matcher) link(n, parent int32) {
	if parent == 0 {
		return // fails to the root
	}
	for f := m.fail[parent]; ; f = m.fail[f] {
		if to := m.below(f, m.label[n]); to != 0 {
			m.fail[n] = to
			return
		}
		if f == 0 {
			return
		}
	}
}

// below is the child of n with this label, or 0.
func (m *matcher) below(n int32, label byte) int32 {
	lo, hi := m.child[n], m.child[n+1]
	if i := bytes.IndexByte(m.label[lo:hi], label); i >= 0 {
		return lo + int32(i)
	}
	return 0
}

// fill makes the dense steps.
func (m *matcher) fill() {
	// The children of node 1 follow on the last node of depth 1.
	m.dense = make([][256]int32, m.child[1])
	for n := range m.dense {
		for c := range 256 {
			to := m.below(int32(n), fold[c])
			if to == 0 && n > 0 {
				to = m.dense[0][c]
			}
			m.dense[n][c] = to
		}
	}
}

// step is the node after one more byte of text.
func (m *matcher) step(n int32, c byte) int32 {
	for int(n) >= len(m.dense) {
		lo, hi := m.child[n], m.child[n+1]
		if hi-lo == 1 { // a chain, as most are
			if m.label[lo] == fold[c] {
				return lo
			}
		} else if to := m.below(n, fold[c]); to != 0 {
			return to
		}
		n = m.fail[n]
	}
	return m.dense[n][c]
}

// none says that there is nothing to find.
func (m *matcher) none() bool { return len(m.label) == 1 }

// cutOff is the length of the longest end of the text that led to n which is most of a
// form: eight bytes or more, and two thirds of it or more.
func (m *matcher) cutOff(n int32) int32 {
	var own [len(hidden) + 1]int32 // the beginnings of what stands for a secret
	for i := range len(hidden) {
		own[i+1] = m.step(own[i], hidden[i])
	}
	for ; n != 0; n = m.fail[n] {
		if d := m.depth[n]; d >= longEnough && 3*d >= 2*m.whole(n) && !slices.Contains(own[:], n) {
			return d
		}
	}
	return 0
}

// whole is the length of a form that begins with n.
func (m *matcher) whole(n int32) int32 {
	for m.child[n] < m.child[n+1] && m.found[n] != m.depth[n] {
		n = m.child[n]
	}
	return m.depth[n]
}
