package comment

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// How much of one value is shown. What was cut is named by its length and the
// beginning of its digest, so that two cut values that differ look different.
const (
	mostLines    = 200
	longestShown = 400
)

// inline is a value on one line.
func inline(s side) string {
	if s.masked() {
		return sensitive
	}
	switch v := s.v.(type) {
	case nil:
		return "null"
	case string:
		return clipText(quoted(v))
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return number64(v)
	case json.Number:
		return clipText(oneLine(v.String()))
	case map[string]any:
		return "{" + things(len(v), "attribute") + "}"
	case []any:
		return "[" + things(len(v), "item") + "]"
	}
	return clipText(oneLine(fmt.Sprint(s.v)))
}

// number64 is a number as JSON has it. Integers are shown whole.
func number64(v float64) string {
	if v == float64(int64(v)) && v < 1e15 && v > -1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func quoted(s string) string {
	if len(s) > 4*longestShown { // quoting takes time; its digest stays that of the whole
		return strconv.Quote(s[:runeCut(s, longestShown)]) + cutNote(s)
	}
	return strconv.Quote(s)
}

// oneLine is a name without anything that ends a line.
func oneLine(s string) string {
	return clipText(written(breaks.Replace(s)))
}

var breaks = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`)

// clipText shortens what is longer than a line should be.
func clipText(s string) string {
	if len(s) <= longestShown || utf8.RuneCountInString(s) <= longestShown {
		return s
	}
	return s[:runeCut(s, longestShown)] + cutNote(s)
}

func cutNote(s string) string {
	return fmt.Sprintf("… (%d characters, %s)", utf8.RuneCountInString(s), fingerprint(s))
}

func fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("sha256 %x", sum[:4])
}

// heredoc are the lines of a text that has several; nil for another string.
func heredoc(s string) []string {
	if strings.Contains(strings.TrimRight(s, "\n"), "\n") || strings.HasSuffix(s, "\n") && len(s) > 1 {
		return textLines(s)
	}
	return nil
}

// textLines are the lines of a text, each without anything that would end it early.
func textLines(s string) []string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i, l := range lines {
		if strings.ContainsFunc(l, func(r rune) bool { return dangerous(r) || r == '\r' }) {
			lines[i] = written(strings.ReplaceAll(l, "\r", `\r`))
		}
	}
	return lines
}

// longestJSON is how many bytes of a string are read as JSON.
const longestJSON = 1 << 20

// fromJSON is the object or list that a string holds as JSON. One that is empty is
// shown as the string it is.
func fromJSON(s string) (any, bool) {
	t := strings.TrimSpace(s)
	if len(t) < 3 || len(t) > longestJSON || t[0] != '{' && t[0] != '[' {
		return nil, false
	}
	d := json.NewDecoder(strings.NewReader(t))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	switch v := v.(type) {
	case map[string]any:
		return v, len(v) > 0
	case []any:
		return v, len(v) > 0
	}
	return nil, false
}
