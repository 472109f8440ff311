package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
)

const workspaces = 50

// builtIn is a root module that needs no provider.
func builtIn(i, version int) string {
	return fmt.Sprintf(`resource "terraform_data" "a" {
  input = "workspace %d, version %d"
}
resource "terraform_data" "b" {
  input = terraform_data.a.id
}
output "id" {
  value = terraform_data.b.id
}
`, i, version)
}

// withProviders is a root module that uses three real providers.
func withProviders(i, version int) string {
	return fmt.Sprintf(`terraform {
  required_providers {
    null   = { source = "hashicorp/null" }
    random = { source = "hashicorp/random" }
    local  = { source = "hashicorp/local" }
  }
}
resource "null_resource" "a" {
  triggers = { version = "workspace %d, version %d" }
}
resource "random_id" "b" {
  byte_length = 4
}
resource "local_file" "c" {
  filename = "/tmp/mooring-bench-${random_id.b.hex}"
  content  = "version %d"
}
`, i, version, version)
}

// fleetOf is a repository of workspaces, a bare one that others clone and a
// working copy to commit from.
type fleetOf struct {
	b       *bench
	bare    string
	work    string
	module  func(i, version int) string
	version int
}

func (b *bench) newFleet(ctx context.Context, name string, module func(i, version int) string) (*fleetOf, error) {
	f := &fleetOf{b: b, bare: filepath.Join(b.dir, name+".git"), work: filepath.Join(b.dir, name), module: module}
	all := make([]int, workspaces)
	for i := range all {
		all[i] = i
	}
	if err := f.write(all); err != nil {
		return nil, err
	}
	for _, argv := range [][]string{
		{"git", "init", "-q", "-b", "main", "."}, {"git", "add", "-A"}, {"git", "commit", "-q", "-m", "first"},
		{"git", "clone", "-q", "--bare", ".", f.bare}, {"git", "remote", "add", "origin", f.bare},
	} {
		if _, err := b.exec(ctx, f.work, argv...); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *fleetOf) write(which []int) error {
	f.version++
	for _, i := range which {
		dir := filepath.Join(f.work, "ws", fmt.Sprintf("w%02d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(f.module(i, f.version)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// push commits a change to some workspaces.
func (f *fleetOf) push(ctx context.Context, which []int) error {
	if err := f.write(which); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"git", "commit", "-q", "-a", "-m", fmt.Sprintf("version %d", f.version)}, {"git", "push", "-q", "origin", "main"},
	} {
		if _, err := f.b.exec(ctx, f.work, argv...); err != nil {
			return err
		}
	}
	return nil
}

// bareCommands clones the repository and runs the four commands in the named
// workspaces, two at a time.
func (f *fleetOf) bareCommands(ctx context.Context, which []int) (time.Duration, error) {
	clone, err := os.MkdirTemp(f.b.dir, "bare-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(clone)
	var dirs []string
	for _, i := range which {
		dirs = append(dirs, fmt.Sprintf("ws/w%02d", i))
	}
	script := `git clone -q "$1" "$2" && cd "$2" && shift 2 && printf '%s\n' "$@" | xargs -P2 -I{} sh -ec '
		cd {}
		terraform init -input=false >init.log
		terraform plan -input=false -out=p >plan.log
		terraform show -json p >p.json
		terraform apply p >apply.log'`
	return f.b.exec(ctx, f.b.dir, append([]string{"sh", "-ec", script, "sh", f.bare, filepath.Join(clone, "repo")}, dirs...)...)
}

// config writes a server.hcl for the fleet with a data directory of its own.
func (f *fleetOf) config(dataDir string, lines ...string) (string, error) {
	path := dataDir + ".hcl"
	text := fmt.Sprintf("data_dir = %q\n%s\nrepository \"infra\" {\n  url        = %q\n  branch     = \"main\"\n  poll       = \"1h\"\n  auto_apply = \"always\"\n}\n",
		dataDir, strings.Join(lines, "\n"), f.bare)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// fresh: everything from nothing, with one sync.
func (b *bench) fresh(ctx context.Context) error {
	f, err := b.newFleet(ctx, "fresh", builtIn)
	if err != nil {
		return err
	}
	all := make([]int, workspaces)
	for i := range all {
		all[i] = i
	}
	return b.pair(fmt.Sprintf("%d fresh workspaces, one sync", workspaces), 1.2, func(round int) (time.Duration, error) {
		data := filepath.Join(b.dir, fmt.Sprintf("fresh-data-%d", round))
		defer os.RemoveAll(data)
		config, err := f.config(data)
		if err != nil {
			return 0, err
		}
		return b.exec(ctx, b.dir, b.mooring, "sync", "-c", config)
	}, func(int) (time.Duration, error) { return f.bareCommands(ctx, all) })
}

// second: a commit that changes five of fifty, in a running server.
func (b *bench) second(ctx context.Context) error {
	return b.secondCommit(ctx, "second", builtIn, 1.15, "a commit to 5 of 50, running server")
}

// providers: the same with three real providers in each workspace, where init is
// what the bare commands cannot skip.
func (b *bench) providers(ctx context.Context) error {
	return b.withMirror(ctx, func(lines ...string) error {
		return b.secondCommit(ctx, "providers", withProviders, 0.9, "the same with providers null, random, local", lines...)
	})
}

// withMirror has everything within use the real providers, from a mirror.
func (b *bench) withMirror(ctx context.Context, do func(lines ...string) error) error {
	mirror, err := parts.Providers(ctx, os.Stderr)
	if err != nil {
		return err
	}
	rc := filepath.Join(b.dir, "providers.tfrc")
	if err := parts.WriteCLIConfig(rc, mirror); err != nil {
		return err
	}
	defer func(env []string) { b.env = env }(b.env)
	b.env = append(b.env[:len(b.env):len(b.env)], "TF_CLI_CONFIG_FILE="+rc)
	return do(fmt.Sprintf("cli_config = %q", rc))
}

func (b *bench) secondCommit(ctx context.Context, name string, module func(i, version int) string, bar float64, title string, lines ...string) error {
	f, err := b.newFleet(ctx, name, module)
	if err != nil {
		return err
	}
	data := filepath.Join(b.dir, name+"-data")
	config, err := f.config(data, lines...)
	if err != nil {
		return err
	}
	s, err := b.serve(ctx, config)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := b.exec(ctx, b.dir, b.mooring, "sync", "-c", config); err != nil { // the first pass, or the wait for it
		return err
	}
	some := []int{3, 11, 22, 33, 44}
	return b.pair(title, bar, func(int) (time.Duration, error) {
		if err := f.push(ctx, some); err != nil {
			return 0, err
		}
		return b.exec(ctx, b.dir, b.mooring, "sync", "-c", config)
	}, func(int) (time.Duration, error) { return f.bareCommands(ctx, some) })
}
