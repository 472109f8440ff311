package terraform

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/internal/terraform/releases"
)

// onPath makes a directory with an executable that says it is a version.
func onPath(t *testing.T, name, version string) string {
	t.Helper()
	dir := t.TempDir()
	if err := writeExecutable(filepath.Join(dir, name), []byte(script(version)), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFindPrefersPathThenInstalledThenNewest(t *testing.T) {
	server := newReleaseServer(t, damage{}, "1.5.7", "1.9.8", "1.10.0-rc1", "1.9.2", "2.0.0+ent")
	tools := &Tools{
		Dir: t.TempDir(), PathEnv: onPath(t, "terraform", "1.6.1") + ":" + onPath(t, "terraform", "1.7.0"), Releases: releases.Server{URL: server.URL, PublicKey: server.publicKey},
	}
	for _, tt := range []struct {
		constraints []string
		version     string
		onPath      bool
		downloads   int32 // in all, after this
	}{
		{nil, "1.6.1", true, 0},
		{[]string{">= 1.5"}, "1.6.1", true, 0},
		{[]string{">= 1.5", "~> 1.7.0"}, "1.7.0", true, 0}, // the second on PATH
		{[]string{"~> 1.5.0"}, "1.5.7", false, 1},
		{[]string{"~> 1.5.0"}, "1.5.7", false, 1}, // installed before
		{[]string{">= 1.8"}, "1.9.8", false, 2},   // the newest, no pre-release, no enterprise
		{[]string{"> 1.8"}, "1.9.8", false, 2},
		{[]string{"1.9.2"}, "1.9.2", false, 3},
		{[]string{"1.10.0-rc1"}, "1.10.0-rc1", false, 4}, // asked for by name
		{[]string{">= 1.5", "< 1.6"}, "1.5.7", false, 4},
	} {
		tool, err := tools.Find(t.Context(), "terraform", tt.constraints)
		if err != nil {
			t.Fatalf("%v: %v", tt.constraints, err)
		}
		if tool.Version != tt.version || len(tool.Digest) != 64 || strings.HasPrefix(tool.Path, tools.Dir) == tt.onPath {
			t.Errorf("%v: found %+v, want %s", tt.constraints, tool, tt.version)
		}
		if got := server.archives.Load(); got != tt.downloads {
			t.Errorf("%v: %d downloads, want %d", tt.constraints, got, tt.downloads)
		}
	}
	if entries, _ := filepath.Glob(filepath.Join(tools.Dir, "terraform", ".install-*")); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestFindRefuses(t *testing.T) {
	good := newReleaseServer(t, damage{}, "1.9.8")
	broken := newReleaseServer(t, damage{archive: true}, "1.9.8")
	forged := newReleaseServer(t, damage{signature: true}, "1.9.8")
	gone := newReleaseServer(t, damage{}, "1.9.8")
	gone.Close()
	dir := onPath(t, "terraform", "1.6.1")
	for _, tt := range []struct {
		name   string
		tools  *Tools
		tool   string
		want   []string
		says   []string
		noTool bool
	}{
		{"checksum", &Tools{Releases: releases.Server{URL: broken.URL, PublicKey: broken.publicKey}}, "terraform", []string{"~> 1.9"}, []string{`required_version "~> 1.9"`, "found 1.6.1 (" + dir, "checksum does not match"}, true},
		{"signature", &Tools{Releases: releases.Server{URL: forged.URL, PublicKey: forged.publicKey}}, "terraform", []string{"~> 1.9"}, []string{"verify checksums signature"}, true},
		{"official key for another's signature", &Tools{Releases: releases.Server{URL: good.URL}}, "terraform", []string{"~> 1.9"}, []string{"verify checksums signature"}, true},
		{"nobody offers it", &Tools{Releases: releases.Server{URL: good.URL, PublicKey: good.publicKey}}, "terraform", []string{"~> 3.0", ">= 1.0"}, []string{`"~> 3.0" and ">= 1.0"`, "found 1.6.1", "offers no version", "change required_version"}, true},
		{"unreachable", &Tools{Releases: releases.Server{URL: gone.URL, PublicKey: gone.publicKey}}, "terraform", []string{"~> 1.9"}, []string{"connection refused", "put one that does on PATH"}, true},
		{"no downloads", &Tools{}, "terraform", []string{"~> 1.9"}, []string{"downloads are turned off"}, true},
		{"tofu", &Tools{Releases: releases.Server{URL: good.URL}}, "tofu", []string{"~> 1.9"}, []string{"no tofu", "none found on PATH", "OpenTofu is never downloaded"}, true},
		{"named by the operator", &Tools{Releases: releases.Server{URL: good.URL, PublicKey: good.publicKey}, Paths: map[string]string{"terraform": filepath.Join(dir, "terraform")}}, "terraform", []string{"~> 1.9"}, []string{"found 1.6.1"}, true},
		{"not a constraint", &Tools{}, "terraform", []string{"newest"}, []string{`required_version "newest"`}, false},
		{"another program", &Tools{}, "sh", nil, []string{"only terraform and tofu"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.tools.Dir, tt.tools.PathEnv = t.TempDir(), dir
			start := time.Now()
			tool, err := tt.tools.Find(t.Context(), tt.tool, tt.want)
			if err == nil {
				t.Fatalf("found %+v", tool)
			}
			if errors.Is(err, ErrNoTool) != tt.noTool {
				t.Errorf("errors.Is(ErrNoTool) = %v", !tt.noTool)
			}
			for _, says := range tt.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q is not in: %v", says, err)
				}
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if left, _ := filepath.Glob(filepath.Join(tt.tools.Dir, "terraform", "*", "terraform")); len(left) != 0 {
				t.Errorf("something was installed: %v", left)
			}
		})
	}
}

func TestFindInstallsOnceForAll(t *testing.T) {
	server := newReleaseServer(t, damage{}, "1.9.8")
	tools := &Tools{Dir: t.TempDir(), Releases: releases.Server{URL: server.URL, PublicKey: server.publicKey}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if tool, err := tools.Find(t.Context(), "terraform", []string{">= 1.9"}); err != nil || tool.Version != "1.9.8" {
				t.Errorf("%+v %v", tool, err)
			}
		})
	}
	all.Wait()
	if got := server.archives.Load(); got != 1 {
		t.Errorf("%d downloads", got)
	}
}

// The version is asked once for an executable, also after a restart, and again when it was replaced.
func TestFindRemembersVersions(t *testing.T) {
	dir, asked := t.TempDir(), filepath.Join(t.TempDir(), "asked")
	write := func(version string) {
		text := strings.Replace(script(version), "#!/bin/sh\n", "#!/bin/sh\necho x >>"+asked+"\n", 1)
		if err := writeExecutable(filepath.Join(dir, "tofu"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	state := t.TempDir()
	find := func(want string, times int) {
		t.Helper()
		tools := &Tools{Dir: state, PathEnv: dir}
		for range 3 {
			if tool, err := tools.Find(t.Context(), "tofu", nil); err != nil || tool.Version != want {
				t.Fatalf("%+v %v", tool, err)
			}
		}
		if got := strings.Count(read(t, asked), "x"); got != times {
			t.Fatalf("asked %d times, want %d", got, times)
		}
	}
	write("1.8.0")
	find("1.8.0", 1)
	find("1.8.0", 1)
	write("1.10.0")
	find("1.10.0", 2)
	if err := os.WriteFile(filepath.Join(state, "versions.json"), []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	find("1.10.0", 3)
}
