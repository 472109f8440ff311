//go:build linux && (amd64 || arm64)

package confine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mooring-iac/mooring/e2e/confine"
)

// TestMain makes this binary its own confined child: with CONFINE_PROBE set it says what the kernel answers.
func TestMain(m *testing.M) {
	if os.Getenv("CONFINE_PROBE") == "" {
		os.Exit(m.Run())
	}
	for _, p := range probes {
		fmt.Printf("%s: %s\n", p.name, word(p.try()))
	}
}

// word is an error's name, or ok.
func word(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

func child(flags uintptr, user bool) error {
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if user {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	}
	return cmd.Run()
}

func raw(number uintptr, args ...uintptr) error {
	args = append(args, 0, 0, 0)
	if _, _, errno := syscall.Syscall(number, args[0], args[1], args[2]); errno != 0 {
		return errno
	}
	return nil
}

// probes say what a program meets. Calls that the filter lets through end in another error than EPERM.
var probes = []struct {
	name string
	try  func() error
}{
	{"plain child", func() error { return child(0, false) }},
	{"child in a user namespace", func() error { return child(syscall.CLONE_NEWUSER, true) }},
	{"child in user, pid and mount namespaces", func() error {
		return child(syscall.CLONE_NEWUSER|syscall.CLONE_NEWPID|syscall.CLONE_NEWNS, true)
	}},
	{"clone3", func() error { return raw(unix.SYS_CLONE3) }},
	{"unshare of nothing", func() error { return unix.Unshare(0) }},
	{"unshare of files", func() error { return unix.Unshare(unix.CLONE_FILES) }},
	{"unshare user", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	{"unshare time", func() error { return unix.Unshare(unix.CLONE_NEWTIME) }},
	{"mount", func() error { return unix.Mount("none", "/nowhere", "tmpfs", 0, "") }},
	{"umount", func() error { return unix.Unmount("/nowhere", 0) }},
	{"pivot_root", func() error { return unix.PivotRoot("/nowhere", "/nowhere") }},
	{"setns", func() error { return unix.Setns(-1, 0) }},
	{"fsopen", func() error { _, err := unix.Fsopen("nonesuch", 0); return err }},
	{"open_tree", func() error { _, err := unix.OpenTree(-1, "", 0); return err }},
	{"landlock", func() error { return raw(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION) }},
	{"flock", func() error {
		f, err := os.CreateTemp("", "flock")
		if err != nil {
			return err
		}
		defer f.Close()
		defer os.Remove(f.Name())
		return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}},
}

// probe returns what the probes say when this binary runs by a command.
func probe(t *testing.T, command ...string) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command = append(command, self)
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "CONFINE_PROBE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, &stderr)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, answer, _ := strings.Cut(strings.TrimSpace(line), ": ")
		said[name] = answer
	}
	return said
}

func TestWhatIsRefused(t *testing.T) {
	deny := confine.Build(t)
	free := probe(t)
	always := map[string]string{
		"plain child":               "ok",
		"child in a user namespace": "EPERM", "child in user, pid and mount namespaces": "EPERM",
		"clone3":             "ENOSYS",
		"unshare of nothing": "ok", "unshare of files": "ok", "unshare user": "EPERM", "unshare time": "EPERM",
		"mount": "EPERM", "umount": "EPERM", "pivot_root": "EPERM", "setns": "EPERM", "fsopen": "EPERM", "open_tree": "EPERM",
		"landlock": free["landlock"], "flock": "ok",
	}
	// The probe of clone3 asks for what no kernel gives, and only the error tells the filter from the kernel.
	if free["clone3"] != "EINVAL" {
		t.Errorf("clone3 without the filter: %s, the probe shows nothing", free["clone3"])
	}
	for _, c := range []struct {
		flags   []string
		changed map[string]string
	}{
		{nil, nil},
		{[]string{"--no-landlock"}, map[string]string{"landlock": "ENOSYS"}},
		{[]string{"--errno-flock"}, map[string]string{"flock": "ENOTSUP"}},
		{[]string{"--no-landlock", "--errno-flock"}, map[string]string{"landlock": "ENOSYS", "flock": "ENOTSUP"}},
	} {
		said := probe(t, append([]string{deny}, c.flags...)...)
		for name, want := range always {
			if changed, ok := c.changed[name]; ok {
				want = changed
			}
			if said[name] != want {
				t.Errorf("denyns %s: %s: %s, want %s (without: %s)", strings.Join(c.flags, " "), name, said[name], want, free[name])
			}
		}
		if len(said) != len(always) {
			t.Errorf("%d answers for %d probes", len(said), len(always))
		}
	}
}

func TestCommandsRunAndSayTheirOwn(t *testing.T) {
	deny := confine.Build(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		// A shell with a pipe: libc's fork and posix_spawn, through clone where clone3 is refused.
		{[]string{"sh", "-c", "echo one | tr o 0; exit 7"}, 7, "0ne"},
		{[]string{"--no-landlock", "sh", "-c", "echo $0 --errno-flock", "--own-flag"}, 0, "--own-flag --errno-flock"},
		{[]string{"unshare", "-Ur", "true"}, 1, "Operation not permitted"},
		{[]string{deny, "unshare", "-m", "true"}, 1, "Operation not permitted"}, // twice is no less
		{[]string{"no-such-command"}, 125, "no-such-command"},
		{[]string{}, 125, "which command"},
		{[]string{"--nonsense", "true"}, 125, "nonsense"},
	} {
		cmd := exec.CommandContext(t.Context(), deny, c.args...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("denyns %s: exit %d, want %d\n%s", strings.Join(c.args, " "), cmd.ProcessState.ExitCode(), c.code, out)
		}
	}
}

func TestTheProcessIsTheCommand(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), confine.Build(t), "sh", "-c", `echo $$; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status`)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := fmt.Sprintf("%d\nNoNewPrivs:\t1\nSeccomp:\t2\n", cmd.Process.Pid)
	if string(out) != want {
		t.Errorf("said %q, want %q: a test must be able to kill what it started", out, want)
	}
}
