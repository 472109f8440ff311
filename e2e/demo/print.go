package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// say tells what the demo does itself.
func (st *stage) say(format string, args ...any) {
	fmt.Fprintf(st.out, format+"\n", args...)
}

// act begins a part of the story.
func (st *stage) act(title, what string) {
	fmt.Fprintf(st.out, "\n%s\n%s\n", st.bold("── "+title+" "+strings.Repeat("─", max(3, 90-len(title)))), what)
}

// typed shows a command as a person types it.
func (st *stage) typed(words ...string) {
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\"$|;<>()*?#~`!") {
			words[i] = `"` + w + `"`
		}
	}
	fmt.Fprintf(st.out, "\n%s\n", st.bold("$ "+strings.Join(words, " ")))
}

// post shows what was printed, under a line that says what it is.
func (st *stage) post(title, text string) {
	if title != "" {
		fmt.Fprintf(st.out, "\n%s\n", title)
	}
	_, _ = io.WriteString(indented{st.out}, strings.TrimRight(text, "\n")+"\n")
}

func (st *stage) bold(s string) string {
	if os.Getenv("NO_COLOR") != "" || !term.IsTerminal(int(os.Stdout.Fd())) {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

// indented puts two spaces before each line. Lines come whole.
type indented struct{ w io.Writer }

func (i indented) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if strings.TrimSpace(line) != "" {
			line = "  " + line
		}
		if _, err := io.WriteString(i.w, line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
