package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
)

// A disk that is full at any moment stops the pass with one clear error; nothing
// is applied without room for its state, and with room the next pass goes on.
func TestFullDiskLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short leaves out the six full disks")
	}
	terraform := parts.TerraformForTest(t)
	if out, err := exec.Command("unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no tmpfs can be mounted: %v\n%s", err, out)
		}
		t.Skipf("SKIPPED: no tmpfs can be mounted in a namespace: %v", err)
	}
	dir := t.TempDir()
	mooring := mooringIn(t, dir)
	files := map[string]string{}
	for i := range 8 {
		files[fmt.Sprintf("ws/w%d/main.tf", i)] = "resource \"terraform_data\" \"a\" {\n  input = \"here\"\n}\n"
	}
	repo := githttp.NewRepo(t, filepath.Join(dir, "infra.git"), files)
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "server.hcl")
	text := fmt.Sprintf("data_dir = %q\nrepository \"infra\" {\n  url = %q\n}\n", filepath.Join(disk, "data"), repo.Dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"16k", "64k", "128k", "256k", "1m", "8m"} {
		t.Run(size, func(t *testing.T) {
			// One namespace: the small disk, then the same disk with room.
			script := `mount -t tmpfs -o size=$1 tmpfs "$2"
				"$3" sync -c "$4"; echo "small: exit $?"
				find "$2" -type f -name '*.tfstate' -size +0 | sed 's/^/state /'
				mount -o remount,size=300m "$2"
				"$3" sync -c "$4" -o json; echo "large: exit $?"
				find "$2" -type f -name '*.tfstate' -size +0 | wc -l | sed 's/^/states: /'`
			cmd := exec.Command("unshare", "-Urm", "sh", "-c", script, "sh", size, disk, mooring, config)
			cmd.Env = []string{"PATH=" + filepath.Dir(terraform) + ":" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=/dev/null"}
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			small, large, _ := strings.Cut(string(out), "small: exit ")
			if !strings.HasPrefix(large, "1\n") || !strings.Contains(small, "no space left on device") && !strings.Contains(small, "not enough free space") {
				t.Errorf("on the full disk:\n%s", out)
			}
			if strings.Contains(large, "\nstate ") {
				t.Errorf("something was applied on the full disk:\n%s", out)
			}
			if !strings.Contains(large, "large: exit 0") || !strings.Contains(large, "states: 8") {
				t.Errorf("with room again:\n%s", large)
			}
		})
	}
}
