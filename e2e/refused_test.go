package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/confine"
	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
)

// Where the machine does not give what Mooring's promises need, it says so in one error with the remedy, and applies nothing.
func TestMachinesThatAreRefused(t *testing.T) {
	terraform := parts.TerraformForTest(t)
	dir := t.TempDir()
	mooring := mooringIn(t, dir)
	repo := githttp.NewRepo(t, filepath.Join(dir, "infra.git"), map[string]string{"a/main.tf": "resource \"terraform_data\" \"a\" {}\n"})
	denyns := confine.Build(t)
	for _, tt := range []struct {
		name, config string
		wrap         []string
		says         []string
		code         int
	}{
		{"no flock", "", []string{denyns, "--errno-flock"}, []string{"has no working flock", "put data_dir on a local file system"}, 1},
		{"namespaces forbidden", `sandbox = "required"`, []string{denyns}, []string{"namespaces are refused here", `sandbox = "auto"`}, 1},
		{"namespaces forbidden, and no Landlock", `sandbox = "required"`, []string{denyns, "--no-landlock"}, []string{"namespaces are refused here"}, 1},
		{"namespaces forbidden, and that will do", "", []string{denyns}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			config := filepath.Join(t.TempDir(), "server.hcl")
			text := fmt.Sprintf("data_dir = %q\n%s\nrepository \"infra\" {\n  url = %q\n}\n", data, tt.config, repo.Dir)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			argv := append(tt.wrap, mooring, "sync", "-c", config)
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Env = []string{"PATH=" + filepath.Dir(terraform) + ":" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=/dev/null"}
			out, _ := cmd.CombinedOutput() // the code says how it went
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit %d\n%s", code, out)
			}
			for _, word := range tt.says {
				if strings.Count(string(out), word) != 1 {
					t.Errorf("%q is not there once:\n%s", word, out)
				}
			}
			states, err := filepath.Glob(filepath.Join(data, "state", "infra", "a", "terraform.tfstate"))
			if err != nil || (len(states) > 0) != (tt.code == 0) {
				t.Errorf("states: %v, %v", states, err)
			}
		})
	}
}
