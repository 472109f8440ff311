package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text of several lines safe for a terminal. Line breaks and tabs
// stay; every other control character, and what reorders or hides text, is
// written out as \x1b or \u202e.
func Clean(s string) string { return clean(s, false) }

// CleanLine is Clean for one line: breaks and tabs become spaces.
func CleanLine(s string) string { return clean(s, true) }

func clean(s string, oneLine bool) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return dangerous(r) || r == '\n' || r == '\t' }) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t':
			if oneLine {
				r = ' '
			}
			b.WriteRune(r)
		case r == '\r':
			// CRLF is a line break; a lone one would let text overwrite itself.
			if oneLine || !strings.HasPrefix(s[i+1:], "\n") {
				b.WriteByte(' ')
			}
		case r == utf8.RuneError:
			b.WriteRune('\uFFFD')
		case dangerous(r):
			b.WriteString(escaped(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func escaped(r rune) string {
	if r < 0x80 {
		return fmt.Sprintf(`\x%02x`, r)
	}
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// dangerous reports control characters (C0, DEL, C1), format characters (bidi
// overrides, zero width, tags), separators that some terminals break lines at,
// and bytes that are not UTF-8.
func dangerous(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || r == utf8.RuneError
}

// Copy writes what src holds, cleaned line by line. A line longer than 64 KiB
// is taken in pieces.
func Copy(w io.Writer, src io.Reader) error {
	buf := make([]byte, 64<<10)
	held := 0
	for {
		n, err := src.Read(buf[held:])
		n += held
		cut := n
		if err == nil {
			// Keep a character that was cut in two for the next round.
			for cut > 0 && n-cut < utf8.UTFMax && !utf8.RuneStart(buf[cut-1]) {
				cut--
			}
			if cut > 0 && !utf8.FullRune(buf[cut-1:n]) {
				cut--
			} else {
				cut = n
			}
		}
		if _, werr := io.WriteString(w, Clean(string(buf[:cut]))); werr != nil {
			return werr
		}
		held = copy(buf, buf[cut:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// JSON writes v on one line, or indented for a person, with a line break at its
// end. Characters that a terminal might act on are escaped the way JSON does it:
// the value is the same.
func JSON(w io.Writer, v any, indent bool) error {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	if indent {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	var b strings.Builder
	for _, r := range raw.String() {
		switch {
		case r < 0x7f || !dangerous(r) || r == utf8.RuneError:
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Writer cleans what is written through it, a write at a time: for logs, whose
// lines come whole.
func Writer(w io.Writer) io.Writer { return cleanWriter{w} }

type cleanWriter struct{ w io.Writer }

func (c cleanWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(c.w, Clean(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
