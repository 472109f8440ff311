package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// longEnough is the length in bytes from which hex, and a part of a secret, are
	// hidden: shorter ones stand in other text by chance.
	longEnough = 8
	// window bounds a form, and with it what a Writer holds back: of a longer secret,
	// windows of this many bytes are hidden, each with the last bytes of the one before.
	window = 4095 // in threes, for base64
	// overlap must be as much as the edge of a window may lose, see middles.
	overlap = 15
	// long is the length in bytes from which a secret is not thought to be in a URL.
	long = 512
	// huge is the length in bytes from which a secret is hidden in the commonest forms
	// alone, and budget the length of all together from which the longest are: a matcher
	// for all forms takes up to 300 times the memory of the secret.
	huge, budget = 64 << 10, 256 << 10
)

// formsOf is how text may have a secret, in all forms or in the commonest alone; see the
// package documentation.
func formsOf(secret string, all bool) []string {
	s := strings.TrimSpace(secret)
	if len(s) < shortest {
		return nil
	}
	forms := encodings(s, all)
	if all {
		// With its space, which decides how base64 ends.
		forms = append(forms, windows(secret, base64s)...)
	}
	if strings.Contains(s, "\r\n") {
		forms = append(forms, encodings(strings.ReplaceAll(s, "\r\n", "\n"), false)...)
	}
	for _, line := range lines(s) {
		forms = append(forms, characters(line, quotes(all))...)
	}
	for _, leaf := range embedded(s) {
		if leaf = strings.TrimSpace(leaf); len(leaf) >= longEnough {
			forms = append(forms, encodings(leaf, all)...)
		}
	}
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), func(f string) bool {
		return len(strings.TrimSpace(f)) < shortest
	})
}

// encodings is s in all encodings, or in the commonest.
func encodings(s string, all bool) []string {
	forms := characters(s, quotes(all))
	if !all {
		// Windows begin in threes, so that one of three is enough.
		return append(forms, windows(s, func(w string) []string { return middles(w)[:1] })...)
	}
	inner := quoted(s)[:3] // as it is, and in JSON: what is put into base64
	slices.Sort(inner)
	for _, in := range slices.Compact(inner) {
		forms = append(forms, windows(in, middles)...)
	}
	forms = append(forms, windows(s, base64s)...)
	forms = append(forms, characters(s, escaped)...)
	if len(s) >= longEnough {
		forms = append(forms, windows(s, hexes)...)
	}
	return forms
}

// windows encodes the windows of s, which begin in threes.
func windows(s string, encode func(string) []string) []string {
	if len(s) <= window+overlap {
		return encode(s)
	}
	var forms []string
	for from := 0; from < len(s); from += window {
		forms = append(forms, encode(s[max(0, from-overlap):min(len(s), from+window)])...)
	}
	return forms
}

// characters encodes the windows of s without the characters that are cut in two.
func characters(s string, encode func(string) []string) []string {
	if len(s) <= window+overlap {
		return encode(s)
	}
	return windows(s, func(w string) []string {
		for range utf8.UTFMax - 1 {
			if w != "" && !utf8.RuneStart(w[0]) {
				w = w[1:]
			}
		}
		for range utf8.UTFMax - 1 {
			if r, size := utf8.DecodeLastRuneInString(w); r == utf8.RuneError && size == 1 {
				w = w[:len(w)-1]
			}
		}
		return encode(w)
	})
}

func quotes(all bool) func(string) []string {
	if all {
		return quoted
	}
	return func(s string) []string { return []string{s, inJSON(s, false), inJSON(s, true)} }
}

// quoted is s as it is and in quotes, without them: JSON with < as it is and as Go and
// Terraform write it, JSON in JSON, ASCII only, HCL, Go's %q, a shell's. The first three
// are what is often found in base64.
func quoted(s string) []string {
	open, closed := inJSON(s, false), inJSON(s, true)
	hcl := strings.NewReplacer("${", "$${", "%{", "%%{").Replace(open)
	unquoted := strconv.Quote(s)
	unquoted = unquoted[1 : len(unquoted)-1]
	return []string{
		s, open, closed,
		inJSON(open, false), inJSON(closed, true),
		ascii(open), ascii(closed), inJSON(ascii(open), false),
		hcl, unquoted, strings.ReplaceAll(s, "'", `'\''`),
	}
}

func inJSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(s) // a string is always encoded
	return strings.TrimSuffix(b.String()[1:], "\"\n")
}

// ascii is JSON with characters beyond ASCII as \u00e9, as Python writes it.
func ascii(s string) string {
	var b []byte
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r > 0xffff:
			r -= 0x10000
			b = appendHex(appendHex(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			b = appendHex(b, r)
		}
	}
	return string(b)
}

func appendHex(b []byte, r rune) []byte {
	return append(b, `\u`+strconv.FormatInt(0x10000+int64(r), 16)[1:]...)
}

// escaped is s in the parts of a URL. Long ones, which hardly ever stand in one, in fewer.
func escaped(s string) []string {
	query := url.QueryEscape(s)
	forms := []string{query, url.PathEscape(s)}
	if len(s) < long {
		forms = append(forms,
			strings.ReplaceAll(query, "+", "%20"),
			browser.Replace(query),
			(&url.URL{Path: s}).EscapedPath(),
			url.User(s).String(),
		)
	}
	for _, f := range forms {
		forms = append(forms, percent.ReplaceAllStringFunc(f, strings.ToLower))
	}
	return forms
}

// browser makes of QueryEscape what encodeURIComponent writes.
var browser = strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func hexes(s string) []string {
	h := hex.EncodeToString([]byte(s))
	return []string{h, strings.ToUpper(h)}
}

// base64s is s in base64, in lines too as programs break them. Of the two alphabets one
// is enough, see fold.
func base64s(s string) []string {
	std := base64.StdEncoding.EncodeToString([]byte(s))
	forms := []string{std, strings.TrimRight(std, "=")}
	for _, width := range []int{64, 76} {
		for line := range slices.Chunk([]byte(std), width) {
			if len(std) > width && len(line) >= longEnough {
				forms = append(forms, string(line))
			}
		}
	}
	return forms
}

// middles is what the base64 of any text has of s in it: where s begins in a group of
// three bytes decides between three, from each of which up to one character is left at
// either end, which also depends on what stands beside s. The first is for texts that
// begin with s.
func middles(s string) []string {
	var forms []string
	for before := range 3 {
		all := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), s...))
		from, to := (8*before+5)/6, 8*(before+len(s))/6
		forms = append(forms, all[from:to])
	}
	return forms
}

// armour is a line that all secrets of a kind have.
var armour = regexp.MustCompile(`^-----(BEGIN|END) [A-Z0-9 ]+-----$`)

// lines is the lines of a secret of several that tell something.
func lines(s string) []string {
	if !strings.Contains(s, "\n") {
		return nil
	}
	var out []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); len(line) >= longEnough && !armour.MatchString(line) {
			out = append(out, line)
		}
	}
	return out
}
