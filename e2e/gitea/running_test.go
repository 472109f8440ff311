package gitea_test

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/gitea"
	"github.com/mooring-iac/mooring/e2e/parts"
)

func TestStartAndStop(t *testing.T) {
	parts.GiteaForTest(t)
	begin := time.Now()
	running, err := gitea.Run(t.Context(), "", gitea.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Stop)
	pid := strconv.Itoa(running.PID())
	t.Logf("started in %.2f s, %s resident", time.Since(begin).Seconds(), field(pid, "VmRSS"))
	if uid := field(pid, "Uid"); uid == "" || strings.HasPrefix(uid, "0\t") {
		t.Errorf("Gitea's user is %q, want anybody but root", uid)
	}
	var said struct{ Version string }
	running.For(t).Call(nil, http.MethodGet, "version", nil, &said)
	if said.Version != "1.26.0" {
		t.Errorf("version %q", said.Version)
	}

	begin = time.Now()
	running.Stop()
	running.Stop()
	t.Logf("stopped in %.2f s", time.Since(begin).Seconds())
	if _, err := os.Stat(running.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory: %v, want it gone", err)
	}
	if err := syscall.Kill(running.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process: %v, want it gone", err)
	}
}

func TestWhatGiteaRefusesToStartWithIsSaid(t *testing.T) {
	parts.GiteaForTest(t)
	dir := filepath.Join(t.TempDir(), "gitea")
	if err := os.MkdirAll(filepath.Join(dir, "data", "gitea.db"), 0o755); err != nil { // a directory where the database shall be
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // within reach of whom Gitea runs as
		for _, path := range []string{dir, filepath.Join(dir, "data"), filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))} {
			if err := os.Chmod(path, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := gitea.Run(t.Context(), dir, gitea.Options{})
	if err == nil || !strings.Contains(err.Error(), "start Gitea: ") || !strings.Contains(err.Error(), "database") {
		t.Errorf("err = %v, want Gitea's words of its database", err)
	}
}

// The kernel ends Gitea with the process that started it, even one that is killed, and the next start removes what was
// left behind.
func TestEndsWithItsParent(t *testing.T) {
	parts.GiteaForTest(t)
	if os.Getenv("MOORING_TEST_PARENT") == "1" {
		server := gitea.Shared(t)
		if _, err := os.Stdout.WriteString(server.Dir + "\n"); err != nil {
			t.Fatal(err)
		}
		<-server.Ended() // which it does not, before we are killed
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestEndsWithItsParent$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "MOORING_TEST_PARENT=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := firstLine(t, stdout)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, err := os.Stat(filepath.Join(dir, "app.ini")); err != nil {
		t.Fatalf("directory of the killed process: %v", err)
	}
	gitea.Start(t)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory of the killed process: %v, want it swept", err)
	}
	if pids := runningIn(t, dir); len(pids) > 0 {
		t.Errorf("still running in %s: %v", dir, pids)
	}
}

func firstLine(t *testing.T, from io.Reader) string {
	t.Helper()
	line, err := bufio.NewReader(from).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// field is a line of what the kernel tells of a process, without its name; "" when there is no such process.
func field(pid, name string) string {
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// runningIn are the processes whose command names a directory. One that is about to end counts until it has.
func runningIn(t *testing.T, dir string) (pids []string) {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range commands {
		command, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(command), dir) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}
