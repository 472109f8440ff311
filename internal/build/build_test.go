package build_test

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/internal/build"
)

// What ships has its runs supervised by the small program, which it lays into its data directory, whatever lies there.
func TestMooringBringsItsSupervisor(t *testing.T) {
	terraform, err := parts.Terraform(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mooring, data := filepath.Join(dir, "mooring"), filepath.Join(dir, "data")
	if err := build.Mooring(t.Context(), nil, mooring); err != nil {
		t.Fatal(err)
	}
	git := githttp.NewRepo(t, filepath.Join(dir, "repo"), map[string]string{"main.tf": "resource \"terraform_data\" \"a\" {}\n"})
	config := filepath.Join(dir, "server.hcl")
	text := "data_dir = \"" + data + "\"\nrepository \"infra\" {\n  url        = \"" + git.Dir + "\"\n  branch     = \"" + githttp.Branch + "\"\n  auto_apply = \"always\"\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	supervisor := filepath.Join(data, "tools", "supervisor", "mooring")
	if err := os.MkdirAll(filepath.Dir(supervisor), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(supervisor, []byte("an older one, or half of one"), 0o500); err != nil {
		t.Fatal(err)
	}
	sync := exec.CommandContext(t.Context(), mooring, "sync", "-c", config)
	sync.Env = append(os.Environ(), "PATH="+filepath.Dir(terraform)+":"+os.Getenv("PATH"))
	if out, err := sync.CombinedOutput(); err != nil {
		t.Fatalf("mooring sync: %v\n%s", err, out)
	}
	var exit *exec.ExitError
	said, err := exec.CommandContext(t.Context(), supervisor).CombinedOutput()
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(said), "supervises Terraform for Mooring") {
		t.Errorf("the supervisor cannot be started from where it lies: %v\n%s", err, said)
	}
	program, err := elf.Open(supervisor)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Type != elf.ET_EXEC {
		t.Errorf("the supervisor is an ELF file of type %s: want a static program", program.Type)
	}
}
