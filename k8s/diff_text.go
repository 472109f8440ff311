package k8s

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// allAdded is the text of an object that is not there yet.
func allAdded(t *yamlText) string {
	if len(t.lines) == 0 {
		return ""
	}
	return "+" + strings.Join(t.lines, "\n+") + "\n"
}

// unified is the unified difference of two objects. Its sections are headed by the path of what changes first in
// them: line numbers of a text that is in no file would help nobody.
//
// Lines are compared together with their paths. That keeps a "protocol: TCP" of one port from being matched with
// another's, and makes most lines unique, which is what the anchored comparison is good at.
func unified(old, new *yamlText) string {
	raw := diff.Diff("old", old.tagged(), "new", new.tagged())
	var out strings.Builder
	lines := strings.SplitAfter(string(raw), "\n")
	for i := min(3, len(lines)); i < len(lines); i++ { // after the names of the files
		if x, y, ok := sectionStart(lines[i]); ok {
			out.WriteString("@@ " + sectionPath(lines[i+1:], old, new, x, y) + " @@\n")
			continue
		}
		if line, _, tagged := strings.Cut(lines[i], pathTag); tagged {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// pathTag stands between a line and its path. No line has it: it is not printable.
const pathTag = "\x00"

func (t *yamlText) tagged() []byte {
	var b strings.Builder
	for i, line := range t.lines {
		b.WriteString(line + pathTag + t.paths[i] + "\n")
	}
	return []byte(b.String())
}

// sectionStart reads @@ -12,7 +12,8 @@ and returns the indexes of the first lines.
func sectionStart(line string) (x, y int, ok bool) {
	fields := strings.Fields(line)
	if !strings.HasPrefix(line, "@@ -") || len(fields) != 4 {
		return 0, 0, false
	}
	at := func(s string) int {
		n, _, _ := strings.Cut(s[1:], ",")
		i, _ := strconv.Atoi(n)
		return max(i-1, 0)
	}
	return at(fields[1]), at(fields[2]), true
}

// sectionPath is where the first changed line of a section stands.
func sectionPath(lines []string, old, new *yamlText, x, y int) string {
	path := ""
	for _, line := range lines {
		if strings.HasPrefix(line, "-") && x < len(old.paths) {
			path = old.paths[x]
			break
		}
		if strings.HasPrefix(line, "+") && y < len(new.paths) {
			path = new.paths[y]
			break
		}
		x, y = x+1, y+1
	}
	return cmp.Or(path, "the object")
}
