package terraform

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const usesNull = `terraform {
  required_providers {
    null = { source = "hashicorp/null" }
  }
}
resource "null_resource" "a" {}
`

// providerMirror writes a filesystem mirror with archives of a provider that cannot run: enough for all that init does. It returns a CLI
// configuration and the archive digest of the last version.
func providerMirror(t *testing.T, versions ...string) (cliConfig, dir, zh string) {
	t.Helper()
	dir = t.TempDir()
	for _, version := range versions {
		var packed bytes.Buffer
		archive := zip.NewWriter(&packed)
		header := &zip.FileHeader{Name: "terraform-provider-null_v" + version + "_x5"}
		header.SetMode(0o755)
		w, err := archive.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte(version+"\n"), 1<<16)); err != nil {
			t.Fatal(err)
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		writeTree(t, dir, map[string]string{
			fmt.Sprintf("registry.terraform.io/hashicorp/null/terraform-provider-null_%s_%s_%s.zip", version, runtime.GOOS, runtime.GOARCH): packed.String(),
		})
		zh = fmt.Sprintf("zh:%x", sha256.Sum256(packed.Bytes()))
	}
	cliConfig = filepath.Join(t.TempDir(), "cli.tfrc")
	writeTree(t, filepath.Dir(cliConfig), map[string]string{"cli.tfrc": fmt.Sprintf("provider_installation {\n filesystem_mirror { path = %q }\n}\n", dir)})
	return cliConfig, dir, zh
}

func lockWith(version string, hashes ...string) string {
	text := fmt.Sprintf("provider \"registry.terraform.io/hashicorp/null\" {\n  version = %q\n  hashes = [\n", version)
	for _, hash := range hashes {
		text += fmt.Sprintf("    %q,\n", hash)
	}
	return text + "  ]\n}\n"
}

// entries lists the cache and checks that each entry's content is what its name says.
func (r *repo) entries() []string {
	r.t.Helper()
	packages, err := installedPackages(r.home.providers)
	if err != nil {
		r.t.Fatal(err)
	}
	var found []string
	for _, p := range packages {
		all, err := os.ReadDir(p.path)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, entry := range all {
			h1, ok := hexH1(entry.Name())
			if !ok {
				continue
			}
			entryPath := filepath.Join(p.path, entry.Name())
			got, err := providerPackage{address: p.address, path: entryPath}.digest()
			if err != nil || got != h1 {
				r.t.Errorf("entry %s has digest %s %v", entryPath, got, err)
			}
			found = append(found, entryPath)
		}
	}
	return found
}

func (r *repo) providerOf(s *Session) string {
	r.t.Helper()
	packages, err := installedPackages(filepath.Join(s.initDir(), "providers"))
	if err != nil || len(packages) != 1 {
		r.t.Fatalf("installed: %v %v", packages, err)
	}
	target, err := os.Readlink(packages[0].path)
	if err != nil {
		r.t.Fatal(err)
	}
	return target
}

