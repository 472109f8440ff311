package comment

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// text writes how one string becomes another: line by line where they have lines.
func (w *writer) text(depth int, name, before, after, comment string) {
	if b, ok := fromJSON(before); ok {
		if a, ok := fromJSON(after); ok {
			w.line("!", depth, name+"jsonencode("+comment)
			if x, y := (side{v: b}), (side{v: a}); same(x, y) {
				w.line(" ", depth+1, "# (the same, written in another way)")
			} else {
				w.value(depth+1, "", nil, x, y)
			}
			w.line("!", depth, ")")
			return
		}
	}
	x, y := heredoc(before), heredoc(after)
	if x == nil && y == nil {
		x, y := quotedPair(before, after)
		w.line("!", depth, name+x+" -> "+y+comment)
		return
	}
	x, y = textLines(before), textLines(after)
	if strings.HasSuffix(before, "\n") != strings.HasSuffix(after, "\n") {
		x, y = ending(x, before), ending(y, after)
	}
	w.line("!", depth, name+"<<-EOT"+comment)
	lines := unified(strings.Join(x, "\n")+"\n", strings.Join(y, "\n")+"\n")
	for i, l := range lines {
		if i == mostLines {
			w.line(" ", depth+1, fmt.Sprintf("# (%s cut, %s -> %s)", things(len(lines)-i, "line"), fingerprint(before), fingerprint(after)))
			break
		}
		if l.section {
			if i > 0 {
				w.line(" ", depth+1, "…")
			}
			continue
		}
		w.line(l.mark, depth+1, clipText(l.text))
	}
	w.line("!", depth, "EOT")
}

// ending says of a text without a line break at its end that it has none.
func ending(lines []string, s string) []string {
	if strings.HasSuffix(s, "\n") {
		return lines
	}
	return append(lines, "# (no line break at the end)")
}

// quotedPair are two strings in quotes. Of long ones only what surrounds the first
// difference is shown.
func quotedPair(x, y string) (string, string) {
	if len(x) <= longestShown && len(y) <= longestShown {
		return quoted(x), quoted(y)
	}
	at := 0
	for at < len(x) && at < len(y) && x[at] == y[at] {
		at++
	}
	const around = 60
	window := func(s string) string {
		if len(s) <= longestShown {
			return quoted(s)
		}
		from := runeCut(s, max(0, min(at, len(s))-around))
		to := runeCut(s, min(len(s), from+longestShown))
		before := ""
		if from > 0 {
			before = "…"
		}
		return before + quoted(s[from:to]) + cutNote(s)
	}
	return window(x), window(y)
}

// diffLine is a line of a unified difference, or the head of one of its sections.
type diffLine struct {
	mark    string // "-", "+" or " "
	text    string
	section bool
	at      int // of a section: the index of its first line before
}

// unified compares two texts line by line, in time that grows with their length.
func unified(before, after string) []diffLine {
	raw := string(diff.Diff("a", []byte(before), "b", []byte(after)))
	if raw == "" {
		return nil
	}
	var out []diffLine
	for i, l := range strings.Split(strings.TrimSuffix(raw, "\n"), "\n") {
		if i < 3 { // the names of the files
			continue
		}
		if strings.HasPrefix(l, "@@ ") {
			at := 0
			if _, err := fmt.Sscanf(l, "@@ -%d", &at); err != nil {
				at = 1
			}
			out = append(out, diffLine{section: true, at: max(at-1, 0)})
			continue
		}
		if l != "" {
			out = append(out, diffLine{mark: l[:1], text: l[1:]})
		}
	}
	return out
}
