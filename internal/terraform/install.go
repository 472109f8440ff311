package terraform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-version"
)

// Releases is where Terraform is installed from.
type Releases interface {
	// Install unpacks the newest Terraform that satisfies want into dir, verified, and tells its version.
	Install(ctx context.Context, want version.Constraints, dir string) (*version.Version, error)
}

// install fetches the newest Terraform that satisfies want. It appears under its final name only when whole:
// Dir/terraform/<version>/terraform.
func (t *Tools) install(ctx context.Context, want version.Constraints) (string, error) {
	parent := filepath.Join(t.Dir, "terraform")
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	staging, err := os.MkdirTemp(parent, ".install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(staging)
	newest, err := t.Releases.Install(ctx, want, staging)
	if err != nil {
		return "", err
	}
	// hc-install v0.10 loses errors that come up while it unpacks, a full disk for one. What runs and says its version is whole.
	if printed, err := askVersion(ctx, filepath.Join(staging, "terraform")); err != nil {
		return "", fmt.Errorf("install terraform %s: it does not run: %w", newest, err)
	} else if printed != newest.String() {
		return "", fmt.Errorf("install terraform %s: it says it is %s", newest, printed)
	}
	if err := os.Chmod(filepath.Join(staging, "terraform"), 0o500); err != nil {
		return "", err
	}
	final := filepath.Join(parent, newest.String())
	if err := os.RemoveAll(final); err != nil {
		return "", err
	}
	if err := os.Rename(staging, final); err != nil {
		return "", err
	}
	return filepath.Join(final, "terraform"), nil
}

// installed lists executables of former installs, newest first.
func (t *Tools) installed() []string {
	entries, err := os.ReadDir(filepath.Join(t.Dir, "terraform"))
	if err != nil {
		return nil
	}
	var versions version.Collection
	for _, entry := range entries {
		if v, err := version.NewVersion(entry.Name()); err == nil {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b *version.Version) int { return b.Compare(a) })
	var found []string
	for _, v := range versions {
		found = append(found, filepath.Join(t.Dir, "terraform", v.Original(), "terraform"))
	}
	return found
}
