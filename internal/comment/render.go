package comment

import (
	"slices"
	"strings"
)

// Render is the comment of a report in GitHub's Markdown, as Gitea and GitLab read
// it too, of at most limit bytes. What changes and what went wrong is always in it:
// where not all fits, details are cut, the largest first, and each cut says so and
// links to the whole; then details are left out, and at last rows of the table, from
// its end.
func Render(r Report, limit int) string {
	if limit <= 0 {
		return ""
	}
	marker := hidden(r.Marker)
	if marker != "" {
		marker = "\n" + marker + "\n"
	}
	room := limit - len(marker)
	if room < smallest {
		return tiny(&r, marker, limit)
	}
	if r.nothing() {
		line := r.head("**", "**: ") + footInline(&r) + "\n"
		if notes := list(r.Notes, longestNote, mostNotes, room/4); notes != "" {
			line += "\n" + strings.TrimSuffix(notes, "\n")
		}
		if len(line) > room {
			return tiny(&r, marker, limit)
		}
		return line + marker
	}
	var top, bottom strings.Builder
	top.WriteString(r.head("### ", ": ") + "\n\n")
	if f := rawText(unbox(r.Failed), room/4, r.URL); f != nil {
		f.write(&top, room/4)
		top.WriteByte('\n')
	}
	if notes := list(r.Notes, longestNote, mostNotes, room/10); notes != "" {
		top.WriteString(notes)
	}
	if waits := list(r.Waits, longestNote, mostNotes, room/10); waits != "" {
		bottom.WriteString("\n**What waits**\n\n" + strings.TrimSuffix(waits, "\n"))
	}
	bottom.WriteString(nextTable(r.Next, room/10))
	bottom.WriteString(foot(&r))
	units := ranked(r.Units)
	room -= top.Len() + bottom.Len()
	summary := table(units, room*2/3)
	room -= len(summary)
	if room < 0 {
		return tiny(&r, marker, limit)
	}
	b := &pages{}
	b.Grow(min(limit, 1<<20))
	b.add(top.String())
	b.add(summary)
	details(b, sections(units, limit), room, r.URL)
	b.add(bottom.String())
	b.add(marker)
	return b.String()
}

// smallest is the room that a comment with a table needs. No forge has as little.
const smallest = 4000

// nothing reports whether the report is one line.
func (r *Report) nothing() bool {
	return r.Failed == "" && len(r.Waits) == 0 && !slices.ContainsFunc(r.Units, func(u Unit) bool { return !u.quiet() })
}

const longestTitle = 200

// head is the first line: the title and the numbers.
func (r *Report) head(before, after string) string {
	title := sentence(r.Title, longestTitle)
	if title == "" {
		title = r.title()
	}
	t := count(r)
	var said []string
	if r.Failed == "" {
		switch {
		case t.units == 0 && len(r.Waits) > 0 && r.Title != "": // which says so
		case t.units == 0 && len(r.Waits) > 0:
			said = append(said, "not made yet, it waits")
		case t.units == 0:
			said = append(said, "no unit is affected")
		case t.what() == "" && t.rest() == "":
			said = append(said, "nothing changes in "+things(t.units, "unit"))
		case t.what() == "":
		default:
			said = append(said, t.what()+t.where())
		}
	}
	if rest := t.rest(); rest != "" {
		said = append(said, rest)
	}
	if len(said) == 0 {
		return before + title + strings.TrimSuffix(after, ": ")
	}
	return before + title + after + strings.Join(said, "; ")
}

// title is a title made from the units.
func (r *Report) title() string {
	of := ""
	if c := short(r.Head); c != "" {
		of = " " + code(c)
	}
	switch {
	case r.Failed != "" && of != "":
		return "No plan of" + of
	case r.Failed != "":
		return "No plan"
	case slices.ContainsFunc(r.Units, func(u Unit) bool { return u.Status == applied }):
		return "Applied" + of
	case of != "":
		return "Plan of" + of
	}
	return "Plan"
}

// short is a commit as people write it.
func short(commit string) string {
	commit = lineOf(commit, 40)
	return commit[:runeCut(commit, 7)]
}

