package comment

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes text of several lines harmless. Line breaks and tabs stay; every
// other control character, and what reorders or hides text, is written out as
// \x1b or \u202e. A comment of HTML cannot begin in what is left, so that no text
// of others can hold a marker.
func clean(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return dangerous(r) || r == '\r' }) {
		s = written(s)
	}
	return strings.ReplaceAll(s, "<!--", "<!\u200b--")
}

// cleanLine is clean for one line: any white space is a single space.
func cleanLine(s string) string {
	s = strings.ReplaceAll(s, "\r", "\n")
	return clean(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }), " "))
}

func written(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch {
		case r == '\r':
			// CRLF is a line break; a lone one would be taken for one by Markdown.
			if !strings.HasPrefix(s[i+1:], "\n") {
				b.WriteByte(' ')
			}
		case r == utf8.RuneError:
			b.WriteRune('\uFFFD')
		case !dangerous(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// dangerous reports control characters (C0, DEL, C1), format characters (bidi
// overrides, zero width, tags), separators, private use and bytes that are not
// UTF-8. Spaces that are no ASCII space hide where words end.
func dangerous(r rune) bool {
	if r < 0x7f {
		return r < ' ' && r != '\n' && r != '\t' && r != '\r'
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Co) || r == utf8.RuneError
}

// clip shortens s to n characters, the last of which then is an ellipsis.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n--; n == 0 {
			if rest := s[i:]; utf8.RuneCountInString(rest) > 1 {
				return s[:i] + "…"
			}
			return s
		}
	}
	return s
}

// runeCut is the largest cut ≤ n that splits no character of s.
func runeCut(s string, n int) int {
	if n >= len(s) {
		return len(s)
	}
	n = max(n, 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
