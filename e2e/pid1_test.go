package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// As the first process of a container Mooring gets every orphan. It takes the dead ones away; it refuses to hand over,
// because nothing outlives it; and it drains on SIGTERM.
func TestFirstProcessOfAContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can enter the container of this test")
	}
	dir := t.TempDir()
	mooring := mooringIn(t, dir)
	config := filepath.Join(dir, "server.hcl")
	text := fmt.Sprintf("data_dir = %q\nrepository \"infra\" {\n  url = %q\n}\n", filepath.Join(dir, "data"), filepath.Join(dir, "nothing"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	contained := func(args ...string) *exec.Cmd {
		cmd := exec.Command("unshare", append([]string{"-pf", "--mount-proc", "--kill-child", mooring}, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
		return cmd
	}
	if out, err := contained("serve", "--hand-over", "-c", config).CombinedOutput(); err == nil || !strings.Contains(string(out), "the first process of its container") {
		t.Errorf("--hand-over: %v\n%s", err, out)
	}
	serve := contained("serve", "-c", config)
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = serve.Process.Kill() }) // it has ended, at best
	await(t, 20*time.Second, "the server", func() bool {
		_, err := os.Stat(filepath.Join(dir, "data", "mooring.sock"))
		return err == nil
	})
	first := ""
	for pid := range children(t, strconv.Itoa(serve.Process.Pid)) {
		first = pid
	}
	if first == "" {
		t.Fatal("no process in the container")
	}
	if out, err := exec.Command("nsenter", "-t", first, "-p", "sh", "-c", "(sleep 0.1 &)").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	zombies := func() (n int) {
		for _, state := range children(t, first) {
			if state == "Z" {
				n++
			}
		}
		return n
	}
	await(t, 10*time.Second, "the orphan dies", func() bool { return zombies() == 1 })
	await(t, 20*time.Second, "it is taken away", func() bool { return zombies() == 0 })
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func await(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// children are the children of a process, with their states.
func children(t *testing.T, parent string) map[string]string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // gone
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 && fields[1] == parent {
			found[filepath.Base(filepath.Dir(name))] = fields[0]
		}
	}
	return found
}
