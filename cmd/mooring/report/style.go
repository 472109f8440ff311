package report

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"github.com/mooring-iac/mooring/runner"
)

// Style says for whom text is written. The zero value is for a file or a pipe:
// no colour, no symbols, lines as long as they are.
type Style struct {
	Color   bool
	Symbols bool           // marks such as ✓ before a unit
	Width   int            // columns; 0 does not wrap or cut
	Zone    *time.Location // for moments; nil is the local one
}

type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	blue   color = "34"
	cyan   color = "36"
	bold   color = "1"
	dim    color = "2"
)

func (s Style) paint(c color, text string) string {
	if !s.Color || c == "" || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// look is how a status appears.
func look(st runner.Status) (mark string, c color) {
	switch st {
	case runner.Applied:
		return "✓", green
	case runner.Unchanged:
		return "·", dim
	case runner.Planned:
		return "◇", blue
	case runner.Held:
		return "‖", yellow
	case runner.Failed, runner.Interrupted:
		return "✗", red
	case runner.Running:
		return "▸", cyan
	case runner.Skipped, runner.Deferred:
		return "↷", yellow
	}
	return "–", dim
}

func (s Style) status(st runner.Status) string {
	_, c := look(st)
	return s.paint(c, CleanLine(string(st)))
}

func (s Style) mark(st runner.Status) string {
	if !s.Symbols {
		return ""
	}
	m, c := look(st)
	return s.paint(c, m) + " "
}

func (s Style) moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	zone := s.Zone
	if zone == nil {
		zone = time.Local
	}
	return t.In(zone).Format("2006-01-02 15:04:05")
}

func seconds(f float64) string {
	d := time.Duration(f * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", f)
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", f)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// columns is how many columns of a terminal the text takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case width.LookupRune(r).Kind() == width.EastAsianWide || width.LookupRune(r).Kind() == width.EastAsianFullwidth || r >= 0x1f300 && r <= 0x1faff:
			n += 2
		default:
			n++
		}
	}
	return n
}

// bare takes off the colours that paint put on: cleaned text has no other
// escape sequences.
func bare(s string) string { return painted.ReplaceAllString(s, "") }

var painted = regexp.MustCompile("\x1b\\[[0-9]*m")

func visible(s string) int { return columns(bare(s)) }

func pad(s string, to int) string {
	return s + strings.Repeat(" ", max(0, to-columns(s)))
}

// cut shortens a line to n columns, with an ellipsis; n <= 0 leaves it whole.
func cut(s string, n int) string {
	if n <= 0 || columns(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		w := columns(string(r))
		if used+w > n-1 {
			return s[:i] + "…"
		}
		used += w
	}
	return s
}

// wrap breaks a line at spaces into lines of at most n columns; n <= 0 leaves it
// whole. Continued lines start as the first one did. A word that is longer than
// a line stays whole: it may be a path or a command that is copied.
func wrap(s string, n int) []string {
	if n <= 0 || columns(s) <= n {
		return []string{s}
	}
	indent := s[:len(s)-len(strings.TrimLeft(s, " "))]
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = indent + word
		case columns(line)+1+columns(word) > n:
			lines = append(lines, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func shortCommit(c string) string {
	c = CleanLine(c)
	if len(c) > 10 {
		return c[:10]
	}
	return c
}
