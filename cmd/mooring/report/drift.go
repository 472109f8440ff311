package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

// Scans prints what drift scans found: the units with drift, those that could not be looked at, and how many are as they
// should be.
func Scans(w io.Writer, runs []runner.Run, s Style) error {
	var b strings.Builder
	open, looked := 0, 0
	for i := range runs {
		r := &runs[i]
		fmt.Fprintf(&b, "%s  %s at %s  %s\n", s.paint(bold, CleanLine(r.ID)), CleanLine(r.Repository), shortCommit(r.Commit), s.paint(dim, seconds(r.Seconds)))
		quiet := 0
		for k := range r.Units {
			u := &r.Units[k]
			switch {
			case len(u.Drift) > 0:
				looked++
				open += len(u.Drift)
				fmt.Fprintf(&b, "  %s%s\n", s.mark(runner.Planned), s.paint(bold, CleanLine(u.ID)))
				for _, d := range u.Drift {
					driftLines(&b, d, s)
				}
			case u.Status == runner.Unchanged:
				looked++
				quiet++
			default:
				fmt.Fprintf(&b, "  %s%s %s\n", s.mark(u.Status), s.paint(bold, CleanLine(u.ID)), s.status(u.Status))
				for _, line := range strings.Split(strings.TrimSpace(u.Error+u.Reason), "\n") {
					fmt.Fprintf(&b, "%s%s\n", under, Clean(line))
				}
			}
			for _, n := range u.Notes {
				fmt.Fprintf(&b, "%s%s\n", under, s.paint(dim, CleanLine(n)))
			}
		}
		if quiet > 0 {
			fmt.Fprintf(&b, "  %s%s\n", s.mark(runner.Unchanged), s.paint(dim, plural(quiet, "unit")+" without drift"))
		}
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "  %s\n", s.paint(dim, CleanLine(n)))
		}
	}
	var all []drift.Record
	for i := range runs {
		for _, u := range runs[i].Units {
			all = append(all, u.Drift...)
		}
	}
	for _, g := range drift.Causes(all) {
		if len(g.Units) > 1 { // one cause, most often
			fmt.Fprintf(&b, "The same was done more than once: %s (%s).\n", CleanLine(g.String()), CleanLine(strings.Join(g.Units, ", ")))
		}
	}
	switch {
	case open > 0:
		fmt.Fprintf(&b, "%s.\n", plural(open, "drift"))
	case looked > 0:
		fmt.Fprintf(&b, "No drift.\n")
	case len(runs) == 0:
		fmt.Fprintf(&b, "There is no unit to look at.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mostFields is how many attributes of one drift are spelled out.
const mostFields = 12

func driftLines(b *strings.Builder, d drift.Record, s Style) {
	c := gravityOf(d.Severity)
	fmt.Fprintf(b, "%s%s %s  %s\n", under, s.paint(dim, CleanLine(d.ID)), CleanLine(d.Address), s.paint(c, fmt.Sprintf("%s, %s, %s", CleanLine(string(d.Change)), className(d.Class), CleanLine(string(d.Severity)))))
	if d.Message != "" {
		fmt.Fprintf(b, "%s   %s\n", under, CleanLine(d.Message))
	}
	for i, f := range d.Fields {
		if i == mostFields {
			fmt.Fprintf(b, "%s   and %d more\n", under, len(d.Fields)-i)
			break
		}
		by := ""
		if f.By != "" {
			by = "  by " + CleanLine(f.By)
			if f.At != nil {
				by += " at " + s.moment(*f.At)
			}
		}
		if f.Secret {
			fmt.Fprintf(b, "%s   %s: differs (a secret)%s\n", under, CleanLine(f.Path), s.paint(dim, by))
			continue
		}
		fmt.Fprintf(b, "%s   %s: %s is %s%s\n", under, CleanLine(f.Path), driftValue(f.Old, f.Unknown), driftValue(f.New, false), s.paint(dim, by))
	}
	if d.Ack != nil {
		fmt.Fprintf(b, "%s   %s\n", under, s.paint(dim, acknowledged(d, s)))
	}
}

func acknowledged(d drift.Record, s Style) string {
	return joinWords(fmt.Sprintf("known to %s until %s", CleanLine(d.Ack.By), s.moment(d.Ack.Until)), CleanLine(d.Ack.Why))
}

func joinWords(a, b string) string {
	if b == "" {
		return a
	}
	return a + ": " + b
}

func className(c drift.Class) string { return strings.ReplaceAll(CleanLine(string(c)), "_", " ") }

func gravityOf(s drift.Severity) color {
	switch s {
	case drift.Critical:
		return red
	case drift.Warning:
		return yellow
	}
	return dim
}

// DriftTable prints one line a drift; with ended, how it ended too.
func DriftTable(w io.Writer, all []drift.Record, ended bool, now time.Time, s Style) error {
	if len(all) == 0 {
		_, err := io.WriteString(w, "No drift is known.\n")
		return err
	}
	t := table{head: []string{"DRIFT", "REPOSITORY", "UNIT", "SEVERITY", "CLASS", "BEGAN", "AGE", "WHAT"}}
	if ended {
		t.head = []string{"DRIFT", "REPOSITORY", "UNIT", "SEVERITY", "CLASS", "BEGAN", "ENDED", "BY", "WHAT"}
	}
	for _, d := range all {
		cells := []string{CleanLine(d.ID), CleanLine(d.Repository), CleanLine(d.Unit), CleanLine(string(d.Severity)), className(d.Class), s.moment(d.Began)}
		what := CleanLine(d.Finding.String())
		if ended {
			at := "open"
			if d.Ended != nil {
				at = s.moment(*d.Ended)
			}
			cells = append(cells, at, CleanLine(d.EndedBy))
		} else {
			cells = append(cells, age(now.Sub(d.Began)))
			if d.Ack != nil {
				what += " (" + acknowledged(d, s) + ")"
			}
		}
		t.rows = append(t.rows, row{color: gravityOf(d.Severity), paint: 3, cells: append(cells, what)})
	}
	return t.write(w, s)
}

// age is a duration as people say it.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d >= time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
}

// Acknowledged prints what a person's word was about.
func Acknowledged(w io.Writer, all []drift.Record, s Style) error {
	for _, d := range all {
		if _, err := fmt.Fprintf(w, "%s %s %s: %s\n", CleanLine(d.ID), CleanLine(d.Unit), CleanLine(d.Address), acknowledged(d, s)); err != nil {
			return err
		}
	}
	return nil
}

// Cell is a text for a cell of a spreadsheet: it never begins as a formula does.
func Cell(text string) string {
	text = CleanLine(text)
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// longestValue is how much of a value is shown, in columns.
const longestValue = 60

func driftValue(v any, unknown bool) string {
	switch {
	case unknown:
		return "(known after apply)"
	case v == nil:
		return "unset"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "(cannot be shown)"
	}
	return cut(CleanLine(string(text)), longestValue)
}
