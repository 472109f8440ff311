package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/confine"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
)

// Mooring need not be root, and should not be: an ordinary user has namespaces too, and Landlock where they are refused.
// What Terraform starts has no capability, sees nobody else's processes and inherits no descriptor.
func TestOrdinaryUser(t *testing.T) {
	terraform := parts.TerraformForTest(t)
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can become another user; everything else runs as an ordinary one already")
	}
	dir, err := os.MkdirTemp("", "mooring-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	mooring := mooringIn(t, dir)
	repo := githttp.NewRepo(t, filepath.Join(dir, "infra.git"), map[string]string{"a/main.tf": `
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "id -u; grep CapBnd /proc/self/status; ls /proc | grep -c '^[0-9]'; ls /proc/self/fd; true"
  }
}
`})
	tool := filepath.Join(dir, "bin", "terraform") // where the other user can reach it
	if err := os.MkdirAll(filepath.Dir(tool), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", terraform, tool).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	denyns := confine.Build(t)
	copied := filepath.Join(dir, "denyns")
	if out, err := exec.Command("cp", denyns, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tt := range []struct {
		name, says string
		wrap       []string
	}{
		{"namespaces", "Terraform runs in namespaces", nil},
		{"landlock", "Terraform is confined by Landlock, because namespaces are refused here", []string{copied}},
		{"none", "Terraform is NOT confined", []string{copied, "--no-landlock"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := filepath.Join(dir, "data-"+tt.name)
			config := filepath.Join(dir, tt.name+".hcl")
			text := "data_dir = \"" + data + "\"\nrepository \"infra\" {\n  url = \"" + repo.Dir + "\"\n}\n"
			if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("chown", "-R", "65534:65534", dir).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			argv := append(append([]string{"--reuid=65534", "--regid=65534", "--clear-groups"}, tt.wrap...), mooring, "sync", "-v", "-c", config)
			cmd := exec.Command("setpriv", argv...)
			cmd.Env = []string{"PATH=" + filepath.Dir(tool) + ":/usr/bin:/bin", "HOME=" + dir}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.Contains(string(out), tt.says) {
				t.Errorf("it does not say %q:\n%s", tt.says, out)
			}
			log, err := os.ReadFile(filepath.Join(data, "runs", "r1", "a.log"))
			if err != nil {
				found, _ := filepath.Glob(filepath.Join(data, "runs", "r1", "*.log"))
				if len(found) != 1 {
					t.Fatalf("%v: %v", err, found)
				}
				if log, err = os.ReadFile(found[0]); err != nil {
					t.Fatal(err)
				}
			}
			said := strings.ReplaceAll(string(log), "terraform_data.a (local-exec): ", "")
			if !strings.Contains(said, "\n65534\n") {
				t.Errorf("another user:\n%s", said)
			}
			if tt.name == "namespaces" && (!strings.Contains(said, "CapBnd:\t0000000000000000") || !strings.Contains(said, "\n0\n1\n2\n3\n")) {
				t.Errorf("capabilities or descriptors:\n%s", said)
			}
			if tt.name == "landlock" && strings.Contains(said, "CapBnd:") {
				t.Errorf("/proc can be read:\n%s", said)
			}
		})
	}
}
