package deploy

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/confine"
)

// inner is what the sandbox of a Terraform run asks of the kernel: namespaces inside those of the service, and a /proc.
const inner = `unshare -U -r -p -f -m -u sh -c 'mount -t proc proc /proc && echo sandboxed'`

// TestHardeningAndTheSandbox does what systemd does for each setting, inside namespaces of the test's own, and then asks
// for the sandbox: the comments of mooring.service are facts about the kernel. CapabilityBoundingSet= is not here: it
// stops only root, which this test is in its own namespace, from mapping itself into another.
func TestHardeningAndTheSandbox(t *testing.T) {
	outer := func(script string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "unshare", "-U", "-r", "-p", "-f", "-m", "sh", "-ec", script).CombinedOutput()
		return string(out), err
	}
	// A /proc of the outer PID namespace first, as the service sees the host's.
	const begin = "mount -t proc proc /proc\n"
	if out, err := outer(begin + inner); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no nested namespaces: %v\n%s", err, out)
		}
		t.Skipf("SKIPPED, NOT TESTED: no nested namespaces here: %v\n%s", err, out)
	}
	deny := confine.Build(t)
	for _, c := range []struct {
		setting, does string // how the mount namespace changes
		by            string // what the sandbox's maker runs under
		whole         bool   // the sandbox is still made
	}{
		{"ProtectSystem=strict", "mount -o remount,bind,ro /", "", true},
		{"ProtectHome=yes", "mount -t tmpfs -o ro tmpfs /root", "", true},
		{"ProtectProc=invisible", "mount -t proc -o hidepid=invisible proc /proc", "", true},
		{"PrivateDevices=yes", "mount -t tmpfs tmpfs /dev && touch /dev/null", "", true},
		{"NoNewPrivileges=yes", "", "setpriv --no-new-privs", true},
		{"ProtectControlGroups=yes", "if mountpoint -q /sys/fs/cgroup; then mount -o remount,bind,ro /sys/fs/cgroup; fi", "", true},

		{"ProtectKernelTunables=yes", "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys", "", false},
		{"ProtectKernelLogs=yes", "mount --bind /dev/null /proc/kmsg", "", false},
		{"TemporaryFileSystem=/proc/sys", "mount -t tmpfs tmpfs /proc/sys", "", false},
		{"RestrictNamespaces=yes", "", deny, false},
	} {
		out, err := outer(begin + c.does + "\n" + c.by + " " + inner)
		if whole := err == nil && strings.HasSuffix(out, "sandboxed\n"); whole != c.whole {
			t.Errorf("%s: sandbox made: %v, want %v: %v\n%s", c.setting, whole, c.whole, err, out)
		}
		if !c.whole && !strings.Contains(strings.ToLower(out), "permission denied") && !strings.Contains(out, "not permitted") {
			t.Errorf("%s: refused otherwise than by EPERM:\n%s", c.setting, out)
		}
	}
}
