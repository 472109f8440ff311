package terraform

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrStalePlan says that the state has moved since the plan was made: nothing was applied, plan again.
	ErrStalePlan = errors.New("saved plan is stale")
	// ErrNoSpace says that a file system is nearly full, so nothing was started.
	ErrNoSpace = errors.New("not enough free space")
	// ErrStopped says that a command was interrupted: by a person, a shutdown, or because its time was up.
	ErrStopped = errors.New("interrupted")
)

// CommandError is a Terraform command that failed. Error() starts with what happened in one line.
type CommandError struct {
	Tool    string // "terraform" or "tofu"
	Command string // "init", "plan", …
	Summary string // Terraform's last "Error: …" without the word, or how the process ended
	Detail  string // the whole last error block as plain text
	Tail    string // the end of standard error as plain text, at most 16 KiB
	Killed  bool   // it ended by a signal: nobody knows how far it came
	Err     error  // ErrStalePlan, the context's error, or how the process ended
}

func (e *CommandError) Error() string {
	text := e.Tool + " " + e.Command + ": " + e.Summary
	if e.Detail != "" {
		text += "\n" + e.Detail
	}
	return text
}

func (e *CommandError) Unwrap() error { return e.Err }

// newCommandError reads Terraform's own words out of its standard error.
func newCommandError(tool, command, stderr string, cause error) *CommandError {
	text := plainText(stderr)
	failed := &CommandError{Tool: tool, Command: command, Tail: tail(text, 16<<10), Err: cause}
	failed.Summary, failed.Detail = lastDiagnostic(text)
	if failed.Summary == "" {
		failed.Summary = fmt.Sprint(cause)
		failed.Detail = tail(strings.TrimSpace(text), 2<<10)
	}
	return failed
}

// plainText takes Terraform's box (╷ │ ╵) and colours away.
func plainText(text string) string {
	var plain strings.Builder
	for line := range strings.Lines(stripColour(text)) {
		bare := strings.TrimRight(line, "\r\n")
		switch {
		case bare == "╷" || bare == "╵":
			continue
		case strings.HasPrefix(bare, "│"):
			bare = strings.TrimPrefix(strings.TrimPrefix(bare, "│"), " ")
		}
		plain.WriteString(strings.TrimRight(bare, " ") + "\n")
	}
	return plain.String()
}

func stripColour(text string) string {
	var plain strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b[")
		plain.WriteString(before)
		if !found {
			return plain.String()
		}
		_, text, _ = strings.Cut(after, "m")
	}
}

// lastDiagnostic finds the last block that starts with "Error: " at the beginning of a line. Warnings end it.
func lastDiagnostic(plain string) (summary, detail string) {
	start := strings.LastIndex("\n"+plain, "\nError: ")
	if start < 0 {
		return "", ""
	}
	block := plain[start:]
	if end := strings.Index(block, "\nWarning: "); end >= 0 {
		block = block[:end]
	}
	summary, rest, _ := strings.Cut(block, "\n")
	rest = strings.TrimLeft(rest, "\n")
	return strings.TrimSpace(strings.TrimPrefix(summary, "Error: ")), strings.TrimRight(tail(rest, 4<<10), "\n ")
}

func tail(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	text = text[len(text)-limit:]
	if _, whole, found := strings.Cut(text, "\n"); found {
		text = whole
	}
	return "…\n" + text
}

func hasPrefix(text string, any ...string) bool {
	for _, prefix := range any {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// needsInit tells whether a failed plan asks for init: the warm .terraform no longer fits in a way the digest of init's inputs did not
// show. Terraform has no code for it, only words.
func needsInit(err error) bool {
	var failed *CommandError
	if !errors.As(err, &failed) {
		return false
	}
	for _, words := range []string{
		"Required plugins are not installed", "Backend initialization required", "Module not installed", "Inconsistent dependency lock file",
		"Please run \"terraform init\"", "please run \"terraform init\"", "Module source has changed", "Module version requirements have changed", "Initial configuration of the requested backend",
	} {
		if failed.says(words) {
			return true
		}
	}
	return false
}

// says looks for words that Terraform may have broken into lines.
func (e *CommandError) says(words string) bool {
	return strings.Contains(strings.Join(strings.Fields(e.Tail), " "), words)
}
