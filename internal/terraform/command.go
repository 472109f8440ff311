package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
)

// command runs one verb of terraform-exec with the environment and the writers it gets, and turns its error into a *CommandError.
// Both streams go to out, unless what a command prints is data that may hold secrets: see query.
func (s *Session) command(ctx context.Context, name string, out io.Writer, env map[string]string, run func(context.Context) error) error {
	return s.runCommand(ctx, name, out, false, env, run)
}

// query runs a command whose output is for Mooring alone.
func (s *Session) query(ctx context.Context, name string, run func(context.Context) error) error {
	return s.runCommand(ctx, name, nil, true, s.env(nil), run)
}

func (s *Session) runCommand(ctx context.Context, name string, out io.Writer, quiet bool, env map[string]string, run func(context.Context) error) error {
	if s.closed {
		return fmt.Errorf("%s %s: session is closed", s.spec.Tool.Name, name)
	}
	if err := ctx.Err(); err != nil {
		return &CommandError{Tool: s.spec.Tool.Name, Command: name, Summary: "not started: " + err.Error(), Err: err}
	}
	if err := s.tf.SetEnv(env); err != nil {
		return fmt.Errorf("%s %s: %w", s.spec.Tool.Name, name, err)
	}
	seen := &tailBuffer{limit: 64 << 10}
	shown := &output{out: io.Discard}
	if out != nil {
		shown.out = out
	}
	s.tf.SetStdout(io.Discard)
	if !quiet {
		s.tf.SetStdout(shown)
	}
	dump := &dumpFilter{out: io.MultiWriter(seen, shown)}
	s.tf.SetStderr(dump)
	err := run(ctx)
	dump.flush()
	if shown.err != nil {
		s.note("the output of %s %s is not complete: %v", s.spec.Tool.Name, name, shown.err)
	}
	if dump.state != nil {
		if errKeep := s.keepUnstored(dump.state); errKeep != nil {
			s.note("the state of this run could not be stored, neither by Terraform nor by Mooring (%v): resources it made may be unknown to the state", errKeep)
		}
	}
	switch {
	case ctx.Err() != nil:
		// terraform-exec's own error may hold nil inside and must not be printed. A command that ended well before the interrupt reached
		// it is reported as interrupted too: what it did shows in the state.
		failed := newCommandError(s.spec.Tool.Name, name, seen.String(), ctx.Err())
		failed.Summary = "interrupted: " + context.Cause(ctx).Error()
		return failed
	case err != nil:
		return newCommandError(s.spec.Tool.Name, name, seen.String(), errors.New(firstLine(err.Error())))
	}
	return nil
}

func firstLine(text string) string {
	for i, r := range text {
		if r == '\n' {
			return text[:i]
		}
	}
	return text
}

// env is the whole environment of a command: nothing of the server's own gets in. terraform-exec adds TF_IN_AUTOMATION and empties TF_LOG.
func (s *Session) env(extra map[string]string) map[string]string {
	env := map[string]string{
		"LANG": "C.UTF-8",
		"PATH": s.home.opts.PathEnv,
	}
	maps.Copy(env, s.spec.Env)
	maps.Copy(env, extra)
	env["HOME"] = s.tmp
	if s.home.opts.PersonHome != "" {
		env["HOME"] = s.home.opts.PersonHome
	}
	env["TMPDIR"] = s.tmp
	env["CHECKPOINT_DISABLE"] = "1"
	env["TF_CLI_CONFIG_FILE"] = s.home.cliConfig
	return env
}

// output writes both streams of a command to where a person or a log reads, one line at a time. It never fails: terraform-exec would stop
// reading the pipe, and Terraform, blocked on it, would stand still with the state lock held.
type output struct {
	mu  sync.Mutex
	out io.Writer
	err error // the first; nothing is written after it
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		_, o.err = o.out.Write(data)
	}
	return len(data), nil
}

// tailBuffer keeps the end of what is written, between one and two times limit bytes of it.
type tailBuffer struct {
	limit int
	data  []byte
}

func (b *tailBuffer) Write(data []byte) (int, error) {
	b.data = append(b.data, data...)
	if len(b.data) > 2*b.limit {
		b.data = append(b.data[:0], b.data[len(b.data)-b.limit:]...)
	}
	return len(data), nil
}

func (b *tailBuffer) String() string { return string(b.data) }
