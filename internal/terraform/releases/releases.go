// Package releases fetches Terraform from HashiCorp's release server, or from one like it.
//
// It is apart from package terraform, which is given it, because of a supervisor's start: see that package's supervise.go.
package releases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
	"github.com/hashicorp/hc-install/src"
)

// Server is a release server.
type Server struct {
	URL       string // "" is https://releases.hashicorp.com
	PublicKey string // armored, of whoever signs its releases; "" is HashiCorp's
}

// Install unpacks the newest Terraform that satisfies want into dir, and tells its version. hc-install verifies the checksum of the archive
// and the signature of the checksums.
func (s Server) Install(ctx context.Context, want version.Constraints, dir string) (*version.Version, error) {
	newest, err := s.newest(ctx, want)
	if err != nil {
		return nil, err
	}
	source := &releases.ExactVersion{
		Product: product.Terraform, Version: newest, InstallDir: dir, Timeout: 10 * time.Minute,
		ApiBaseURL: s.URL, ArmoredPublicKey: s.PublicKey, HTTPClient: &http.Client{},
	}
	if err := install(ctx, source); err != nil {
		return nil, fmt.Errorf("install terraform %s: %w", newest, err)
	}
	return newest, nil
}

// install is source.Install with the error it means: hc-install v0.10 answers a wrong checksum by unpacking nothing, then fails to find
// what it did not unpack; the reason is only in its log.
func install(ctx context.Context, source *releases.ExactVersion) error {
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
func (s Server) newest(ctx context.Context, want version.Constraints) (*version.Version, error) {
	list := &releases.Versions{
		Product: product.Terraform, Constraints: want, ApiBaseURL: s.URL, HTTPClient: &http.Client{}, ListTimeout: time.Minute,
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
