package parts

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// provider is a provider that is built from its module.
type provider struct {
	name    string // hashicorp/<name>
	version string // the release the commit belongs to
	module  string // path and version of the module whose main package it is
}

// providers are the newest of each that can be had as a module; the releases are not published as such. All speak
// plugin protocol 5. The module path is the one that the go.mod of that commit declares.
var providers = []provider{
	{"null", "2.1.2", "github.com/terraform-providers/terraform-provider-null v1.0.1-0.20191204185112-e5c592237f62"},
	{"random", "3.6.0", "github.com/terraform-providers/terraform-provider-random v1.3.2-0.20231204135814-c6e90de46687"},
	{"local", "1.4.0", "github.com/terraform-providers/terraform-provider-local v1.4.0"},
	{"tls", "4.0.4", "github.com/hashicorp/terraform-provider-tls v1.2.1-0.20230117062332-afdd54107aba"},
}

// providerHosts are the registries whose addresses the mirror answers for: Terraform's and OpenTofu's.
var providerHosts = []string{"registry.terraform.io", "registry.opentofu.org"}

var providersPart = part{
	name: "providers", version: short(fmt.Sprint(providers)),
	about: "the providers null, random, local and tls, which takes about a minute the first time",
	build: buildProviders,
}

// Providers returns the directory of a filesystem mirror with the real providers hashicorp/null 2.1.2, random 3.6.0,
// local 1.4.0 and tls 4.0.4 for this platform, under both registry.terraform.io and registry.opentofu.org.
// [WriteCLIConfig] makes Terraform use it.
func Providers(ctx context.Context, log io.Writer) (mirrorDir string, err error) {
	return providersPart.ensure(ctx, log)
}

func buildProviders(ctx context.Context, log io.Writer, dir string) error {
	modules := filepath.Join(dir, "modules")
	for _, p := range providers {
		if err := p.build(ctx, log, filepath.Join(modules, p.name), dir); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return os.RemoveAll(modules)
}

// build builds one provider and puts it where both registries' addresses find it.
func (p provider) build(ctx context.Context, log io.Writer, module, mirror string) error {
	if err := throwAway(module, "module parts\n\ngo 1.26\n\nrequire "+p.module+"\n"); err != nil {
		return err
	}
	var path string
	if _, err := fmt.Sscan(p.module, &path); err != nil {
		return fmt.Errorf("module %q: %w", p.module, err)
	}
	built := filepath.Join(module, "provider")
	build := goBuild{dir: module, mod: "mod", pkg: path, output: built, ldflags: "-s -w -X main.version=" + p.version}
	if err := build.run(ctx, log); err != nil {
		return err
	}
	for _, host := range providerHosts {
		place := filepath.Join(mirror, host, "hashicorp", p.name, p.version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(place, 0o755); err != nil {
			return err
		}
		if err := os.Link(built, filepath.Join(place, "terraform-provider-"+p.name+"_v"+p.version+"_x5")); err != nil {
			return err
		}
	}
	return nil
}

// WriteCLIConfig writes a CLI configuration file with which Terraform and OpenTofu take providers from a mirror and from
// nowhere else. Name it in TF_CLI_CONFIG_FILE.
func WriteCLIConfig(file, mirrorDir string) error {
	content := fmt.Sprintf(`disable_checkpoint = true

provider_installation {
  filesystem_mirror {
    path = %q
  }
}
`, mirrorDir)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return fmt.Errorf("write CLI configuration: %w", err)
	}
	return nil
}
