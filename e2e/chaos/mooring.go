package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
)

// limit of one command: a hang is a miss, not a hang of the bench.
const limit = 3 * time.Minute

// environ is what a Mooring of this world sees.
func (w *world) environ() []string {
	return append([]string{
		"PATH=" + strings.Join(append([]string{filepath.Dir(w.terraform)}, programs()...), string(os.PathListSeparator)),
		"HOME=" + filepath.Join(w.dir, "home"), "TF_CLI_CONFIG_FILE=" + os.DevNull, "CHECKPOINT_DISABLE=1", "LANG=C.UTF-8",
		"CHAOS_WORLD=" + w.id, "CHAOS_JOURNAL=" + w.journal,
	}, w.env...)
}

// programs are the directories of PATH, but for those in a home: a sandbox shows what is on
// PATH, and what the person who plays this keeps in their home is none of the attempts'.
func programs() []string {
	return slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		home, err := os.UserHomeDir()
		return strings.HasPrefix(dir, "/root/") || strings.HasPrefix(dir, "/home/") || err == nil && strings.HasPrefix(dir, home+"/")
	})
}

// command makes a mooring command of this world, not started.
func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	argv := append(slices.Clone(w.wrap), append([]string{w.mooring}, args...)...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = append(w.environ(), "MOORING_CONFIG="+w.config), w.dir
	cmd.WaitDelay = 5 * time.Second // a supervisor may hold its output; nobody waits for that
	return cmd
}

// result of a command.
type result struct {
	code   int // -1 when a signal ended it
	stdout string
	stderr string
	took   time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("exit %d after %s\n%s%s", r.code, r.took.Round(time.Millisecond), clip(r.stdout), clip(r.stderr))
}

func clip(s string) string {
	if len(s) > 3000 {
		return s[:1500] + "\n…\n" + s[len(s)-1500:]
	}
	return s
}

// run runs a mooring command to its end.
func (w *world) run(args ...string) result {
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	defer cancel()
	cmd := w.command(ctx, args...)
	return w.finish(ctx, cmd)
}

func (w *world) finish(ctx context.Context, cmd *exec.Cmd) result {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	r := result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), took: time.Since(began)}
	w.logf("%s\n%s", strings.Join(cmd.Args, " "), r)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil && w.ctx.Err() == nil:
		w.failf("%s did not end within %s", strings.Join(cmd.Args, " "), limit)
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		w.failf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return r
}

// logf keeps what was done in the world's own log.
func (w *world) logf(format string, args ...any) {
	f, err := os.OpenFile(filepath.Join(w.dir, "commands.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	w.must(err, "keep the log")
	defer f.Close()
	fmt.Fprintf(f, time.Now().Format("15:04:05.000 ")+format+"\n", args...) // only helps to understand a miss
}

// decode reads the JSON that a command printed.
func decode[T any](w *world, r result) T {
	var v T
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		w.failf("what was printed is not JSON (%w): %s", err, r)
	}
	return v
}

// sync takes one pass and returns the runs it printed, and its exit code.
func (w *world) sync() ([]runner.Run, int) {
	r := w.run("sync", "-q", "-o", "json")
	return decode[struct{ Runs []runner.Run }](w, r).Runs, r.code
}

// history returns the newest runs.
func (w *world) history() []runner.Run {
	return decode[struct{ Runs []runner.Run }](w, w.run("runs", "--limit", "50", "-o", "json")).Runs
}

func (w *world) locks() []locks.Lock {
	return decode[struct{ Locks []locks.Lock }](w, w.run("locks", "-o", "json")).Locks
}

// waiting names the units of a run that wait for a person, with why.
func waiting(run runner.Run) (units []string, why string) {
	for _, u := range run.Units {
		if u.Status == runner.Held || u.Status == runner.Interrupted {
			units = append(units, u.ID)
			why += fmt.Sprintf("%s is %s: %s%s; ", u.ID, u.Status, u.Reason, u.Error)
		}
	}
	return units, why
}
