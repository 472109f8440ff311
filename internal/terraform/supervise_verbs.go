package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// verb is one Terraform command as the supervisor runs it.
type verb struct {
	name string // as a person would type it
	// durable commands change something outside: they go on when the runner is gone, and their result is written down.
	durable bool
	run     func(s *supervisor, ctx context.Context, req request, rep *reply) error
	// anyVersion: terraform-exec does not ask for the tool's version before it, as it does before the others.
	anyVersion bool
}

var verbs = map[string]verb{
	"init":             {name: "init", run: (*supervisor).init},
	"workspace select": {name: "workspace select", run: (*supervisor).workspaceSelect},
	"workspace list":   {name: "workspace list", run: (*supervisor).workspaceList},
	"workspace new":    {name: "workspace new", run: (*supervisor).workspaceNew},
	"plan":             {name: "plan", run: (*supervisor).plan, anyVersion: true},
	"show":             {name: "show", run: (*supervisor).show},
	"apply":            {name: "apply", run: (*supervisor).apply, durable: true},
	"state pull":       {name: "state pull", run: (*supervisor).statePull},
	"state push":       {name: "state push", run: (*supervisor).statePush, durable: true},
	"output":           {name: "output", run: (*supervisor).outputs},
	"force-unlock":     {name: "force-unlock", run: (*supervisor).forceUnlock, durable: true},
}

// run runs one command of terraform-exec and says what came of it. Both streams go to the output file where the command is for people;
// what a query prints may hold secrets and goes nowhere.
func (s *supervisor) run(ctx context.Context, v verb, req request) (rep reply) {
	if err := s.learnVersion(v); err != nil {
		return s.plain(err)
	}
	if err := s.tf.SetEnv(req.Env); err != nil {
		return s.plain(err)
	}
	seen := &tailBuffer{limit: 64 << 10}
	var shown io.Writer = io.Discard
	if req.Show {
		shown = s.output
	}
	s.tf.SetStdout(shown)
	dump := &dumpFilter{out: io.MultiWriter(seen, shown)}
	s.tf.SetStderr(dump)
	command := s.reap.begin()
	defer s.atLast(ctx, command)()
	err := v.run(s, ctx, req, &rep)
	if left := outside(s.reap.end); left > 0 { // Landlock hides /proc from this thread
		rep.Notes = append(rep.Notes, fmt.Sprintf("%s %s left %s behind; ended", s.set.Tool, v.name, plural(left, "process", "processes")))
	}
	dump.flush()
	s.output.Flush()
	if err != nil {
		rep.Failure = s.failure(ctx, v, err, seen.String())
	}
	if v.durable {
		s.dropBallast()
		s.keepUnstored(&rep, dump.state)
	}
	return rep
}

// learnVersion has terraform-exec ask for the version, which it remembers: its answer would be in the command's output else.
func (s *supervisor) learnVersion(before verb) error {
	if before.anyVersion {
		return nil
	}
	if err := s.tf.SetEnv(map[string]string{"PATH": "/usr/bin:/bin"}); err != nil {
		return err
	}
	s.tf.SetStdout(io.Discard)
	s.tf.SetStderr(io.Discard)
	_, _, err := s.tf.Version(context.Background(), false)
	return err
}

func (s *supervisor) failure(ctx context.Context, v verb, err error, stderr string) *failure {
	f := &failure{Command: v.name, Stderr: stderr, Cause: firstLine(err.Error())}
	if ctx.Err() != nil {
		// terraform-exec's own error may hold nil inside and must not be printed. A command that ended well before the interrupt reached
		// it is reported as interrupted too: what it did shows in the state.
		f.Stopped = context.Cause(ctx).Error()
		f.Cause = f.Stopped
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		f.Killed = ok && status.Signaled()
	}
	return f
}

// keepUnstored seals the state that Terraform could not store in its backend: errored.tfstate in the root module, else what it printed in
// its despair. It stays in the run directory until the runner takes it home.
func (s *supervisor) keepUnstored(rep *reply, printed []byte) {
	errored := filepath.Join(s.set.Dir, erroredState)
	data, err := readRegular(errored) // confined: whatever leads there now, it is what the run itself could read
	found := err == nil
	if errors.Is(err, errNotRegular) {
		err = fs.ErrNotExist // not Terraform's
	}
	switch {
	case printed != nil: // what is in the file, if there is one, could not be written whole
		data, err = printed, nil
	case errors.Is(err, fs.ErrNotExist):
		return
	}
	if err == nil {
		err = s.insist(func() error { return s.sealFile(unstoredName, bytes.NewReader(data)) })
	}
	if err == nil && found {
		err = os.Remove(errored)
	}
	if err != nil {
		rep.Notes = append(rep.Notes, fmt.Sprintf("the state of this run could not be stored, neither by Terraform nor by Mooring (%v): resources it made may be unknown to the state", err))
	}
	rep.Unstored = true
}

func (s *supervisor) init(ctx context.Context, req request, _ *reply) error {
	var opts []tfexec.InitOption
	for _, arg := range req.BackendArgs {
		opts = append(opts, tfexec.BackendConfig(arg))
	}
	return s.tf.Init(ctx, opts...)
}

