package comment

import (
	"regexp"
	"strings"
)

// Between is what differs between two texts that Diff made, as a unified difference
// whose sections are headed by the resource they are in: lines that begin with "- "
// were only in the first, with "+ " are only in the second. "" when they are the
// same.
func Between(was, is string) string {
	if was == is {
		return ""
	}
	before := lineEnd(was)
	old := strings.Split(before, "\n")
	lines := unified(before, lineEnd(is))
	var b strings.Builder
	for i, l := range lines {
		if !l.section {
			b.WriteString(strings.TrimRight(l.mark+" "+l.text, " ") + "\n")
			continue
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("@@ " + subject(old, lines[i+1:], l.at) + " @@\n")
	}
	return b.String()
}

func lineEnd(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

var heading = regexp.MustCompile(`^[-+! ] # ([^(].*?)(?: (?:will|must|has|is) .*)?$`)

// subject is the resource that a section is about: the nearest heading above its
// first difference, in the section or before it.
func subject(old []string, section []diffLine, at int) string {
	found := ""
	for _, l := range section {
		if l.section {
			break
		}
		if m := heading.FindStringSubmatch(l.text); m != nil {
			found = m[1]
		}
		if l.mark != " " {
			break
		}
	}
	for i := min(at, len(old)) - 1; i >= 0 && found == ""; i-- {
		if m := heading.FindStringSubmatch(old[i]); m != nil {
			found = m[1]
		}
	}
	if found == "" {
		return "the plan"
	}
	return found
}
