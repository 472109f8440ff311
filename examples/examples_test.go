// Package examples holds no code; its tests run the examples with bare Terraform, as a person without Mooring would,
// so that what goes wrong elsewhere is not the example's fault.
package examples

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/e2e/parts"
)

// TestBareTerraform plans and applies every root module, in order, twice: the second plan changes nothing.
func TestBareTerraform(t *testing.T) {
	tf := parts.TerraformForTest(t)
	for _, c := range []struct {
		name    string
		modules []module
	}{
		{"tour", []module{
			{dir: "infra/network"},
			{dir: "infra/database", outputs: map[string]string{"network_id": "infra/network:id"}},
		}},
		{"platform", []module{
			{dir: "infra/network"},
			{dir: "infra/cluster", workspace: "staging", args: []string{"-var-file=staging.tfvars"}},
			{dir: "infra/cluster", workspace: "prod", args: []string{"-var-file=prod.tfvars"}},
			tenant("acme"), tenant("globex"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := terraform{t: t, bin: tf, root: t.TempDir(), home: t.TempDir()}
			copyExample(t, c.name, run.root)
			for _, m := range c.modules {
				run.apply(m)
			}
		})
	}
}

func tenant(name string) module {
	return module{dir: "tenants/" + name + "/infra", init: []string{"-backend-config=path=" + name + ".tfstate"},
		args: []string{"-var-file=../../common.tfvars", "-var-file=../tenant.tfvars", "-var=tenant=" + name}}
}

// module is one workspace of an example and what mooring.hcl gives it.
type module struct {
	dir, workspace string
	init, args     []string
	outputs        map[string]string // variable to "dir:output"
}

type terraform struct {
	t               *testing.T
	bin, root, home string
}

func (r terraform) apply(m module) {
	r.t.Helper()
	r.run(m.dir, append([]string{"init", "-input=false"}, m.init...)...)
	if m.workspace != "" {
		r.run(m.dir, "workspace", "new", m.workspace)
	}
	r.run(m.dir, "validate")
	args := m.args
	for name, from := range m.outputs {
		dir, output, _ := strings.Cut(from, ":")
		args = append(args, "-var="+name+"="+r.output(dir, output))
	}
	r.run(m.dir, append([]string{"plan", "-input=false", "-out=plan"}, args...)...)
	r.run(m.dir, "apply", "-input=false", "plan")
	r.run(m.dir, append([]string{"plan", "-input=false", "-detailed-exitcode"}, args...)...) // 2 is a failure here
}

func (r terraform) output(dir, name string) string {
	r.t.Helper()
	var value string
	if err := json.Unmarshal(r.run(dir, "output", "-json", name), &value); err != nil {
		r.t.Fatalf("output %s of %s: %v", name, dir, err)
	}
	return value
}

func (r terraform) run(dir string, args ...string) []byte {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), r.bin, args...)
	cmd.Dir = filepath.Join(r.root, filepath.FromSlash(dir))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.home, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
		"TF_CLI_CONFIG_FILE=" + filepath.Join(r.home, "none.tfrc")}
	if err := os.WriteFile(filepath.Join(r.home, "none.tfrc"), nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("%s: terraform %s: %v\n%s%s", dir, strings.Join(args, " "), err, out, &stderr)
	}
	return out
}

// TestServerConfiguration reads the example for operators; it needs a kubeconfig that is not there, which is a warning.
func TestServerConfiguration(t *testing.T) {
	cfg, _, diags := serverconfig.Load("server.hcl", func(string) (string, bool) { return "", false })
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if len(cfg.Repositories) != 1 || cfg.Repositories[0].AutoApply != "no_destroy" || len(cfg.Clusters) != 1 || !cfg.Clusters[0].Default {
		t.Errorf("server.hcl says something else than its comments: %+v", cfg)
	}
}

// copyExample copies an example without what a person who tried Terraform in it has left there.
func copyExample(t *testing.T, name, to string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(name), ".", func(path string, e fs.DirEntry, err error) error {
		base := filepath.Base(path)
		switch {
		case err != nil:
			return err
		case base == ".terraform":
			return fs.SkipDir
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o700)
		case strings.Contains(base, ".tfstate") || base == ".terraform.lock.hcl":
			return nil
		}
		b, err := os.ReadFile(filepath.Join(name, path))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
