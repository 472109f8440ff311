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
//
// The supervisor is built first and handed over by an overlay, so that no copy of it lies in the tree and grows old there.
func Mooring(ctx context.Context, env []string, output string, flags ...string) error {
	dir, err := os.MkdirTemp("", "mooring-build-")
	if err != nil {
		return fmt.Errorf("build mooring: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is the system's to clear
	supervisor := filepath.Join(dir, "supervisor")
	if _, err := run(ctx, Static, "build", "-trimpath", "-ldflags", "-s -w", "-o", supervisor, module+"/internal/terraform/supervisor"); err != nil {
		return err
	}
	root, err := run(ctx, nil, "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return err
	}
	overlay := filepath.Join(dir, "overlay.json")
	place := filepath.Join(root, "internal", "terraform", "supervisor", "program")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{place: supervisor}})
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("build mooring: %w", err)
	}
	args := append([]string{"build", "-tags", "embedded", "-overlay", overlay, "-o", output}, flags...)
	_, err = run(ctx, env, append(args, module+"/cmd/mooring")...)
	return err
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
