package drift

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// String says the finding in one line, without a secret.
func (f Finding) String() string {
	line := oneLine(f.Address) + ": " + happened(f.Class, f.Change, f.Fields)
	if f.Action != "" && f.Action != "none" && f.Action != "update" {
		line += " (" + consequence(f.Action) + ")"
	}
	if f.Message != "" {
		line += ": " + oneLine(f.Message)
	}
	return line
}

// consequence is what an apply would do, where that is more than to set attributes.
func consequence(action string) string {
	switch action {
	case "create":
		return "an apply creates it"
	case "delete":
		return "an apply deletes it"
	case "replace":
		return "an apply replaces it"
	case "forget":
		return "an apply forgets it"
	}
	return "what an apply does is not known"
}

// happened says what happened to something.
func happened(class Class, change Change, fields []Field) string {
	switch {
	case class == Undeployed:
		return "not deployed yet" + list(fields, ": ")
	case class == Churn:
		return "never settles" + list(fields, ": ")
	case class == Unhealthy || change == Broken:
		return "does not work"
	case change == Deleted:
		return "deleted"
	case change == Added:
		return "there and should not be"
	case len(fields) == 0:
		return "changed"
	}
	x := fields[0]
	said := oneLine(x.Path) + " changed"
	switch {
	case x.Unknown:
		said = oneLine(x.Path) + " would be set anew"
	case x.Secret:
		said += " (sensitive value)"
	case x.Old == nil:
		said += " to " + value(x.New)
	default:
		said += " from " + value(x.Old) + " to " + value(x.New)
	}
	return said + list(fields[1:], "; also ")
}

// list names at most three attributes.
func list(fields []Field, lead string) string {
	if len(fields) == 0 {
		return ""
	}
	var names []string
	for i, x := range fields {
		if i == 3 {
			names = append(names, fmt.Sprintf("%d more", len(fields)-i))
			break
		}
		names = append(names, oneLine(x.Path))
	}
	return lead + strings.Join(names, ", ")
}

// value is a value on one line, cut where it is long.
func value(v any) string {
	if v == nil {
		return "null"
	}
	if s, ok := v.(string); ok {
		return strconv.Quote(clip(s, longestValue))
	}
	return oneLine(clip(canonical(v), longestValue))
}

// How many characters of a value, and of a name or a message, stand in a line.
const (
	longestValue = 80
	longestName  = 300
)

// oneLine is a text without anything that ends, hides or reorders a line.
func oneLine(s string) string {
	s = clip(s, longestName)
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// clip shortens a text to n characters, the last of which then is an ellipsis.
func clip(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	for i := range s {
		if n--; n == 0 {
			return s[:i] + "…"
		}
	}
	return s
}
