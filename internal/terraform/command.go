package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"sync"
)

// command runs one verb of terraform-exec with the environment and the writers it gets, and turns its error into a *CommandError.
// stdout is nil for commands whose standard output is data that may hold secrets.
func (s *Session) command(ctx context.Context, name string, stdout, stderr io.Writer, env map[string]string, run func(context.Context) error) error {
	if s.closed {
		return fmt.Errorf("%s %s: session is closed", s.spec.Tool.Name, name)
	}
	if err := ctx.Err(); err != nil {
		return &CommandError{Tool: s.spec.Tool.Name, Command: name, Summary: "not started: " + err.Error(), Err: err}
	}
	if err := s.tf.SetEnv(env); err != nil {
		return fmt.Errorf("%s %s: %w", s.spec.Tool.Name, name, err)
	}
	var mu sync.Mutex // out gets both streams
	seen := &tailBuffer{limit: 64 << 10}
	s.tf.SetStdout(io.Discard)
	if stdout != nil {
		s.tf.SetStdout(&lockedWriter{mu: &mu, out: stdout})
	}
	dump := &dumpFilter{out: &lockedWriter{mu: &mu, out: io.MultiWriter(seen, orDiscard(stderr))}}
	s.tf.SetStderr(dump)
	err := run(ctx)
	if errFlush := dump.flush(); errFlush != nil && err == nil {
		err = errFlush
	}
	if dump.state != nil {
		s.keepDumped(dump.state)
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

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// env is the whole environment of a command: nothing of the server's own gets in. terraform-exec adds TF_IN_AUTOMATION and empties TF_LOG.
func (s *Session) env(extra map[string]string) map[string]string {
	env := map[string]string{
		"LANG": "C.UTF-8",
		"PATH": s.home.opts.PathEnv,
	}
	maps.Copy(env, s.spec.Env)
	maps.Copy(env, extra)
	env["HOME"] = filepath.Join(s.run, "home")
	env["TMPDIR"] = s.tmp
	env["CHECKPOINT_DISABLE"] = "1"
	env["TF_CLI_CONFIG_FILE"] = s.home.cliConfig
	return env
}

type lockedWriter struct {
	mu  *sync.Mutex
	out io.Writer
}

func (w *lockedWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(data)
}

// tailBuffer keeps the end of what is written.
type tailBuffer struct {
	limit int
	data  []byte
	cut   bool
}

func (b *tailBuffer) Write(data []byte) (int, error) {
	b.data = append(b.data, data...)
	if len(b.data) > 2*b.limit {
		b.data = append(b.data[:0], b.data[len(b.data)-b.limit:]...)
		b.cut = true
	}
	return len(data), nil
}

func (b *tailBuffer) String() string { return string(b.data) }
