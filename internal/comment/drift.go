package comment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/runner/drift"
)

// Drift is what an issue or a pull request says of one unit's drift. Values must come with their secrets taken out.
type Drift struct {
	Marker  string // hidden in the text, so that it is found again
	Unit    string
	URL     string // page of the scan; "" where Mooring serves none
	Records []drift.Record
	Why     string // why Mooring does not set it back itself; "" where nobody asked for that
	Left    []Left // what could not be written into the files
	Next    []Next // what to type next, in a terminal
}

// Left is a change that is for a person to make, and why.
type Left struct {
	Address, Path string
	Why           string
	File          string // "" where it is not known
	Line          int    // 0 where it is not known
}

// DriftTitle is the title of an issue about a unit's drift.
func DriftTitle(unit string, records []drift.Record) string {
	return "Drift in " + lineOf(unit, longestID) + ": " + things(len(records), "resource")
}

// DriftIssue is the body of an issue, of at most limit bytes. Where not all fits the values are cut, then rows of the table.
func DriftIssue(d Drift, limit int) string {
	head := fmt.Sprintf("%s of %s %s not as the commit says that was applied last.\n",
		things(len(d.Records), "resource"), code(lineOf(d.Unit, longestID)), are(len(d.Records)))
	if why := sentence(d.Why, longestNote); why != "" {
		head += "\nMooring does not heal it: " + why + ".\n"
	}
	return d.body(head, "What a person has to write", limit)
}

// DriftPull is the body of a pull request that writes live values into the files, of at most limit bytes. Its records are those that
// are written, wholly or in part.
func DriftPull(d Drift, limit int) string {
	return d.body(fmt.Sprintf("Somebody changed %s of %s by hand. This writes what is live into the files: merged, nothing is set back; "+
		"closed, the next apply sets it back.\n", things(len(d.Records), "resource"), code(lineOf(d.Unit, longestID))), "What is not in this", limit)
}

// DriftHealed is the last word in an issue: by is who ended the drift, as drift.Record has it.
func DriftHealed(by string, at time.Time) string {
	said := "Nothing has drifted any more as of " + instant(at)
	switch by = sentence(by, longestNote); by {
	case "", "outside":
		return said + ": it was set back outside of Mooring."
	}
	return said + ": " + by + "."
}

func (d Drift) body(head, left string, limit int) string {
	marker := hidden(d.Marker)
	if marker != "" {
		marker = "\n" + marker + "\n"
	}
	room := limit - len(marker)
	if room < smallest {
		switch {
		case len(head) <= room:
			return head + marker
		case len(marker) > 1 && len(marker)-1 <= limit:
			return marker[1:]
		}
		return ""
	}
	records := slices.Clone(d.Records)
	slices.SortStableFunc(records, func(a, b drift.Record) int {
		return cmp.Or(cmp.Compare(rank(b.Severity), rank(a.Severity)), cmp.Compare(a.Address, b.Address))
	})
	var bottom strings.Builder
	if said := list(d.left(), longestNote, mostNotes, room/5); said != "" {
		bottom.WriteString("\n**" + left + "**\n\n" + strings.TrimSuffix(said, "\n"))
	}
	bottom.WriteString(nextList(d.Next, room/10))
	if l := link("the scan", d.URL); l != "" {
		bottom.WriteString("\n" + l + "\n")
	}
	top := head + driftTable(records, room/3)
	room -= len(top) + bottom.Len()
	var b strings.Builder
	b.WriteString(top)
	if f := diffText(values(records), room, d.URL); f != nil && room > f.least+2 {
		b.WriteByte('\n')
		f.write(&b, room-1)
	}
	b.WriteString(bottom.String())
	b.WriteString(marker)
	return b.String()
}

// nextList is what may be typed in a terminal, in at most room bytes.
func nextList(next []Next, room int) string {
	const head = "\n**What to do**\n\n"
	var b strings.Builder
	for _, n := range next {
		line := "- " + code(lineOf(n.Command, longestCell)) + ": " + sentence(n.Does, longestCell*2) + "\n"
		if len(head)+b.Len()+len(line) > room {
			break
		}
		b.WriteString(line)
	}
	if b.Len() == 0 {
		return ""
	}
	return head + b.String()
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func rank(s drift.Severity) int {
	return slices.Index([]drift.Severity{drift.Info, drift.Warning, drift.Critical}, s)
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// driftTable is a row for each record, in at most room bytes.
func driftTable(records []drift.Record, room int) string {
	var b strings.Builder
	b.WriteString("\n| Resource | What | Severity | An apply would | Since |\n|---|---|---|---|---|\n")
	for i, r := range records {
		what := cell(string(r.Change), 40)
		if r.Class == drift.Unhealthy || r.Message != "" {
			what += ": " + cell(r.Message, longestCell)
		}
		row := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", codeCell(r.Address, longestID), what, cell(string(r.Severity), 40), cell(r.Action, 40), instant(r.Began))
		if b.Len()+len(row)+60 > room {
			fmt.Fprintf(&b, "| … and %d more | | | | |\n", len(records)-i)
			break
		}
		b.WriteString(row)
	}
	return b.String()
}

// values are what each record's fields should be and are, as a difference.
func values(records []drift.Record) string {
	var b strings.Builder
	for i, r := range records {
		if len(r.Fields) == 0 {
			continue
		}
		if b.Len() > longestJSON {
			fmt.Fprintf(&b, "  … and of %d resources more\n", len(records)-i)
			break
		}
		b.WriteString("@@ " + lineOf(r.Address, longestNote) + " @@\n")
		for _, f := range r.Fields {
			path := lineOf(f.Path, longestNote)
			if f.Secret {
				b.WriteString("! " + path + " (secret)" + author(f) + "\n")
				continue
			}
			if f.Old != nil {
				b.WriteString("- " + path + " = " + value(f.Old) + "\n")
			}
			if f.New != nil {
				b.WriteString("+ " + path + " = " + value(f.New) + author(f) + "\n")
			} else {
				b.WriteString("! " + path + " is not set" + author(f) + "\n")
			}
		}
	}
	return b.String()
}

// author is who wrote a field, where that is known.
func author(f drift.Field) string {
	if f.By == "" {
		return ""
	}
	said := "  # by " + lineOf(f.By, longestCell)
	if f.At != nil {
		said += ", " + instant(*f.At)
	}
	return said
}

// value is one on one line, as JSON.
func value(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return "?"
	}
	return clipText(oneLine(strings.TrimSuffix(b.String(), "\n")))
}

// left are the changes that were not written, each a sentence.
func (d Drift) left() []string {
	var out []string
	for _, l := range d.Left {
		subject := l.Address
		if l.Path != "" {
			subject += " " + l.Path
		}
		place := ""
		if l.File != "" {
			place = " (" + l.File + ")"
			if l.Line > 0 {
				place = fmt.Sprintf(" (%s, line %d)", l.File, l.Line)
			}
		}
		out = append(out, subject+place+": "+l.Why)
	}
	return out
}
