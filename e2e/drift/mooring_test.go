package drift

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

func TestMain(m *testing.M) { os.Exit(program.Main(m, &binary, os.Getenv("MOORING_DRIFT_RACE") != "")) }

// start starts Mooring and does not wait for it.
func (w *world) start() {
	w.t.Helper()
	w.starts++
	p, err := program.Start(w.command(context.Background(), "serve", "--verbose"), filepath.Join(w.dir, fmt.Sprintf("serve-%02d.log", w.starts)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.mooring = p
}

// serve starts Mooring and returns when it serves.
func (w *world) serve() {
	w.t.Helper()
	w.start()
	p := w.mooring
	w.await(time.Minute, "mooring serve to come up", func() string {
		if p.Gone() {
			w.t.Fatalf("mooring serve ended at once:\n%s", p.Said())
		}
		resp, err := http.Get("http://" + w.address + "/readyz")
		if err != nil {
			return err.Error()
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return p.Said()
		}
		return ""
	})
}

// kill ends Mooring as a power cut does, and nothing below it.
func (w *world) kill() {
	w.t.Helper()
	if w.mooring.Gone() {
		w.t.Fatalf("Mooring ended by itself:\n%s", program.Tail(w.mooring.Said()))
	}
	w.mooring.Kill()
	w.noRace()
}

// stop has Mooring end well.
func (w *world) stop() {
	if w.mooring == nil || w.mooring.Gone() {
		return
	}
	if !w.mooring.Stop(20 * time.Second) {
		w.t.Errorf("mooring serve does not end:\n%s", program.Tail(w.mooring.Said()))
	}
	w.noRace()
}

func (w *world) noRace() {
	if said := w.mooring.Said(); strings.Contains(said, "DATA RACE") {
		w.t.Errorf("Mooring has a race:\n%s", said)
	}
}

// command is a mooring command of this world, not started.
func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = w.dir
	cmd.Env = []string{
		"PATH=" + filepath.Dir(w.terraform) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + w.home, "TF_CLI_CONFIG_FILE=" + os.DevNull,
		"CHECKPOINT_DISABLE=1", "LANG=C.UTF-8", "GORACE=atexit_sleep_ms=0", "MOORING_CONFIG=" + w.config, "HOOK_SECRET=" + w.secret,
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
	if strings.Contains(stderr, "DATA RACE") {
		w.t.Errorf("mooring %s has a race:\n%s", strings.Join(args, " "), stderr)
	}
	return code, stdout, stderr
}
