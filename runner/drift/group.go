package drift

import (
	"cmp"
	"fmt"
	"slices"
)

// Group is one thing that was done to resources of one kind, wherever it was.
type Group struct {
	Cause    string   `json:"cause"`
	Kind     string   `json:"kind"`
	Class    Class    `json:"class"`
	Change   Change   `json:"change"`
	Severity Severity `json:"severity"`         // of the gravest
	Fields   []Field  `json:"fields,omitempty"` // Old is null where it is not the same for all
	Units    []string `json:"units"`            // sorted; of several repositories, each with its repository before it
	Records  []Record `json:"records"`          // by repository, unit and address
}

// Causes groups drifts by cause: the gravest group first, then the largest.
func Causes(all []Record) []Group {
	at := map[string]int{}
	var out []Group
	sorted := slices.SortedFunc(slices.Values(all), func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Address, b.Address), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range sorted {
		i, ok := at[r.Cause]
		if !ok {
			i, at[r.Cause] = len(out), len(out)
			out = append(out, Group{Cause: r.Cause, Kind: r.Kind, Class: r.Class, Change: r.Change, Severity: r.Severity, Fields: slices.Clone(r.Fields)})
		}
		out[i].add(r)
	}
	several := slices.ContainsFunc(sorted, func(r Record) bool { return r.Repository != sorted[0].Repository })
	for i := range out {
		for _, r := range out[i].Records {
			unit := r.Unit
			if several {
				unit = r.Repository + " " + unit
			}
			if n := len(out[i].Units); n == 0 || out[i].Units[n-1] != unit {
				out[i].Units = append(out[i].Units, unit)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Group) int {
		return cmp.Or(-cmp.Compare(rank(a.Severity), rank(b.Severity)), -cmp.Compare(len(a.Records), len(b.Records)), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Cause, b.Cause))
	})
	return out
}

func (g *Group) add(r Record) {
	g.Records = append(g.Records, r)
	if rank(r.Severity) > rank(g.Severity) {
		g.Severity = r.Severity
	}
	for i := range g.Fields {
		// The same cause has the same paths in the same order; only what was there before can differ.
		if i < len(r.Fields) && canonical(g.Fields[i].Old) != canonical(r.Fields[i].Old) {
			g.Fields[i].Old = nil
		}
	}
}

func rank(s Severity) int { return slices.Index([]Severity{Info, Warning, Critical}, s) }

// String says the group in one line, without a secret.
func (g Group) String() string {
	n, units := len(g.Records), "1 unit"
	if len(g.Units) != 1 {
		units = fmt.Sprintf("%d units", len(g.Units))
	}
	if n == 1 {
		return g.Records[0].Finding.String() + " in " + oneLine(g.Records[0].Unit)
	}
	return fmt.Sprintf("%s on %d %s in %s", happened(g.Class, g.Change, g.Fields), n, oneLine(g.Kind), units)
}
