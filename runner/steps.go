package runner

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/workspace"
)

// steps orders the tasks: a unit comes after every task it depends on, directly
// or through units that are not in this run, and a removal after the removals of
// its dependants and after everything else.
func (x *execution) steps() []step {
	var stay []string
	for id, t := range x.tasks {
		if !t.removal {
			stay = append(stay, id)
		}
	}
	steps := graphSteps(x.graph, stay)
	for id, t := range x.tasks {
		if !t.removal {
			continue
		}
		s := step{id: id, after: stay}
		for _, a := range t.after {
			if _, ok := x.tasks[a]; ok {
				s.after = append(s.after[:len(s.after):len(s.after)], a)
			}
		}
		steps = append(steps, s)
	}
	sortSteps(steps, x.graph)
	return steps
}

// graphSteps orders units as the graph does, also where a unit between two of
// them is not among them.
func graphSteps(g *workspace.Graph, ids []string) []step {
	in := make(map[string]bool, len(ids))
	for _, id := range ids {
		in[id] = true
	}
	steps := make([]step, 0, len(ids))
	for _, id := range ids {
		s := step{id: id}
		seen := map[string]bool{}
		look := g.Upstream(id)
		for len(look) > 0 {
			a := look[0]
			look = look[1:]
			switch {
			case seen[a]:
			case in[a]:
				s.after = append(s.after, a)
			default:
				look = append(look, g.Upstream(a)...)
			}
			seen[a] = true
		}
		steps = append(steps, s)
	}
	return steps
}

// consumed tells whether anybody refers to a unit's outputs.
func consumed(g *workspace.Graph, id string) bool {
	for _, d := range g.Downstream(id) {
		for _, e := range g.Edges {
			if e.From == id && e.To == d && e.Why == "outputs" {
				return true
			}
		}
	}
	return false
}

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