func (s *supervisor) workspaceSelect(ctx context.Context, req request, _ *reply) error {
	return s.tf.WorkspaceSelect(ctx, req.Name)
}

func (s *supervisor) workspaceList(ctx context.Context, _ request, rep *reply) (err error) {
	rep.Names, _, err = s.tf.WorkspaceList(ctx)
	return err
}

func (s *supervisor) workspaceNew(ctx context.Context, req request, _ *reply) error {
	return s.tf.WorkspaceNew(ctx, req.Name)
}

// plan makes the saved plan Name in the private directory. Terraform keeps the mode of a file that exists.
func (s *supervisor) plan(ctx context.Context, req request, rep *reply) (err error) {
	file := s.private(req.Name)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	if rep.Changes, err = s.tf.Plan(ctx, planOptions(file, req)...); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	if rep.Digest, err = fileDigest(file); err != nil {
		return err
	}
	if info, err := readPlanState(file); err == nil {
		rep.State = &info
		return nil
	}
	// OpenTofu can encrypt its plans: ask for the state instead.
	s.tf.SetStdout(io.Discard)
	return s.statePull(ctx, req, rep)
}

// planOptions are the arguments of plan beside those terraform-exec always gives (-input=false, -no-color, -detailed-exitcode).
func planOptions(file string, req request) []tfexec.PlanOption {
	options := []tfexec.PlanOption{
		tfexec.Out(file), tfexec.LockTimeout(req.LockTimeout.String()), tfexec.Parallelism(req.Parallelism),
	}
	for _, name := range req.VarFiles {
		options = append(options, tfexec.VarFile(name))
	}
	if req.Destroy {
		options = append(options, tfexec.Destroy(true))
	}
	return options
}

// show hands the plan's JSON to the runner as it is.
func (s *supervisor) show(ctx context.Context, req request, _ *reply) error {
	s.tf.SetStdout(&dataWriter{s.frames})
	_, err := s.tf.ShowPlanFile(ctx, s.private(req.Name), tfexec.JSONNumber(true))
	return err
}

// dataWriter cuts what is written into frames.
type dataWriter struct{ frames *frameWriter }

func (w *dataWriter) Write(data []byte) (int, error) {
	const piece = 1 << 20
	for rest := data; len(rest) > 0; rest = rest[min(len(rest), piece):] {
		if err := writeFrame(w.frames, frameData, rest[:min(len(rest), piece)]); err != nil {
			return len(data), nil // the runner is gone, and terraform-exec must go on reading
		}
	}
	return len(data), nil
}

// apply carries out exactly the saved plan Name, and removes it whatever came of it: a plan is used once.
func (s *supervisor) apply(ctx context.Context, req request, rep *reply) error {
	file := s.private(req.Name)
	// An empty path, or a file that is no plan, would have Terraform plan and apply whatever it finds.
	digest, err := fileDigest(file)
	if err != nil {
		return err
	}
	if digest != req.Digest {
		return fmt.Errorf("the plan has digest %.12s, and %.12s may be applied", digest, req.Digest)
	}
	err = s.tf.Apply(ctx, tfexec.DirOrPlan(file), tfexec.LockTimeout(req.LockTimeout.String()), tfexec.Parallelism(req.Parallelism))
	if errRemove := os.Remove(file); errRemove != nil {
		rep.Notes = append(rep.Notes, fmt.Sprintf("the used plan file could not be removed: %v", errRemove))
	}
	if err != nil {
		return err
	}
	return s.after(ctx, req, rep)
}

// after tells what state an apply left, with as few processes as will do: from the file where it is a local one, else the outputs alone
// and only where somebody wants them.
func (s *supervisor) after(ctx context.Context, req request, rep *reply) error {
	if info, ok := readStateFile(s.set.StateFile); ok {
		rep.State = &info
		return nil
	}
	if !req.Outputs {
		return nil
	}
	s.tf.SetStdout(io.Discard)
	if err := s.outputs(ctx, req, rep); err != nil {
		rep.Notes = append(rep.Notes, "applied, but the outputs could not be read: "+firstLine(err.Error()))
	}
	return nil
}

func (s *supervisor) statePull(ctx context.Context, _ request, rep *reply) error {
	text, err := s.tf.StatePull(ctx)
	if err != nil {
		return err
	}
	info, err := readState(strings.NewReader(text))
	if err != nil {
		return err
	}
	rep.State = &info
	return nil
}

func (s *supervisor) statePush(ctx context.Context, req request, _ *reply) error {
	file := s.private(req.Name)
	err := s.tf.StatePush(ctx, file, tfexec.Lock(true), tfexec.LockTimeout(req.LockTimeout.String()))
	return errors.Join(err, os.Remove(file))
}

func (s *supervisor) outputs(ctx context.Context, _ request, rep *reply) error {
	read, err := s.tf.Output(ctx)
	if err != nil {
		return err
	}
	rep.State = &StateInfo{Outputs: map[string]Output{}}
	for name, output := range read {
		rep.State.Outputs[name] = Output{JSON: output.Value, Type: json.RawMessage(output.Type), Sensitive: output.Sensitive}
	}
	return nil
}

func (s *supervisor) forceUnlock(ctx context.Context, req request, _ *reply) error {
	return s.tf.ForceUnlock(ctx, req.Name)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
