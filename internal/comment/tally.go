package comment

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The statuses of a unit that this package treats in a way of their own.
const (
	applied     = "applied"
	unchanged   = "unchanged"
	failed      = "failed"
	interrupted = "interrupted"
)

// tally is a report in numbers.
type tally struct {
	add, change, destroy    int // to do
	added, changed, deleted int // done
	changing                int // units that change, or did
	units                   int
	other                   map[string]int // units by status, of those that a person must know
}

// notable are the statuses that are counted in words, worst first.
func notable() []string {
	return []string{failed, interrupted, "held", "queued", "running", "deferred", "skipped", "discarded", "superseded"}
}

func count(r *Report) tally {
	t := tally{units: len(r.Units), other: map[string]int{}}
	for i := range r.Units {
		u := &r.Units[i]
		if u.Status == applied {
			t.added, t.changed, t.deleted = t.added+u.Add, t.changed+u.Change, t.deleted+u.Destroy
		} else {
			t.add, t.change, t.destroy = t.add+u.Add, t.change+u.Change, t.destroy+u.Destroy
		}
		if u.changes() {
			t.changing++
		}
		s := u.Status
		if u.Error != "" && s != interrupted {
			s = failed
		}
		t.other[s]++
	}
	return t
}

func (u *Unit) changes() bool { return u.Add != 0 || u.Change != 0 || u.Destroy != 0 }

func (u *Unit) failed() bool { return u.Status == failed || u.Status == interrupted || u.Error != "" }

// quiet reports whether there is nothing to say of a unit.
func (u *Unit) quiet() bool {
	return u.Status == unchanged && !u.changes() && !u.Removal && !u.failed() && !u.hasSection() && u.Reason == "" && u.Policy == ""
}

// counts are "3 to add, 1 to change", or what was done.
func counts(add, change, destroy int, done bool) string {
	words := [...]string{"to add", "to change", "to destroy"}
	if done {
		words = [...]string{"added", "changed", "destroyed"}
	}
	var parts []string
	for i, n := range [...]int{add, change, destroy} {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words[i]))
		}
	}
	return strings.Join(parts, ", ")
}

// what are the numbers of the changes.
func (t tally) what() string {
	var parts []string
	for _, s := range []string{counts(t.added, t.changed, t.deleted, true), counts(t.add, t.change, t.destroy, false)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// where says how many units those changes are in.
func (t tally) where() string {
	if t.units == 1 {
		return ""
	}
	return fmt.Sprintf(" in %d of %d units", t.changing, t.units)
}

// rest are the numbers of units that need more than a look.
func (t tally) rest() string {
	var parts []string
	for _, s := range notable() {
		if n := t.other[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

func things(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// longestStatus is what GitHub takes of a description, in characters.
const longestStatus = 140

// fewUnits is how many units a status says one by one.
const fewUnits = 3

// StatusText is the report in one line of at most 140 characters, for a commit
// status.
func StatusText(r Report) string {
	if r.Failed != "" {
		return clip("No plan: "+cleanLine(firstLine(r.Failed)), longestStatus)
	}
	t := count(&r)
	what := t.what()
	rest := t.rest()
	switch {
	case t.units == 0:
		return "No unit is affected"
	case what == "" && rest == "":
		return "Nothing changes in " + things(t.units, "unit")
	case what == "":
		return clip(rest+" of "+things(t.units, "unit"), longestStatus)
	}
	if rest != "" {
		rest = "; " + rest
	}
	whole := what + t.where() + rest
	if t.changing > fewUnits {
		return clip(whole, longestStatus)
	}
	var each []string
	for _, u := range ranked(r.Units) {
		if u.changes() {
			each = append(each, cleanLine(u.ID)+" "+signs(u))
		}
	}
	if one := what + rest + ": " + strings.Join(each, ", "); t.changing > 1 && utf8.RuneCountInString(one) <= longestStatus {
		return one
	} else if one := what + rest + " in " + cleanLine(idOfChange(&r)); t.changing == 1 && utf8.RuneCountInString(one) <= longestStatus {
		return one
	}
	return clip(whole, longestStatus)
}

func idOfChange(r *Report) string {
	for i := range r.Units {
		if r.Units[i].changes() {
			return r.Units[i].ID
		}
	}
	return ""
}

// signs are "+3 ~1 -2".
func signs(u *Unit) string {
	var parts []string
	for i, n := range [...]int{u.Add, u.Change, u.Destroy} {
		if n != 0 {
			parts = append(parts, fmt.Sprintf("%c%d", "+~-"[i], n))
		}
	}
	return strings.Join(parts, " ")
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(unbox(s), "\n")
	return strings.TrimPrefix(s, "Error: ")
}

// unbox takes the frame off Terraform's messages: it is drawn for a terminal.
func unbox(s string) string {
	if !strings.ContainsAny(s, "╷│╵") {
		return strings.Trim(s, "\n")
	}
	var out []string
	for l := range strings.SplitSeq(s, "\n") {
		t := strings.TrimRight(l, " \t\r")
		if t == "╷" || t == "╵" {
			continue
		}
		if t == "│" {
			t = ""
		}
		out = append(out, strings.TrimPrefix(t, "│ "))
	}
	return strings.Trim(strings.Join(out, "\n"), "\n")
}
