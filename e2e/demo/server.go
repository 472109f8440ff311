package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mooring-iac/mooring/runner"
)

const (
	startTimeout = 30 * time.Second
	runTimeout   = 5 * time.Minute // also the time in which Terraform may be installed
	stopTimeout  = 2 * time.Minute
)

// server is `mooring serve` as a child process.
type server struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
	err   error         // of the process; read after ended

	stopped bool // stopServer was called
}

// startServer starts `mooring serve` and waits until it says that it serves.
func (st *stage) startServer() {
	st.typed("mooring", "serve", "-c", "server.hcl", "&")
	logFile, err := os.OpenFile(st.logPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	st.must(err, "open the server's log")
	r, w, err := os.Pipe()
	st.must(err, "make a pipe")
	cmd := exec.Command(st.mooring, "serve", "-c", st.config)
	cmd.Env, cmd.Dir, cmd.Stderr, cmd.SysProcAttr = st.environment(), st.dir, w, childOf()
	s := &server{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go s.live(started)
	err = <-started
	_ = w.Close()
	st.must(err, "start mooring serve")
	st.server = s
	st.later(func() error { return st.stopServer() })

	serving := make(chan struct{})
	go func() {
		_, _ = io.Copy(&watcher{w: logFile, text: []byte("msg=serving"), seen: serving}, r)
		_ = logFile.Close()
	}()
	select {
	case <-serving:
		st.say("%s", "  It serves; its log is "+st.logPath()+".")
	case <-s.ended:
		st.fail("mooring serve ended at once: %w", s.err)
	case <-time.After(startTimeout):
		st.fail("mooring serve did not begin within %s", startTimeout)
	case <-st.ctx.Done():
		st.fail("interrupted")
	}
}

// stopServer asks the server to stop, as a service manager would, and waits until it is gone. The second call does
// nothing.
func (st *stage) stopServer() error {
	s := st.server
	if s.stopped {
		return nil
	}
	s.stopped = true
	select {
	case <-s.ended:
		return fmt.Errorf("mooring serve ended by itself: %w", orNil(s.err))
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it is gone
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return fmt.Errorf("mooring serve did not stop within %s and was killed", stopTimeout)
	}
	if s.err != nil {
		return fmt.Errorf("mooring serve: %w", s.err)
	}
	return nil
}

func orNil(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// watcher copies and tells when a text has come by.
type watcher struct {
	w    io.Writer
	text []byte
	seen chan struct{}
	tail []byte
}

func (w *watcher) Write(p []byte) (int, error) {
	if w.seen != nil {
		w.tail = append(w.tail, p...)
		if bytes.Contains(w.tail, w.text) {
			close(w.seen)
			w.seen, w.tail = nil, nil
		}
	}
	return w.w.Write(p)
}

func (st *stage) logPath() string { return filepath.Join(st.dir, "mooring.log") }

func (st *stage) logTail() string {
	b, err := os.ReadFile(st.logPath())
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// environment is what Mooring's processes see: nothing of the person's Kubernetes, Terraform, Git or Mooring settings.
func (st *stage) environment() []string {
	env := []string{"HOME=" + filepath.Join(st.dir, "home"), "MOORING_CONFIG=" + st.config}
	if st.forge != nil {
		env = append(env, st.forge.env...)
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case name == "HOME" && st.settings.context == "", name == "KUBECONFIG", name == "MOORING_CONFIG",
			strings.HasPrefix(name, "TF_"), strings.HasPrefix(name, "GIT_"), strings.HasPrefix(name, "XDG_"):
		case name == "HOME": // an exec plugin of the person's kubeconfig finds its own files
			env[0] = kv
		case name == "PATH" && st.terraform != "":
			env = append(env, kv+string(os.PathListSeparator)+st.terraform)
		default:
			env = append(env, kv)
		}
	}
	return env
}

// command runs a Mooring command, shows it as typed with what it printed, and returns what it printed.
func (st *stage) command(args ...string) string {
	st.typed(append([]string{"mooring"}, args...)...)
	out, err := st.quiet(args...)
	st.must(err, "mooring "+strings.Join(args, " "))
	st.post("", out)
	return out
}

func (st *stage) quiet(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(st.ctx, runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, st.mooring, args...)
	cmd.Env, cmd.Dir = st.environment(), st.dir
	cmd.Cancel = func() error {
		if st.ctx.Err() != nil {
			return cmd.Process.Kill()
		}
		return cmd.Process.Signal(syscall.SIGQUIT) // it says where it hangs
	}
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil && st.ctx.Err() == nil {
		return string(out), fmt.Errorf("it hung for %s: %s", runTimeout, strings.TrimSpace(stderr.String()))
	}
	if err != nil {
		return string(out), fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// await asks for the runs until the one of the commit is where it should be. It answers the newest run of the commit.
func (st *stage) await(commit string, want ...runner.Status) runner.Run {
	deadline := time.After(runTimeout)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	last := "it has not begun"
	for {
		run, found, err := st.newest(commit)
		st.must(err, "mooring runs")
		if found {
			last = "it is " + string(run.Status)
			for _, w := range want {
				if run.Status == w {
					return run
				}
			}
			if ended(run.Status) {
				out, _ := st.quiet("show", run.ID)
				st.post("", out)
				st.fail("run %s is %s, and the demo waited for %v", run.ID, run.Status, want)
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			st.fail("the run of commit %.7s: %s after %s, and the demo waited for %v", commit, last, runTimeout, want)
		case <-st.server.ended:
			st.fail("mooring serve ended: %w", orNil(st.server.err))
		case <-st.ctx.Done():
			st.fail("interrupted")
		}
	}
}

func ended(s runner.Status) bool {
	return s != runner.Queued && s != runner.Running && s != runner.Held
}

func (st *stage) newest(commit string) (runner.Run, bool, error) {
	out, err := st.quiet("runs", "-o", "json")
	if err != nil {
		return runner.Run{}, false, err
	}
	var list struct{ Runs []runner.Run }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return runner.Run{}, false, err
	}
	for _, r := range list.Runs {
		if r.Commit == commit {
			return r, true, nil
		}
	}
	return runner.Run{}, false, nil
}
