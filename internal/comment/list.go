package comment

import "slices"

// list writes what differs between two lists. Items that both have, in the same
// order, are counted; an object that stands where another stood is compared with it.
func (w *writer) list(depth int, path []any, before, after side) {
	b, _ := before.v.([]any)
	a, _ := after.v.([]any)
	keep := common(len(b), len(a), func(i, j int) bool { return same(before.at(i), after.at(j)) }, func(i int) string { return canonical(b[i]) }, func(j int) string { return canonical(a[j]) })
	i, j, hidden := 0, 0, 0
	for _, k := range append(keep, [2]int{len(b), len(a)}) {
		for i < k[0] || j < k[1] {
			switch {
			case i < k[0] && j < k[1] && comparable(before.at(i), after.at(j)):
				w.value(depth, "", append(path[:len(path):len(path)], j), before.at(i), after.at(j))
				i, j = i+1, j+1
			case i < k[0]:
				w.one("-", depth, "", before.at(i), "")
				i++
			default:
				w.one("+", depth, "", after.at(j), "")
				j++
			}
		}
		if k[0] < len(b) && k[1] < len(a) {
			hidden++
		}
		i, j = k[0]+1, k[1]+1
	}
	w.hidden(depth, hidden, "item")
}

// comparable reports whether two items are better compared than listed as removed
// and added.
func comparable(b, a side) bool {
	if b.masked() || a.masked() || a.isUnknown() {
		return true
	}
	switch b.v.(type) {
	case map[string]any:
		_, ok := a.v.(map[string]any)
		return ok
	case []any:
		_, ok := a.v.([]any)
		return ok
	}
	return false
}

// longestList bounds the lists whose common items are searched for everywhere: the
// search takes the product of their lengths.
const longestList = 500

// common are the pairs of items that both lists have in the same order: of short
// lists the most there can be, of long ones those at both ends.
func common(n, m int, eq func(i, j int) bool, kb, ka func(int) string) [][2]int {
	var head, tail [][2]int
	lo := 0
	for lo < n && lo < m && eq(lo, lo) {
		head = append(head, [2]int{lo, lo})
		lo++
	}
	for n > lo && m > lo && eq(n-1, m-1) {
		n, m = n-1, m-1
		tail = append(tail, [2]int{n, m})
	}
	slices.Reverse(tail)
	if n-lo > longestList || m-lo > longestList || n == lo || m == lo {
		return append(head, tail...)
	}
	x, y := make([]string, n-lo), make([]string, m-lo)
	for i := range x {
		x[i] = kb(lo + i)
	}
	for j := range y {
		y[j] = ka(lo + j)
	}
	// best[i][j] is the length of the longest common subsequence of x[i:] and y[j:].
	best := make([][]int, len(x)+1)
	for i := range best {
		best[i] = make([]int, len(y)+1)
	}
	alike := func(i, j int) bool { return x[i] == y[j] && eq(lo+i, lo+j) }
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if alike(i, j) {
				best[i][j] = best[i+1][j+1] + 1
			} else {
				best[i][j] = max(best[i+1][j], best[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case alike(i, j):
			head = append(head, [2]int{lo + i, lo + j})
			i, j = i+1, j+1
		case best[i+1][j] >= best[i][j+1]:
			i++
		default:
			j++
		}
	}
	return append(head, tail...)
}
