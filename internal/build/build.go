// Package build builds Mooring as it ships: with the program inside that supervises Terraform.
package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/mooring-iac/mooring"

// Static is the environment of a build that needs no C library, as additions.
var Static = []string{"CGO_ENABLED=0"}

// Mooring builds the program, from anywhere in its module. env is added to the environment, flags are those of `go build`.
func Mooring(ctx context.Context, env []string, output string, flags ...string) error {
	dir, err := os.MkdirTemp("", "mooring-build-")
	if err != nil {
		return fmt.Errorf("build mooring: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is the system's to clear
	inside, err := Supervisor(ctx, dir)
	if err != nil {
		return err
	}
	_, err = run(ctx, env, slices.Concat([]string{"build"}, inside, []string{"-o", output}, flags, []string{module + "/cmd/mooring"})...)
	return err
}

// Supervisor builds the program that supervises Terraform into a directory, and returns the flags with which `go build` and
// `go test` put it inside. They hand it over by an overlay, so that no copy of it lies in the tree and grows old there.
func Supervisor(ctx context.Context, dir string) (flags []string, err error) {
	supervisor := filepath.Join(dir, "supervisor")
	if _, err := run(ctx, Static, "build", "-trimpath", "-ldflags", "-s -w", "-o", supervisor, module+"/internal/terraform/supervisor"); err != nil {
		return nil, err
	}
	root, err := run(ctx, nil, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return nil, err
	}
	overlay := filepath.Join(dir, "overlay.json")
	place := filepath.Join(root, "internal", "terraform", "supervisor", "program")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{place: supervisor}})
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("build the supervisor: %w", err)
	}
	return []string{"-tags", "embedded", "-overlay", overlay}, nil
}

func run(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = slices.Concat(os.Environ(), env)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
