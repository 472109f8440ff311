package comment

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// piece is a part of a section: text of ours that stays as it is, or a block of
// code that can be cut.
type piece struct {
	text string
	code *fenced
}

// section is a part of the comment's body that is shown whole, with its code cut,
// or not at all.
type section []piece

func (s *section) say(text string) { *s = append(*s, piece{text: text}) }

func (s *section) block(f *fenced) {
	if f != nil {
		*s = append(*s, piece{code: f})
	}
}

// least is what the section takes with its code cut to what says something.
func (s section) least() int {
	const something = 200
	n := 0
	for _, p := range s {
		n += len(p.text)
		if p.code != nil {
			n += 1 + min(p.code.size, max(p.code.least, something))
		}
	}
	return n
}

const (
	longestNote = 600
	mostNotes   = 20
)

func (u *Unit) hasSection() bool {
	return u.Diff != "" || u.Text != "" && u.Status != unchanged || u.Difference != "" || len(u.Notes) > 0 || len(u.Rules) > 0 || slices.ContainsFunc(u.Objects, Object.said) || utf8.RuneCountInString(u.Reason) > longestCell
}

// sections are the errors, open, and then what is folded.
func sections(units []*Unit, most int) []section {
	var out []section
	for _, u := range units {
		if u.Error != "" {
			var s section
			s.say("\n" + code(lineOf(u.ID, longestID)) + " failed:\n\n")
			s.block(rawText(unbox(u.Error), most, u.URL))
			out = append(out, s)
		}
	}
	for _, u := range units {
		if u.hasSection() {
			out = append(out, u.section(most))
		}
	}
	return out
}

func (u *Unit) section(most int) section {
	var s section
	open := ""
	if u.Difference != "" {
		open = " open"
	}
	facts := counts(u.Add, u.Change, u.Destroy, u.Status == applied)
	if facts == "" {
		facts = "details"
	}
	if u.Removal {
		facts += ", removed from the branch"
	}
	s.say("\n<details" + open + "><summary>" + summaryCode(u.ID, longestID) + ": " + facts + "</summary>\n\n")
	if utf8.RuneCountInString(u.Reason) > longestCell {
		if r := sentence(u.Reason, longestNote); r != "" {
			s.say("Why: " + r + "\n\n")
		}
	}
	s.say(rules(u.Rules))
	s.say(list(u.Notes, longestNote, mostNotes, 1<<20))
	if f := diffText(u.Difference, most, u.URL); f != nil {
		s.say("The plan made now differs from the one that was reviewed:\n\n")
		s.block(f)
		s.say("\nThe plan made now:\n\n")
	}
	s.block(diffText(u.Diff, most, u.URL))
	s.block(objects(u.Objects, most, u.URL))
	if f := rawText(u.Text, most, u.URL); f != nil {
		s.say("\n<details><summary>As Terraform says it</summary>\n\n")
		s.block(f)
		s.say("\n</details>\n")
	}
	var foot []string
	if u.Seconds > 0 {
		foot = append(foot, "Took "+seconds(u.Seconds))
	}
	if l := link("full text", u.URL); l != "" {
		foot = append(foot, l)
	}
	if len(foot) > 0 {
		s.say("\n" + strings.Join(foot, " · ") + "\n")
	}
	s.say("\n</details>\n")
	return s
}

// rules are the findings of policies, one in a line.
func rules(all []Rule) string {
	said := map[string]string{"deny": "denied", "ask": "asks", "warn": "warns"}
	var lines []string
	for _, r := range all {
		word := said[r.Effect]
		if word == "" {
			word = "denied"
		}
		lines = append(lines, word+": "+r.Text)
	}
	return list(lines, longestNote, mostNotes, 1<<20)
}

// list is a list of sentences with an empty line behind it, in at most room bytes.
func list(items []string, longest, most, room int) string {
	var b strings.Builder
	for i, n := range items {
		t := sentence(n, longest)
		if t == "" {
			continue
		}
		line := "- " + t + "\n"
		if i >= most || b.Len()+len(line)+40 > room {
			fmt.Fprintf(&b, "- … and %d more\n", len(items)-i)
			break
		}
		b.WriteString(line)
	}
	if b.Len() == 0 {
		return ""
	}
	return b.String() + "\n"
}

func (o Object) said() bool {
	return o.Diff != "" || o.Note != "" || o.Action != unchanged && o.Action != ""
}

// objects are the Kubernetes objects of a unit in one block, what is lost first.
func objects(all []Object, most int, url string) *fenced {
	var shown []Object
	same := 0
	for _, o := range all {
		if o.said() {
			shown = append(shown, o)
		} else {
			same++
		}
	}
	slices.SortStableFunc(shown, func(a, b Object) int { return strings.Index("-! +", a.mark()) - strings.Index("-! +", b.mark()) })
	var b strings.Builder
	for i, o := range shown {
		if b.Len() > most {
			fmt.Fprintf(&b, "\n  … and %d objects more\n", len(shown)-i)
			break
		}
		if i > 0 && (o.Diff != "" || shown[i-1].Diff != "") {
			b.WriteByte('\n')
		}
		b.WriteString(o.mark() + " " + lineOf(o.Ref, longestNote) + ": " + lineOf(o.Action, longestNote) + "\n")
		if o.Note != "" {
			b.WriteString("  # " + lineOf(o.Note, longestNote) + "\n")
		}
		if o.Diff != "" {
			b.WriteString(strings.TrimRight(o.Diff, "\n") + "\n")
		}
	}
	if same > 0 && len(shown) > 0 {
		fmt.Fprintf(&b, "\n  # %d more unchanged\n", same)
	}
	return diffText(b.String(), most, url)
}

// mark is how the line of an object begins.
func (o Object) mark() string {
	switch o.Action {
	case "create", "created":
		return "+"
	case "pruned", "deleted", "prune", "delete":
		return "-"
	case unchanged, "":
		return " "
	}
	return "!"
}

// seconds is a length of time as a person says it.
func seconds(s float64) string {
	switch {
	case s >= 60:
		return fmt.Sprintf("%d min %d s", int(s)/60, int(s)%60)
	case s >= 10:
		return fmt.Sprintf("%.0f s", s)
	}
	return fmt.Sprintf("%.1f s", s)
}
