package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
)

// RunTable prints one line a run, in the given order.
func RunTable(w io.Writer, runs []runner.Run, s Style) error {
	if len(runs) == 0 {
		_, err := io.WriteString(w, "No runs.\n")
		return err
	}
	t := table{head: []string{"RUN", "REPOSITORY", "COMMIT", "STATUS", "STARTED", "SUBJECT", "UNITS"}}
	reviews := slices.ContainsFunc(runs, func(r runner.Run) bool { return reviewOf(&r) != "" })
	if reviews {
		t.head = slices.Insert(t.head, 4, "REVIEW")
	}
	subject := 0
	if s.Width > 0 {
		subject = 32
	}
	for i := range runs {
		r := &runs[i]
		_, c := look(r.Status)
		units := countUnits(r.Units)
		if r.Held != "" {
			units = "waits as a whole"
		}
		cells := []string{CleanLine(r.ID), CleanLine(r.Repository), shortCommit(r.Commit), CleanLine(string(r.Status)), s.moment(r.Started), cut(CleanLine(r.Subject), subject), units}
		if reviews {
			cells = slices.Insert(cells, 4, reviewOf(r))
		}
		t.rows = append(t.rows, row{color: c, paint: 3, cells: cells})
	}
	return t.write(w, s)
}

// LockTable prints who holds what.
func LockTable(w io.Writer, all []locks.Lock, s Style) error {
	if len(all) == 0 {
		_, err := io.WriteString(w, "Nobody holds a lock.\n")
		return err
	}
	t := table{head: []string{"UNIT", "REPOSITORY", "HOLDER", "SINCE", "REASON"}}
	for _, l := range all {
		t.rows = append(t.rows, row{paint: -1, cells: []string{CleanLine(l.Unit), CleanLine(l.Repository), CleanLine(l.Run), s.moment(l.Since), CleanLine(l.Reason)}})
	}
	return t.write(w, s)
}

// StateTable prints the states that no backend took.
func StateTable(w io.Writer, all []runner.KeptState, s Style) error {
	if len(all) == 0 {
		_, err := io.WriteString(w, "No state is kept: every backend took its own.\n")
		return err
	}
	t := table{head: []string{"UNIT", "REPOSITORY", "KEPT", "FILE"}}
	for _, k := range all {
		t.rows = append(t.rows, row{paint: -1, cells: []string{CleanLine(k.Unit), CleanLine(k.Repository), s.moment(k.Kept), CleanLine(k.File)}})
	}
	return t.write(w, s)
}

type row struct {
	cells []string
	paint int // the cell that has the colour; -1 for none
	color color
}

type table struct {
	head []string
	rows []row
}

// write sets the table; only the last column is cut where the width ends.
func (t *table) write(w io.Writer, s Style) error {
	wide := make([]int, len(t.head))
	for _, r := range append([]row{{cells: t.head}}, t.rows...) {
		for i, c := range r.cells {
			wide[i] = max(wide[i], columns(c))
		}
	}
	var b strings.Builder
	line := func(r row, header bool) {
		var l strings.Builder
		used := 0
		for i, c := range r.cells {
			last := i == len(r.cells)-1
			if last && s.Width > 0 {
				c = cut(c, max(8, s.Width-used))
			}
			text := c
			if !last {
				text = pad(c, wide[i])
			}
			switch {
			case header:
				text = s.paint(dim, text)
			case i == r.paint:
				text = s.paint(r.color, text)
			}
			l.WriteString(text)
			if !last {
				l.WriteString("  ")
			}
			used += wide[i] + 2
		}
		fmt.Fprintln(&b, strings.TrimRight(l.String(), " "))
	}
	line(row{cells: t.head, paint: -1}, true)
	for _, r := range t.rows {
		line(r, false)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
