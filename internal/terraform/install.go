package terraform

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
	"github.com/hashicorp/hc-install/src"
)

// install fetches the newest Terraform that satisfies want: hc-install verifies the checksum of the archive and the signature of the
// checksums. It appears under its final name only when whole: Dir/terraform/<version>/terraform.
func (t *Tools) install(ctx context.Context, want version.Constraints) (string, error) {
	newest, err := t.newest(ctx, want)
	if err != nil {
		return "", err
	}
	parent := filepath.Join(t.Dir, "terraform")
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	staging, err := os.MkdirTemp(parent, ".install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(staging)
	source := &releases.ExactVersion{
		Product: product.Terraform, Version: newest, InstallDir: staging, Timeout: 10 * time.Minute,
		ApiBaseURL: t.ReleasesURL, ArmoredPublicKey: t.PublicKey, HTTPClient: &http.Client{},
	}
	if _, err := source.Install(ctx); err != nil {
		return "", fmt.Errorf("install terraform %s: %w", newest, err)
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

// newest asks the release server, without the retries of a quarter of a minute that hc-install's own client makes: the caller retries.
func (t *Tools) newest(ctx context.Context, want version.Constraints) (*version.Version, error) {
	list := &releases.Versions{
		Product: product.Terraform, Constraints: want, ApiBaseURL: t.ReleasesURL, HTTPClient: &http.Client{}, ListTimeout: time.Minute,
	}
	offered, err := list.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list releases: %w", err)
	}
	asked := slices.ContainsFunc(want, func(c *version.Constraint) bool { return c.Prerelease() })
	var newest *version.Version
	for _, source := range offered {
		if v := releaseVersion(source); v != nil && (asked || v.Prerelease() == "") && (newest == nil || v.GreaterThan(newest)) {
			newest = v
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("the release server offers no version that satisfies it")
	}
	return newest, nil
}

func releaseVersion(source src.Source) *version.Version {
	if exact, ok := source.(*releases.ExactVersion); ok {
		return exact.Version
	}
	return nil
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
