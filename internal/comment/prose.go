package comment

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Text of others in a sentence of ours. Backslashes and HTML entities do not stop
// a forge from mentioning @somebody or linking #12, because that is looked for
// after Markdown is done with them. None of GitHub, GitLab and Gitea looks into
// code, so a word that is more than letters is set as code.

// sentence is text within a line that we began: a list item, a heading, a cell.
func sentence(s string, most int) string { return prose(s, most, false) }

// cell is sentence for the cell of a table.
func cell(s string, most int) string { return prose(s, most, true) }

// paragraph is text that begins a line. Its first letter is written so that the
// line is no list, and no command to another robot.
func paragraph(s string, most int) string {
	t := sentence(s, most)
	if t != "" && t[0] >= 'a' && t[0] <= 'z' {
		return entity(rune(t[0])) + t[1:]
	}
	return t
}

func prose(s string, most int, inCell bool) string {
	s = clip(cleanLine(s), most)
	var out words
	out.cell = inCell
	spans := strings.Split(s, "`")
	if len(spans)%2 == 0 || strings.Contains(s, "``") {
		spans = []string{s} // the backticks do not pair: none means anything
	}
	for i, span := range spans {
		if i%2 == 1 {
			out.code(strings.TrimSpace(span))
			continue
		}
		for j, word := range strings.Split(span, " ") {
			if j > 0 && out.b.Len() > 0 {
				out.b.WriteByte(' ')
			}
			out.word(word)
		}
	}
	t := strings.TrimSpace(out.b.String())
	if listLike.MatchString(t) {
		return entity(rune(t[0])) + t[1:]
	}
	return t
}

// listLike is how a list, or a rule, would begin inside an item of ours.
var listLike = regexp.MustCompile(`^(-|[0-9]+[.)])`)

type words struct {
	b    strings.Builder
	cell bool
}

// word writes one word: as it is, or as code. Brackets and stops around it are not
// part of it.
func (o *words) word(w string) {
	core := strings.TrimLeft(w, `("'`)
	o.b.WriteString(w[:len(w)-len(core)])
	end := core
	core = strings.TrimRight(core, `.,:;!?)"'`)
	emoji := strings.HasPrefix(end[len(core):], ":") && strings.Contains(core, ":") // 1:100: holds one
	if core == "" || plain(core) && !emoji {
		o.b.WriteString(core)
	} else {
		o.code(core)
	}
	o.b.WriteString(end[len(core):])
}

// plain reports whether a word is nothing but a word or a number on every forge.
func plain(w string) bool {
	run := 0 // of hexadecimal digits: a forge links seven as a commit
	var last rune
	for i, r := range w {
		hex := r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
		if hex {
			run++
		} else {
			run = 0
		}
		digit := r >= '0' && r <= '9'
		switch {
		case run >= 7:
			return false
		case digit && last == '-' && i > 1: // ABC-123 is an issue to some
			return false
		case digit || r == '-' || r == '\'' || unicode.IsLetter(r) || r > unicode.MaxASCII:
		case r == '.' && last >= '0' && last <= '9':
		case r == ':' && last >= '0' && last <= '9' && i+1 < len(w) && w[i+1] >= '0' && w[i+1] <= '9': // a time
		case r == '%' && i == len(w)-1 && last >= '0' && last <= '9':
		default:
			return false
		}
		last = r
	}
	return true
}

// code writes a code span. A bar would end a cell of a table even there.
func (o *words) code(s string) {
	if s == "" {
		return
	}
	if o.cell && strings.Contains(s, "|") {
		o.b.WriteString(spelled(s))
		return
	}
	if t := o.b.String(); strings.HasSuffix(t, "`") {
		o.b.WriteByte(' ')
	}
	o.b.WriteString(code(s))
}

// code is a code span that its content cannot end.
func code(s string) string {
	s = cleanLine(s)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s)+1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// codeCell is code for the cell of a table.
func codeCell(s string, most int) string {
	o := words{cell: true}
	o.code(clip(cleanLine(s), most))
	return o.b.String()
}

// spelled is text with each sign as an entity between zero-width spaces: not as
// good to copy as code, but good in every place.
func spelled(s string) string {
	var b strings.Builder
	run := 0
	for _, r := range s {
		switch {
		case r == ' ' || r > unicode.MaxASCII:
			b.WriteRune(r)
			run = 0
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if run++; run > 6 {
				b.WriteRune('\u200b')
				run = 1
			}
			b.WriteRune(r)
		default:
			b.WriteString("\u200b" + entity(r) + "\u200b")
			run = 0
		}
	}
	return b.String()
}

func entity(r rune) string { return fmt.Sprintf("&#%d;", r) }

// summaryCode is a name inside the HTML of a summary, where Markdown means nothing.
func summaryCode(s string, most int) string {
	s = clip(cleanLine(s), most)
	return "<code>" + htmlEscaper.Replace(s) + "</code>"
}

var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "@", "@\u200b", "#", "#\u200b", "!", "!\u200b")

// longestRun is the length of the longest run of backticks.
func longestRun(s string) int {
	longest := 0
	for {
		i := strings.IndexByte(s, '`')
		if i < 0 {
			return longest
		}
		n := i
		for n < len(s) && s[n] == '`' {
			n++
		}
		longest = max(longest, n-i)
		s = s[n:]
	}
}
