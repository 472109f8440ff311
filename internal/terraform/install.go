package terraform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	if err := runInstall(ctx, source); err != nil {
		return "", fmt.Errorf("install terraform %s: %w", newest, err)
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

// runInstall is source.Install with the error it means: hc-install v0.10 answers a wrong checksum by unpacking nothing, then fails to find
// what it did not unpack; the reason is only in its log.
func runInstall(ctx context.Context, source *releases.ExactVersion) error {
	var said bytes.Buffer
	source.SetLogger(log.New(&said, "", 0))
	_, err := source.Install(ctx)
	if err == nil {
		return nil
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "checksum does not match") {
			return errors.New(strings.TrimSpace(line))
		}
	}
	return err
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
		return nil, errors.New("the release server offers no version that satisfies it")
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