func TestParallelInitsShareOneProvider(t *testing.T) {
	t.Parallel()
	cli, mirror, _ := providerMirror(t, "3.2.3", "3.2.4")
	const many = 20
	files := map[string]string{}
	for i := range many {
		files[fmt.Sprintf("w%02d/main.tf", i)] = usesNull
	}
	r := newRepoWith(t, Options{CLIConfig: cli, PathEnv: os.Getenv("PATH")}, files)
	round := func(name string) (outputs []string) {
		outputs = make([]string, many)
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range many {
			all.Go(func() {
				<-start
				s, err := r.home.Open(t.Context(), r.spec(fmt.Sprintf("w%02d", i)))
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				defer s.Close()
				var out bytes.Buffer
				if err := s.Init(t.Context(), &out); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if got := r.providerOf(s); !strings.HasPrefix(got, r.home.providers+"/") || !strings.Contains(got, "3.2.4") {
					t.Errorf("%s: provider at %s", name, got)
				}
				outputs[i] = out.String()
			})
		}
		close(start)
		all.Wait()
		if found := r.entries(); len(found) != 1 {
			t.Errorf("%s: entries %v", name, found)
		}
		return outputs
	}
	round("cold")
	for _, out := range round("nothing changed") {
		if out != "" {
			t.Errorf("init ran again: %s", out)
		}
	}
	forget := func(lockToo bool) {
		for i := range many {
			spec := r.spec(fmt.Sprintf("w%02d", i))
			name := WarmName(spec.Repository, spec.Key)
			dirs := []string{filepath.Join(r.home.views, name), filepath.Join(r.home.initDirs, name)}
			if lockToo {
				dirs = append(dirs, filepath.Join(r.home.lockFiles, name+".hcl"))
			}
			for _, dir := range dirs {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	forget(true)
	for _, out := range round("warm cache, no lock file") {
		if !strings.Contains(out, "from the shared cache directory") {
			t.Errorf("installed again: %s", out)
		}
	}
	forget(false)
	writeTree(t, mirror, map[string]string{"registry.terraform.io/hashicorp/null/terraform-provider-null_9.9.9_linux_amd64.zip": "broken"})
	for _, out := range round("warm cache, kept lock file") {
		if !strings.Contains(out, "Reusing previous version") || !strings.Contains(out, "from the shared cache directory") {
			t.Errorf("installed again: %s", out)
		}
	}
}

// A lock file that was committed on another platform has archive digests only. Init takes it as it is, plan finds the provider it
// verified, and the next workspace with that lock file downloads nothing.
func TestCommittedLockFileOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	cli, mirror, zh := providerMirror(t, "3.2.3", "3.2.2")
	lock := lockWith("3.2.2", "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", zh)
	r := newRepoWith(t, Options{CLIConfig: cli}, map[string]string{
		"a/main.tf": usesNull, "a/.terraform.lock.hcl": lock, "b/main.tf": usesNull, "b/.terraform.lock.hcl": lock,
	})
	schemaOnly := func(s *Session) {
		t.Helper()
		_, err := s.Plan(t.Context(), io.Discard, PlanOptions{})
		var failed *CommandError
		if !errors.As(err, &failed) || failed.Summary != "Failed to load plugin schemas" {
			t.Fatalf("the provider cannot run and nothing else should be wrong: %v", err)
		}
	}
	s := r.ready(r.spec("a"))
	schemaOnly(s)
	s.Close()
	schemaOnly(r.ready(r.spec("a"))) // warm
	// Terraform asks which versions there are in any case; what it would unpack is broken.
	writeTree(t, mirror, map[string]string{fmt.Sprintf("registry.terraform.io/hashicorp/null/terraform-provider-null_3.2.2_%s_%s.zip", runtime.GOOS, runtime.GOARCH): "broken"})
	s = r.ready(r.spec("b"))
	schemaOnly(s)
	if len(r.entries()) != 1 || !strings.HasPrefix(r.providerOf(s), r.home.providers) {
		t.Error("the second workspace has a provider of its own")
	}
	if read(t, filepath.Join(r.tree, "b/.terraform.lock.hcl")) != lock {
		t.Error("the committed lock file was written to")
	}
}

// A committed lock file decides: a provider it does not list, or an archive it does not know, is an error and not an update.
func TestCommittedLockFileIsReadOnly(t *testing.T) {
	t.Parallel()
	cli, _, _ := providerMirror(t, "3.2.4")
	r := newRepoWith(t, Options{CLIConfig: cli}, map[string]string{
		"unlisted/main.tf": usesNull, "unlisted/.terraform.lock.hcl": "# empty\n",
		"other/main.tf": usesNull, "other/.terraform.lock.hcl": lockWith("3.2.4", "zh:"+strings.Repeat("0", 64)),
	})
	for dir, says := range map[string]string{"unlisted": "Provider dependency changes detected", "other": "Failed to install provider"} {
		s := r.open(r.spec(dir))
		err := s.Init(t.Context(), io.Discard)
		var failed *CommandError
		if !errors.As(err, &failed) || failed.Summary != says || failed.Command != "init" {
			t.Errorf("%s: %v", dir, err)
		}
		if _, err := os.Stat(s.initDir()); !os.IsNotExist(err) {
			t.Errorf("%s: a failed init left .terraform: %v", dir, err)
		}
	}
	if found := r.entries(); len(found) != 0 {
		t.Errorf("cached: %v", found)
	}
}

func TestKeptLockFile(t *testing.T) {
	t.Parallel()
	cli, _, _ := providerMirror(t, "3.2.3", "3.2.4")
	pinned := func(version string) string {
		return strings.Replace(usesNull, `"hashicorp/null"`, `"hashicorp/null", version = "`+version+`"`, 1)
	}
	r := newRepoWith(t, Options{CLIConfig: cli}, map[string]string{"a/main.tf": pinned("3.2.3")})
	step := func(config, inputs, provider, note string) {
		t.Helper()
		r.commit(map[string]string{"a/main.tf": config})
		spec := r.spec("a")
		spec.InitInputs = []byte(inputs)
		s := r.ready(spec)
		defer s.Close()
		if got := r.providerOf(s); !strings.Contains(got, provider) {
			t.Errorf("%s: provider at %s, want %s", inputs, got, provider)
		}
		if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, note) {
			t.Errorf("%s: notes %q", inputs, notes)
		}
		if !strings.Contains(read(t, filepath.Join(s.ViewDir(), lockFileName)), provider) {
			t.Errorf("%s: not the lock file of %s", inputs, provider)
		}
	}
	step(pinned("3.2.3"), "one", "3.2.3", "kept with the workspace")
	step(usesNull, "two", "3.2.3", "kept with the workspace") // the kept version goes on
	step(pinned("3.2.4"), "three", "3.2.4", "chosen anew")
	step(usesNull, "two", "3.2.3", "") // a branch that takes turns gets its own .terraform and lock file back
	step(pinned("3.2.4"), "three", "3.2.4", "")
	step(usesNull, "four", "3.2.4", "")
	step(usesNull, "five", "3.2.4", "")
	stored, err := os.ReadDir(filepath.Join(r.home.initDirs, hashName("a", "infra", "a")))
	if err != nil || len(stored) > keptInits {
		t.Errorf("old inits: %v %v", stored, err)
	}
}

// An init that is killed while it unpacks leaves nothing in the cache and nothing that passes for initialised.
func TestKilledInitLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/main.tf": usesNull})
	spec := r.spec("a")
	fake := filepath.Join(t.TempDir(), "terraform")
	half := "registry.terraform.io/hashicorp/null/3.2.4/linux_amd64"
	if err := writeExecutable(fake, []byte("#!/bin/sh\nmkdir -p $TF_PLUGIN_CACHE_DIR/"+half+" .terraform/providers/"+half+"\necho half >$TF_PLUGIN_CACHE_DIR/"+half+"/terraform-provider-null\nkill -9 $$\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec.Tool = Tool{Name: "terraform", Path: fake, Version: "1.11.4", Digest: "fake"}
	s := r.open(spec)
	err := s.Init(t.Context(), io.Discard)
	var failed *CommandError
	if !errors.As(err, &failed) || !strings.Contains(failed.Summary, "signal: killed") {
		t.Fatalf("%v", err)
	}
	// The same with the runner killed too: nobody cleaned up.
	if err := os.MkdirAll(filepath.Join(s.initDir(), "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := s.run
	s.super.end() // as if it had been killed too
	again, err := New(filepath.Dir(r.home.views), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.SweepRuns(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(run); !os.IsNotExist(err) {
		t.Errorf("the killed run's directory is still there: %v", err)
	}
	s, err = again.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if found, err := s.recallInit(); found || err != nil {
		t.Errorf("half a .terraform passes for initialised: %v", err)
	}
	if found := findFiles(t, r.home.providers); len(found) != 0 {
		t.Errorf("cached: %v", found)
	}
}

// A cache entry that a disk or a person changed is found out, removed and installed again.
func TestDamagedCacheEntry(t *testing.T) {
	t.Parallel()
	cli, _, _ := providerMirror(t, "3.2.4")
	r := newRepoWith(t, Options{CLIConfig: cli}, map[string]string{"a/main.tf": usesNull})
	r.ready(r.spec("a")).Close()
	binary := filepath.Join(r.entries()[0], "terraform-provider-null_v3.2.4_x5")
	if err := os.Chmod(binary, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, []byte("damaged"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := r.ready(r.spec("a")) // init's inputs are the same, so nothing looks
	_, err := s.Plan(t.Context(), io.Discard, PlanOptions{})
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Summary != "Failed to load plugin schemas" { // the provider cannot run; nothing else is wrong
		t.Fatalf("%v", err)
	}
	if found := r.entries(); len(found) != 1 || !strings.Contains(strings.Join(s.Notes(), ""), "was damaged") {
		t.Errorf("entries %v, notes %v", found, s.Notes())
	}
}

func TestAddLockHash(t *testing.T) {
	t.Parallel()
	lock := "# head\n\n" + lockWith("3.2.4", "zh:aa") + "\nprovider \"registry.terraform.io/hashicorp/null2\" {\n  version     = \"1.0.0\"\n  constraints = \"~> 1.0\"\n  hashes = [\n    \"h1:x\",\n  ]\n}\n"
	want := strings.Replace(lock, "    \"zh:aa\"", "    \"h1:new\",\n    \"zh:aa\"", 1)
	for _, tt := range []struct{ name, address, version, h1, want string }{
		{"added", "registry.terraform.io/hashicorp/null", "3.2.4", "h1:new", want},
		{"there already", "registry.terraform.io/hashicorp/null2", "1.0.0", "h1:x", lock},
		{"another version", "registry.terraform.io/hashicorp/null", "3.2.40", "h1:new", lock},
		{"not listed", "registry.terraform.io/hashicorp/nul", "3.2.4", "h1:new", lock},
	} {
		if got := addLockHash(lock, tt.address, tt.version, tt.h1); got != tt.want {
			t.Errorf("%s:\n%s", tt.name, got)
		}
	}
	for _, broken := range []string{"", "provider \"registry.terraform.io/hashicorp/null\" {", "provider \"registry.terraform.io/hashicorp/null\" {\n}\n"} {
		if got := addLockHash(broken, "registry.terraform.io/hashicorp/null", "3.2.4", "h1:new"); got != broken {
			t.Errorf("%q became %q", broken, got)
		}
	}
}
