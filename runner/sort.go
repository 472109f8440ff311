package runner

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/mooring-iac/mooring/workspace"
)

// sortSteps puts the steps in the order of the graph, removals last, so that
// equal commits are taken in equal order.
func sortSteps(steps []step, g *workspace.Graph) {
	at := map[string]int{}
	for i, id := range g.Order() {
		at[id] = i + 1
	}
	slices.SortFunc(steps, func(a, b step) int {
		ia, ib := at[a.id], at[b.id]
		if (ia == 0) != (ib == 0) {
			return cmp.Compare(ib, ia) // one of them is not in the graph: last
		}
		return cmp.Or(cmp.Compare(ia, ib), strings.Compare(a.id, b.id))
	})
}

// sortRuns orders runs by their number, oldest first.
func sortRuns(runs []Run) {
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Compare(number(a.ID), number(b.ID)) })
}

func number(id string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimPrefix(id, "r"), 10, 64) // ids come from the journal
	return n
}

func joinReasons(reasons []string) string { return strings.Join(reasons, ", ") }
