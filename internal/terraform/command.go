package terraform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"
)

// command has the supervisor run one verb whose output is for people.
func (s *Session) command(ctx context.Context, out io.Writer, req request) (reply, error) {
	req.Show = true
	return s.ask(ctx, out, io.Discard, req)
}

// query has the supervisor run a verb whose output is for Mooring alone.
func (s *Session) query(ctx context.Context, req request) (reply, error) {
	return s.ask(ctx, nil, io.Discard, req)
}

// ask sends a request and turns what comes back into a reply and a *CommandError.
func (s *Session) ask(ctx context.Context, out, data io.Writer, req request) (reply, error) {
	tool := s.spec.Tool.Name
	if s.closed {
		return reply{}, fmt.Errorf("%s %s: session is closed", tool, req.Verb)
	}
	if s.spec.Looks && verbs[req.Verb].durable && req.Verb != "force-unlock" {
		return reply{}, fmt.Errorf("%s %s: this session was opened to look", tool, req.Verb)
	}
	if err := ctx.Err(); err != nil {
		return reply{}, &CommandError{Tool: tool, Command: req.Verb, Summary: "not started: " + err.Error(), Err: err}
	}
	if req.Env == nil {
		req.Env = s.env(s.spec.PlanEnv)
	}
	if req.Timeout == 0 {
		req.Timeout = s.timeout(req.Verb)
	}
	req.Parallelism = s.home.opts.Parallelism
	if req.LockTimeout == 0 {
		req.LockTimeout = s.home.opts.LockTimeout
	}
	rep, err := s.super.do(ctx, req, out, data)
	if err := s.view.straighten(); err != nil {
		return rep, fmt.Errorf("%s %s: %w", tool, req.Verb, err)
	}
	for _, note := range rep.Notes {
		s.note("%s", note)
	}
	if err != nil {
		return rep, fmt.Errorf("%s %s: %w", tool, req.Verb, err)
	}
	err = commandError(ctx, tool, rep.Failure)
	var lock *StateLockError
	if errors.As(err, &lock) && s.spec.BackendType == "http" {
		s.nameHTTPHolder(context.WithoutCancel(ctx), lock)
	}
	return rep, err
}

// timeout is how long a command may take; 0 is without end.
func (s *Session) timeout(verb string) time.Duration {
	switch verb {
	case "init":
		return s.home.opts.Timeouts.Init
	case "apply":
		return s.home.opts.Timeouts.Apply
	}
	return s.home.opts.Timeouts.Plan
}

// commandError makes an error of a failure; nil of nil. ctx is that of the command, or nil when it is not known any more.
func commandError(ctx context.Context, tool string, f *failure) error {
	if f == nil {
		return nil
	}
	if f.Unknown {
		return fmt.Errorf("%s %s: %s", tool, f.Command, f.Cause)
	}
	failed := newCommandError(tool, f.Command, f.Stderr, errors.New(f.Cause))
	failed.Killed = f.Killed
	switch {
	case f.Stopped != "":
		failed.Summary = "interrupted: " + f.Stopped
		failed.Err = ErrStopped
		if ctx != nil && ctx.Err() != nil {
			failed.Err = ctx.Err()
		}
	case f.Command == "apply" && (hasPrefix(failed.Summary, "Saved plan is stale", "Saved plan does not match the given state")):
		failed.Err = ErrStalePlan
	}
	if lock := parseStateLock(f.Stderr); lock != nil {
		lock.CommandError = failed
		return lock
	}
	return failed
}

// env is the whole environment of a command: nothing of the server's own gets in. terraform-exec adds TF_IN_AUTOMATION and empties TF_LOG.
func (s *Session) env(more ...map[string]string) map[string]string {
	env := map[string]string{
		"LANG": "C.UTF-8",
		"PATH": s.home.opts.PathEnv,
	}
	if s.spec.Processors > 0 {
		env["GOMAXPROCS"] = strconv.Itoa(s.spec.Processors)
	}
	for _, extra := range slices.Concat([]map[string]string{s.spec.Env}, more) {
		maps.Copy(env, extra)
	}
	tmp := s.tmp
	if s.mode == modeNamespaces {
		tmp = "/tmp"
	}
	env["HOME"] = tmp
	if s.home.opts.PersonHome != "" {
		env["HOME"] = s.home.opts.PersonHome
	}
	env["TMPDIR"] = tmp
	env["CHECKPOINT_DISABLE"] = "1"
	env["TF_CLI_CONFIG_FILE"] = s.home.cliConfig
	return env
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
