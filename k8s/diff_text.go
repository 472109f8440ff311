package k8s

import (
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
func unified(old, new *yamlText) string {
	raw := diff.Diff("old", joinLines(old.lines), "new", joinLines(new.lines))
	var out strings.Builder
	lines := strings.SplitAfter(string(raw), "\n")
	for i := min(3, len(lines)); i < len(lines); i++ { // after the names of the files
		line := lines[i]
		if x, y, ok := sectionStart(line); ok {
			out.WriteString(strings.Join(strings.Fields("@@ "+sectionPath(lines[i+1:], old, new, x, y)+" @@"), " ") + "\n")
			continue
		}
		out.WriteString(line)
	}
	return out.String()
}

func joinLines(lines []string) []byte {
	return []byte(strings.Join(lines, "\n") + "\n")
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
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "-") && x < len(old.paths):
			return old.paths[x]
		case strings.HasPrefix(line, "+") && y < len(new.paths):
			return new.paths[y]
		}
		x, y = x+1, y+1
	}
	return ""
}
