package workspace

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// arrange orders the units (Kahn's algorithm, smallest id first), or answers every cycle.
func (g *Graph) arrange() hcl.Diagnostics {
	g.upstream, g.downstream = map[string][]string{}, map[string][]string{}
	waits := make(map[string]int, len(g.Units))
	for _, e := range g.Edges {
		if !slices.Contains(g.upstream[e.To], e.From) { // edges of two reasons are one wait
			g.upstream[e.To] = append(g.upstream[e.To], e.From)
			g.downstream[e.From] = append(g.downstream[e.From], e.To)
			waits[e.To]++
		}
	}
	ready := &ids{}
	for _, u := range g.Units {
		if waits[u.ID] == 0 {
			*ready = append(*ready, u.ID) // sorted, and so a heap already
		}
	}
	g.order = make([]string, 0, len(g.Units))
	for ready.Len() > 0 {
		id := heap.Pop(ready).(string)
		g.order = append(g.order, id)
		for _, next := range g.downstream[id] {
			if waits[next]--; waits[next] == 0 {
				heap.Push(ready, next)
			}
		}
	}
	for _, list := range g.downstream {
		slices.Sort(list)
	}
	if len(g.order) == len(g.Units) {
		return nil
	}
	return g.cycles(waits)
}

type ids []string

func (h ids) Len() int           { return len(h) }
func (h ids) Less(i, j int) bool { return h[i] < h[j] }
func (h ids) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *ids) Push(x any)        { *h = append(*h, x.(string)) }
func (h *ids) Pop() any {
	last := len(*h) - 1
	id := (*h)[last]
	*h = (*h)[:last]
	return id
}

// cycles names one shortest cycle for every knot of units that wait for each other.
func (g *Graph) cycles(waits map[string]int) hcl.Diagnostics {
	var diags hcl.Diagnostics
	told := map[string]bool{}
	for _, u := range g.Units {
		if waits[u.ID] <= 0 || told[u.ID] {
			continue
		}
		cycle := g.shortestCycle(u.ID)
		if cycle == nil || slices.ContainsFunc(cycle, func(id string) bool { return told[id] }) {
			continue // behind a knot, not in it; or in one that is told
		}
		for _, id := range cycle {
			told[id] = true
		}
		var hops []string
		var at Edge
		for i, from := range cycle[:len(cycle)-1] {
			for _, e := range g.Edges {
				if e.From == from && e.To == cycle[i+1] {
					hops = append(hops, fmt.Sprintf("%s waits for %s (%s, %s:%d)", e.To, e.From, e.Why, e.File, e.Line))
					if at.File != ConfigFile {
						at = e
					}
					break
				}
			}
		}
		rng := hcl.Range{Filename: at.File, Start: hcl.Pos{Line: at.Line, Column: 1}, End: hcl.Pos{Line: at.Line, Column: 1}}
		diags = append(diags, fault(rng, "cycle: "+strings.Join(cycle, " -> "), strings.Join(hops, "; ")+"."))
	}
	return diags
}

// shortestCycle walks from id along downstream edges until it is back; the answer
// begins and ends with id, and is nil when no cycle goes through it.
func (g *Graph) shortestCycle(id string) []string {
	came := map[string]string{}
	queue := []string{id}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, next := range g.downstream[at] {
			if next == id {
				cycle := []string{id}
				for p := at; p != id; p = came[p] {
					cycle = append(cycle, p)
				}
				cycle = append(cycle, id)
				slices.Reverse(cycle)
				return cycle
			}
			if _, seen := came[next]; !seen {
				came[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}