// nextTable is what may be typed, in at most room bytes.
func nextTable(next []Next, room int) string {
	const head = "\n| Comment | What it does |\n|:--|:--|\n"
	var b strings.Builder
	for _, n := range next {
		command := codeCell(n.Command, longestCell)
		if command == "" {
			continue
		}
		row := "| " + command + " | " + cell(n.Does, longestCell*2) + " |\n"
		if len(head)+b.Len()+len(row) > room {
			break
		}
		b.WriteString(row)
	}
	if b.Len() == 0 {
		return ""
	}
	return head + b.String()
}

// facts are what a reader looks up last.
func facts(r *Report) []string {
	var parts []string
	if run := lineOf(r.Run, 60); run != "" {
		parts = append(parts, "Run "+code(run))
	}
	head, base := short(r.Head), short(r.Base)
	switch {
	case head != "" && base != "":
		parts = append(parts, code(head)+" into "+code(base))
	case head != "":
		parts = append(parts, code(head))
	}
	if r.Seconds > 0 {
		parts = append(parts, seconds(r.Seconds))
	}
	if l := link("full text", r.URL); l != "" {
		parts = append(parts, l)
	}
	return parts
}

func foot(r *Report) string {
	if parts := facts(r); len(parts) > 0 {
		return "\n" + strings.Join(parts, " · ") + "\n"
	}
	return ""
}

func footInline(r *Report) string {
	if parts := facts(r); len(parts) > 0 {
		return " (" + strings.Join(parts, " · ") + ")"
	}
	return ""
}

// pages is text whose parts may begin and end with an empty line: of two that meet
// one stays.
type pages struct{ strings.Builder }

func (b *pages) add(s string) {
	if t := b.String(); t == "" || strings.HasSuffix(t, "\n\n") {
		s = strings.TrimLeft(s, "\n")
	}
	b.WriteString(s)
}

// line puts an empty line before a block that follows another.
func (b *pages) line() {
	if !strings.HasSuffix(b.String(), "\n\n") {
		b.WriteByte('\n')
	}
}

// details writes the sections in at most room bytes: as many as there is room for
// with their code cut, each block of code cut to the same length at most.
func details(b *pages, all []section, room int, url string) {
	const more = 60
	reserve := more + len(link("the full text", url))
	need, fit := 0, 0
	for i, s := range all {
		least := s.least()
		last := i == len(all)-1
		if need+least > room || !last && need+least > room-reserve {
			break
		}
		need, fit = need+least, i+1
	}
	if fit < len(all) {
		room -= reserve
	}
	fixed := 0
	var sizes []*fenced
	for _, s := range all[:max(fit, 0)] {
		for _, p := range s {
			fixed += len(p.text)
			if p.code != nil {
				fixed++ // an empty line before it
				sizes = append(sizes, p.code)
			}
		}
	}
	level := fill(sizes, room-fixed)
	for _, s := range all[:fit] {
		for _, p := range s {
			b.add(p.text)
			if p.code != nil {
				b.line()
				p.code.write(&b.Builder, max(level, p.code.least))
			}
		}
	}
	if left := len(all) - fit; left > 0 && room >= 0 {
		said := "\nDetails of " + things(left, "unit") + " left out"
		if l := link("the full text", url); l != "" {
			said += "; " + l
		}
		b.add(said + ".\n")
	}
}

// fill is the length at which blocks must be cut so that all of them take at most
// room bytes.
func fill(blocks []*fenced, room int) int {
	takes := func(level int) int {
		n := 0
		for _, f := range blocks {
			n += min(f.size, max(level, f.least))
		}
		return n
	}
	low, high := 0, max(room, 0)
	for low < high {
		mid := (low + high + 1) / 2
		if takes(mid) <= room {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// tiny is a report for next to no room: its numbers.
func tiny(r *Report, marker string, limit int) string {
	said := paragraph(StatusText(*r), longestStatus)
	switch {
	case len(said)+1+len(marker) <= limit:
		return said + "\n" + marker
	case len(marker) > 1 && len(marker)-1 <= limit:
		return marker[1:]
	case len(said) <= limit:
		return said
	}
	return ""
}
