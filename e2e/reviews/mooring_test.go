package reviews

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/program"
)

// binary is the Mooring that all tests run; TestMain builds it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(program.Main(m, &binary, os.Getenv("MOORING_REVIEWS_RACE") != ""))
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

// serve starts Mooring and returns when it has taken the branch once: what is there before that is nobody's news.
func (w *world) serve() {
	w.t.Helper()
	w.start()
	w.answers("/readyz")
}

// start starts Mooring and returns when it is up. It takes nothing while an apply goes on that outlived the one before.
func (w *world) start() {
	w.t.Helper()
	w.starts++
	p, err := program.Start(w.command(context.Background(), "serve", "--verbose"), filepath.Join(w.dir, fmt.Sprintf("serve-%02d.log", w.starts)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.mooring = p
	w.answers("/healthz")
}

// answers returns when Mooring says yes at a path.
func (w *world) answers(path string) {
	w.t.Helper()
	w.await(time.Minute, "a yes at "+path, func() string {
		if w.mooring.Gone() {
			w.t.Fatalf("mooring serve ended at once:\n%s", w.mooring.Said())
		}
		if code, _ := w.get("http://"+w.address+path, ""); code == http.StatusOK {
			return ""
		}
		return w.mooring.Said()
	})
}

// kill ends Mooring as a power cut does, and nothing below it.
func (w *world) kill() {
	w.t.Helper()
	if w.mooring.Gone() {
		w.t.Fatalf("Mooring ended by itself:\n%s", program.Tail(w.mooring.Said()))
	}
	w.mooring.Kill()
}

// drain asks Mooring to end, which it must do well, and tells how long it took.
func (w *world) drain(within time.Duration) time.Duration {
	w.t.Helper()
	began := time.Now()
	w.mooring.Ask()
	w.await(within, "mooring serve to end", func() string {
		if w.mooring.Gone() {
			return ""
		}
		return program.Tail(w.mooring.Said())
	})
	if code := w.mooring.ExitCode(); code != 0 {
		w.t.Errorf("exit %d after SIGTERM:\n%s", code, program.Tail(w.mooring.Said()))
	}
	return time.Since(began)
}

// stop ends what runs when the test does.
func (w *world) stop() {
	if w.mooring == nil || w.mooring.Gone() {
		return
	}
	w.mooring.Stop(20 * time.Second)
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
	code, stdout, stderr, err := program.Run(w.command(ctx, args...))
	if err != nil {
		w.t.Fatalf("mooring %s: %v", strings.Join(args, " "), err)
	}
	return code, stdout, stderr
}
