package parts_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/parts"
)

const everyProvider = `
resource "null_resource" "a" { triggers = { pet = random_pet.a.id } }
resource "random_pet" "a" { length = 2 }
resource "local_file" "a" {
  filename = "${path.module}/pet"
  content  = random_pet.a.id
}
resource "tls_private_key" "a" { algorithm = "ED25519" }
output "pet" { value = random_pet.a.id }
`

// tf runs Terraform or OpenTofu in dir with providers from the mirror alone.
func tf(t *testing.T, binary, dir string, args ...string) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "terraform.rc")
	if err := parts.WriteCLIConfig(config, parts.ProvidersForTest(t)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TF_CLI_CONFIG_FILE=" + config, "TF_IN_AUTOMATION=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(binary), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func root(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestProvidersWithTerraform(t *testing.T) { applyEveryProvider(t, parts.TerraformForTest(t)) }

func TestProvidersWithOpenTofu(t *testing.T) { applyEveryProvider(t, parts.OpenTofuForTest(t)) }

func applyEveryProvider(t *testing.T, binary string) {
	dir := root(t, everyProvider)
	tf(t, binary, dir, "init", "-input=false", "-no-color")
	tf(t, binary, dir, "apply", "-input=false", "-no-color", "-auto-approve")
	var outputs struct{ Pet struct{ Value string } }
	if err := json.Unmarshal([]byte(tf(t, binary, dir, "output", "-json")), &outputs); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "pet"))
	if err != nil || len(content) == 0 || string(content) != outputs.Pet.Value {
		t.Errorf("file written by the local provider = %q, %v, want the pet %q", content, err, outputs.Pet.Value)
	}
}

// TestBuiltTerraform runs the Terraform that stands in where PATH has none.
func TestBuiltTerraform(t *testing.T) {
	t.Setenv("PATH", pathWithoutTerraform(t))
	binary := parts.TerraformForTest(t)
	dir := root(t, "resource \"terraform_data\" \"a\" { input = 1 }\noutput \"a\" { value = terraform_data.a.output }\n")
	tf(t, binary, dir, "init", "-input=false", "-no-color")
	out := tf(t, binary, dir, "apply", "-input=false", "-no-color", "-auto-approve")
	if !strings.Contains(out, "1 added") {
		t.Errorf("apply printed %q", out)
	}
	version := tf(t, binary, dir, "version", "-json")
	if !strings.Contains(version, `"terraform_version": "1.11.4"`) {
		t.Errorf("version = %s", version)
	}

	s3 := root(t, "terraform {\n  backend \"s3\" {}\n}\n")
	cmd := exec.CommandContext(t.Context(), binary, "init", "-input=false", "-no-color")
	cmd.Dir, cmd.Env = s3, []string{"HOME=" + t.TempDir()}
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "not part of this build") {
		t.Errorf("init with the s3 backend: %v, %s; want it refused with the reason", err, said)
	}
}

// pathWithoutTerraform is PATH less the directories that hold a Terraform.
func pathWithoutTerraform(t *testing.T) string {
	t.Helper()
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "terraform")); os.IsNotExist(err) {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, string(os.PathListSeparator))
}
