package report

import (
	"fmt"
	"io"
	"strings"
)

// Error prints why a command failed. Errors that were joined are a line each.
func Error(w io.Writer, err error, s Style) error {
	lines := strings.Split(strings.TrimRight(Clean(Unbox(err.Error())), "\n"), "\n")
	var b strings.Builder
	for i, l := range lines {
		head := s.paint(red, "Error: ")
		if i > 0 {
			head = "  "
		}
		for j, part := range wrap(l, s.Width-7) {
			if j > 0 {
				head = "  "
			}
			fmt.Fprintln(&b, strings.TrimRight(head+part, " "))
		}
	}
	_, werr := io.WriteString(w, b.String())
	return werr
}

// Decision says what becomes of a decision that was recorded.
func Decision(w io.Writer, approved bool, by string, serving bool, commands string, s Style) error {
	text := "Discarded by " + CleanLine(by) + ": it will not be done."
	switch {
	case approved && serving:
		text = "Approved by " + CleanLine(by) + ": the running server carries it out now. See " + commands + " runs."
	case approved:
		text = "Approved by " + CleanLine(by) + ": the next " + commands + " sync carries it out."
	}
	_, err := fmt.Fprintln(w, "\n"+s.paint(green, text))
	return err
}
