package reviews

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the Mooring that all tests run; TestMain builds it.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mooring-e2e-reviews-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "mooring")
	argv := []string{"build", "-o", binary}
	if os.Getenv("MOORING_REVIEWS_RACE") != "" { // races of Mooring itself, at a third of its speed
		argv = append(argv, "-race")
	}
	if out, err := exec.Command("go", append(argv, "github.com/mooring-iac/mooring/cmd/mooring")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build mooring: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// full tells that the counts are those that are promised.
func full() bool { return os.Getenv("MOORING_REVIEWS_FULL") != "" }

// counts is how often something is done.
func counts[T any](short, long T) T {
	if full() {
		return long
	}
	return short
}

// process is a `mooring serve` under way.
type process struct {
	cmd   *exec.Cmd
	log   string // path of what it wrote to standard error
	ended chan struct{}
}

// serve starts Mooring and returns when it serves.
func (w *world) serve() {
	w.t.Helper()
	w.starts++
	p := &process{ended: make(chan struct{}), log: filepath.Join(w.dir, fmt.Sprintf("serve-%02d.log", w.starts))}
	p.cmd = w.command(context.Background(), "serve", "--verbose")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := os.Create(p.log)
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its ProcessState
		close(p.ended)
	}()
	w.mooring = p
	w.await(time.Minute, "mooring serve to come up", func() string {
		if p.gone() {
			w.t.Fatalf("mooring serve ended at once:\n%s", p.said())
		}
		// It is ready when it has taken the branch once: what is there before that is nobody's news.
		if code, _ := w.get("http://"+w.address+"/readyz", ""); code == http.StatusOK {
			return ""
		}
		return p.said()
	})
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) said() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// kill ends Mooring as a power cut does, and nothing below it.
func (w *world) kill() {
	w.t.Helper()
	if w.mooring.gone() {
		w.t.Fatalf("Mooring ended by itself:\n%s", tail(w.mooring.said()))
	}
	_ = w.mooring.cmd.Process.Kill() // gone meanwhile
	<-w.mooring.ended
}

// drain asks Mooring to end, which it must do well, and tells how long it took.
func (w *world) drain(within time.Duration) time.Duration {
	w.t.Helper()
	began := time.Now()
	_ = w.mooring.cmd.Process.Signal(syscall.SIGTERM) // gone meanwhile
	w.await(within, "mooring serve to end", func() string {
		if w.mooring.gone() {
			return ""
		}
		return tail(w.mooring.said())
	})
	if code := w.mooring.cmd.ProcessState.ExitCode(); code != 0 {
		w.t.Errorf("exit %d after SIGTERM:\n%s", code, tail(w.mooring.said()))
	}
	return time.Since(began)
}

// stop ends what runs when the test does.
func (w *world) stop() {
	if w.mooring == nil || w.mooring.gone() {
		return
	}
	_ = w.mooring.cmd.Process.Signal(syscall.SIGTERM) // gone meanwhile
	select {
	case <-w.mooring.ended:
	case <-time.After(20 * time.Second):
		_ = w.mooring.cmd.Process.Kill() // gone meanwhile
		<-w.mooring.ended
	}
}

// command is a mooring command of this world, not started.
func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = w.dir
	cmd.Env = []string{
		"PATH=" + filepath.Dir(w.terraform) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + w.home, "TF_CLI_CONFIG_FILE=" + os.DevNull,
		"CHECKPOINT_DISABLE=1", "LANG=C.UTF-8", "GORACE=atexit_sleep_ms=0", "MOORING_CONFIG=" + w.config,
		"FORGE_TOKEN=" + w.bot.Token, "HOOK_SECRET=" + w.secret, "PAGES_PASSWORD=" + w.password,
	}
	return cmd
}

// run runs a command to its end.
func (w *world) run(args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := w.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errs, 5*time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		w.t.Fatalf("mooring %s: %v", strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func tail(s string) string {
	if len(s) > 6000 {
		return "…" + s[len(s)-6000:]
	}
	return s
}
