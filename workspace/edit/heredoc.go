package edit

import (
	"strings"
)

// heredoc writes a text into the heredoc of another one. It has to be lines, as a heredoc's always are.
func heredoc(old, text string) (string, *refusal) {
	lb := lineBreak([]byte(old))
	head, body, ok := strings.Cut(old, "\n")
	if !ok || !strings.HasSuffix(text, "\n") || strings.Contains(text, "\r") {
		return "", refuse("the live value does not end as a heredoc does")
	}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	mark := lines[len(lines)-1]
	indent := ""
	if strings.HasPrefix(head, "<<-") {
		indent = least(lines[:len(lines)-1])
	}
	escape := strings.NewReplacer("${", "$${", "%{", "%%{")
	var b strings.Builder
	b.WriteString(head + "\n")
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.TrimSpace(line) == strings.TrimSpace(mark) {
			return "", refuse("the live value has a line that would end the heredoc")
		}
		if line != "" {
			line = indent + escape.Replace(line)
		}
		b.WriteString(line + lb)
	}
	b.WriteString(mark)
	if strings.HasSuffix(body, "\n") {
		b.WriteString("\n")
	}
	return b.String(), nil
}

// least is the white space that all lines begin with.
func least(lines []string) string {
	out, first := "", true
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		space := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if first || len(space) < len(out) {
			out, first = space, false
		}
	}
	return out
}
