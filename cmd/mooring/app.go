package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/mooring-iac/mooring/cmd/mooring/report"
	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/workspace"
)

// app is one run of the command line: where it writes, what it sees, and the
// flags that every command has.
type app struct {
	stdout, stderr io.Writer
	env            serverconfig.Lookup
	environ        []string
	now            func() time.Time

	hide redact.Redactor // secrets of the server's configuration, once it is read

	config  string // -c
	format  string // -o
	noColor bool
	quiet   bool
	verbose bool
}

// exitError ends the program with a code. Without an error the code says it all.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// errShown is wrapped by an error of which everything has been printed already. Its
// text is for those who read JSON.
var errShown = errors.New("the server's configuration cannot be used")

// run runs one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	code := 1
	if cmd.Name() == "validate" {
		code = 2 // its whole answer is "invalid"
	}
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	a.explain(err)
	return code
}

// explain prints an error for a person.
func (a *app) explain(err error) {
	if errors.Is(err, errShown) {
		return
	}
	s := a.style(a.stderr)
	// Nothing is left to be done about a standard error that cannot be written.
	var broken *workspace.ConfigError
	if errors.As(err, &broken) {
		_ = report.Diagnostics(a.err(), broken.Diags, broken.Files, s)
		return
	}
	_ = report.Error(a.err(), err, s)
}

// style is how to write to w: with colours when it is a terminal that wants them.
func (a *app) style(w io.Writer) report.Style {
	width, ok := terminal(w)
	if !ok {
		return report.Style{}
	}
	s := report.Style{Symbols: true, Color: !a.noColor, Width: width}
	if v, set := a.env("NO_COLOR"); set && v != "" {
		s.Color = false
	}
	if v, _ := a.env("TERM"); v == "dumb" {
		s.Color, s.Symbols = false, false
	}
	return s
}

// terminal returns the width of the terminal that w is.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

// print writes an answer: JSON when that was asked for, else what text writes.
func (a *app) print(value any, text func(io.Writer, report.Style) error) error {
	if a.format == "json" {
		_, tty := terminal(a.stdout)
		return report.JSON(a.out(), value, tty)
	}
	return text(a.out(), a.style(a.stdout))
}

// note says something beside the answer.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		// A standard error that cannot be written loses a note and no more.
		_, _ = fmt.Fprintln(a.err(), report.CleanLine(fmt.Sprintf(format, args...)))
	}
}

// self is how to call this program again for the same server.
func (a *app) self() string {
	if a.config == "" {
		return "mooring"
	}
	return "mooring -c " + report.ShellWord(a.config)
}

// user is who decides: the name of the person behind sudo, else of the user.
func (a *app) user() string {
	if v, ok := a.env("SUDO_USER"); ok && strings.TrimSpace(v) != "" {
		return v
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
