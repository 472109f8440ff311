package parts

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	terraformVersion = "1.11.4"
	terraformBinary  = "terraform"
)

// The backends that are modules of their own inside Terraform's repository, and cannot be had as modules.
var absentBackends = []string{"azure", "consul", "cos", "gcs", "kubernetes", "oss", "pg", "s3"}

//go:embed absent_backend.go.txt
var absentBackend string

var terraformPart = part{
	name: "terraform", version: terraformVersion + "-" + short(absentBackend, strings.Join(absentBackends, ",")),
	about: "Terraform " + terraformVersion + ", which takes about two minutes the first time",
	build: buildTerraform,
}

// Terraform returns the path of a real Terraform: the one on PATH, else one built from its module. The built one has the
// backends local, remote, http and inmem; any other is an error that says so, because the module proxy lacks them.
func Terraform(ctx context.Context, log io.Writer) (string, error) {
	path, err := exec.LookPath(terraformBinary)
	if err == nil {
		return filepath.Abs(path)
	}
	return BuiltTerraform(ctx, log)
}

// BuiltTerraform is [Terraform] without a look at PATH.
func BuiltTerraform(ctx context.Context, log io.Writer) (string, error) {
	dir, err := terraformPart.ensure(ctx, log)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, terraformBinary), nil
}

// foundTerraform is Terraform without building.
func foundTerraform() (string, error) {
	path, err := exec.LookPath(terraformBinary)
	if err == nil {
		return filepath.Abs(path)
	}
	return terraformPart.found(terraformBinary)()
}

func buildTerraform(ctx context.Context, log io.Writer, dir string) error {
	module := filepath.Join(dir, "module")
	var goMod strings.Builder
	// The go line is that of Terraform, since it sets the defaults of GODEBUG that Terraform is tested with.
	goMod.WriteString("module parts\n\ngo 1.23.3\n\ngodebug winsymlink=0\n\n")
	goMod.WriteString("require github.com/hashicorp/terraform v" + terraformVersion + "\n\nreplace (\n")
	replace := func(path, stub, source string) error {
		fmt.Fprintf(&goMod, "\t%s => ./%s\n", path, stub)
		place := filepath.Join(module, stub)
		if err := throwAway(place, "module "+path+"\n\ngo 1.23\n"); err != nil || source == "" {
			return err
		}
		return os.WriteFile(filepath.Join(place, "backend.go"), []byte(source), 0o644)
	}
	var errs []error
	for _, name := range absentBackends {
		source := strings.ReplaceAll(absentBackend, "BACKEND", name)
		errs = append(errs, replace("github.com/hashicorp/terraform/internal/backend/remote-state/"+name, name, source))
	}
	errs = append(errs, replace("github.com/hashicorp/terraform/internal/legacy", "legacy", ""))
	goMod.WriteString(")\n")
	if err := errors.Join(append(errs, throwAway(module, goMod.String()))...); err != nil {
		return err
	}
	build := goBuild{
		dir: module, mod: "mod", pkg: "github.com/hashicorp/terraform", output: filepath.Join(dir, terraformBinary),
		ldflags: "-s -w -X github.com/hashicorp/terraform/version.dev=no",
	}
	if err := build.run(ctx, log); err != nil {
		return err
	}
	return os.RemoveAll(module)
}
