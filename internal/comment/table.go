package comment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// How many characters of a text a cell of the table shows.
const (
	longestCell = 120
	longestID   = 160
)

// ranked are the units as they are shown: what destroys first, then what failed,
// then by size, then as given.
func ranked(units []Unit) []*Unit {
	out := make([]*Unit, len(units))
	for i := range units {
		out[i] = &units[i]
	}
	group := func(u *Unit) int {
		switch {
		case u.Destroy > 0:
			return 0
		case u.failed():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(out, func(a, b *Unit) int {
		return cmp.Or(
			cmp.Compare(group(a), group(b)),
			cmp.Compare(b.Destroy, a.Destroy),
			cmp.Compare(b.Add+b.Change, a.Add+a.Change),
		)
	})
	return out
}

// table is the summary in at most room bytes: rows of the units in their order, as
// many as there is room for, and how many it left out. Units of which there is
// nothing to say have no row.
func table(units []*Unit, room int) string {
	policy := slices.ContainsFunc(units, func(u *Unit) bool { return u.Policy != "" })
	head := "| Unit | Add | Change | Destroy | State |\n|:--|--:|--:|--:|:--|\n"
	if policy {
		head = "| Unit | Add | Change | Destroy | Policy | State |\n|:--|--:|--:|--:|:--|:--|\n"
	}
	var b strings.Builder
	var quiet []string
	loud, rows := 0, 0
	const tail = 80
	full := len(head)+tail > room
	for _, u := range units {
		if u.quiet() {
			quiet = append(quiet, u.ID)
			continue
		}
		loud++
		if full {
			continue
		}
		if rows == 0 {
			b.WriteString(head)
		}
		row := u.row(policy)
		if b.Len()+len(row)+tail > room {
			full = true
			continue
		}
		b.WriteString(row)
		rows++
	}
	if rows == 0 {
		b.Reset()
	}
	if left := loud - rows; left > 0 {
		if rows > 0 {
			fmt.Fprintf(&b, "\nAnd %d more.\n", left)
		} else {
			fmt.Fprintf(&b, "%s.\n", things(left, "unit"))
		}
	}
	if len(quiet) > 0 {
		said := fmt.Sprintf("\nUnchanged: %s.\n", things(len(quiet), "unit"))
		if named := "\nUnchanged: " + idList(quiet, 12) + ".\n"; b.Len()+len(named) <= room {
			said = named
		}
		b.WriteString(said)
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// idList names at most so many ids.
func idList(ids []string, most int) string {
	var parts []string
	for i, id := range ids {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(ids)-most))
			break
		}
		parts = append(parts, code(clip(cleanLine(id), longestID)))
	}
	return strings.Join(parts, ", ")
}

func (u *Unit) row(policy bool) string {
	var b strings.Builder
	b.WriteString("| " + codeCell(u.ID, longestID))
	for _, n := range [...]int{u.Add, u.Change} {
		b.WriteString(" | " + number(n))
	}
	if n := number(u.Destroy); n != "" {
		b.WriteString(" | **" + n + "**")
	} else {
		b.WriteString(" | ")
	}
	if policy {
		b.WriteString(" | " + cell(u.Policy, longestCell))
	}
	b.WriteString(" | " + u.state() + " |\n")
	return b.String()
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// state is what became of a unit, and why it did not go on.
func (u *Unit) state() string {
	s := cell(u.Status, 40)
	if u.failed() || u.Status == "held" {
		if s = cell(u.Status, 40); s == "" {
			s = failed
		}
		s = "**" + s + "**"
	}
	var why []string
	if u.Removal {
		why = append(why, "removed from the branch")
	}
	if r := cell(u.Reason, longestCell); r != "" {
		why = append(why, r)
	} else if u.Error != "" {
		if e := cell(firstLine(u.Error), longestCell); e != "" {
			why = append(why, e)
		}
	}
	if len(why) > 0 {
		s += ": " + strings.Join(why, ", ")
	}
	return s
}
