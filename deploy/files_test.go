package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
)

// afterInterrupt is how long an interrupted apply may take after `grace`; docs/operations.md says it.
const afterInterrupt = 30 * time.Second

// config parses one of the server.hcl files. The environment holds the one variable that the files may ask for.
func config(t *testing.T, path string) *serverconfig.Config {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, files, diags := serverconfig.Parse(path, src, func(name string) (string, bool) { return "secret", name == "GIT_TOKEN" })
	if len(diags) > 0 {
		var b bytes.Buffer
		_ = hcl.NewDiagnosticTextWriter(&b, files, 100, false).WriteDiagnostics(diags) // to memory
		t.Fatalf("%s:\n%s", path, &b)
	}
	if c.Repositories[0].Apply != "never" {
		t.Errorf("%s: apply = %q: a file that is copied must change nothing at first", path, c.Repositories[0].Apply)
	}
	return c
}

// unit reads the settings of a systemd unit: key to values, in order.
func unit(t *testing.T, path string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		key, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if found && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return settings
}

func TestUnitKeepsItsPromises(t *testing.T) {
	u := unit(t, "systemd/mooring.service")
	for key, want := range map[string]string{
		"ExecStart":          "/usr/local/bin/mooring serve -c /etc/mooring/server.hcl --hand-over",
		"KillMode":           "process", // supervisors outlive a restart
		"OOMPolicy":          "continue",
		"User":               "mooring",
		"StateDirectory":     "mooring",
		"StateDirectoryMode": "0700",
		"Restart":            "on-failure",
		"NoNewPrivileges":    "yes",
	} {
		if got := u[key]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	for _, key := range []string{
		"RestrictNamespaces", "ProtectKernelTunables", "ProtectKernelLogs", "SystemCallFilter", // no namespaces
		"InaccessiblePaths", "ReadOnlyPaths", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem",
		"PrivateTmp", "RuntimeDirectory", "ExecStopPost", "PrivatePIDs", "DynamicUser", // no survival; DynamicUser implies PrivateTmp
		"PrivateUsers", "ProtectHostname", "MemoryDenyWriteExecute",
	} {
		if got := u[key]; got != nil {
			t.Errorf("%s = %q, want it left out: the unit's own comment says why", key, got)
		}
	}

	c := config(t, "systemd/server.hcl")
	stop, err := time.ParseDuration(u["TimeoutStopSec"][0])
	if err != nil || stop <= c.Grace+afterInterrupt {
		t.Errorf("TimeoutStopSec = %s (%v), want more than grace, %s, and %s", u["TimeoutStopSec"], err, c.Grace, afterInterrupt)
	}
	if c.DataDir != "/var/lib/mooring" || !slices.Equal(u["Environment"], []string{"HOME=" + c.DataDir}) {
		t.Errorf("data_dir = %s, Environment = %s, want both to be the state directory", c.DataDir, u["Environment"])
	}
}

// tool returns the path of a program that checks a file for us. Where it is not, the check is left out aloud, also in CI:
// it repeats what systemd itself will say, and the tests above hold what matters to us.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no %s here", name)
	}
	return path
}

func TestSystemdAcceptsTheUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	text, err := os.ReadFile("systemd/mooring.service")
	if err != nil {
		t.Fatal(err)
	}
	// It wants the program to be there.
	program := filepath.Join(t.TempDir(), "mooring")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "mooring.service")
	text = bytes.Replace(text, []byte("ExecStart=/usr/local/bin/mooring "), []byte("ExecStart="+program+" "), 1)
	if err := os.WriteFile(copied, text, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", copied).CombinedOutput()
	// A key that it does not know is a message with status 0.
	if err != nil || strings.Contains(string(out), "mooring.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

func TestSysusersMakesTheUser(t *testing.T) {
	sysusers := tool(t, "systemd-sysusers")
	path, err := filepath.Abs("systemd/mooring.sysusers.conf")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), sysusers, "--dry-run", "--root="+t.TempDir(), path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "user 'mooring'") {
		t.Errorf("systemd-sysusers: %v\n%s", err, out)
	}
}
