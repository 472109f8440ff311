package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestPartIsBuiltOnceByManyAtATime(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var built atomic.Int32
	p := part{name: "thing", version: "1", about: "a thing", build: func(_ context.Context, _ io.Writer, dir string) error {
		built.Add(1)
		return os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644)
	}}
	if _, err := p.found("file")(); !errors.Is(err, ErrNotBuilt) {
		t.Fatalf("found before it is built: %v, want ErrNotBuilt", err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			dir, err := p.ensure(t.Context(), io.Discard)
			if err != nil {
				t.Error(err)
				return
			}
			if content, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(content) != "content" {
				t.Errorf("file = %q, %v", content, err)
			}
		})
	}
	group.Wait()
	if built.Load() != 1 {
		t.Errorf("built %d times, want once", built.Load())
	}
	if path, err := p.found("file")(); err != nil || filepath.Base(path) != "file" {
		t.Errorf("found = %q, %v", path, err)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	broken := errors.New("does not compile")
	p := part{name: "thing", version: "1", build: func(_ context.Context, _ io.Writer, dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "half"), nil, 0o644), broken)
	}}
	if _, err := p.ensure(t.Context(), io.Discard); !errors.Is(err, broken) {
		t.Fatalf("error = %v, want that of the build", err)
	}
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "lock" {
			t.Errorf("the cache holds %s after a failed build", entry.Name())
		}
	}
}

func TestWaitForAnotherBuildCanBeCancelled(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	inner := part{name: "inner", version: "1", build: func(context.Context, io.Writer, string) error { return nil }}
	outer := part{name: "outer", version: "1", build: func(context.Context, io.Writer, string) error {
		cancel()
		_, err := inner.ensure(ctx, io.Discard)
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("inner build under the lock: %v, want it cancelled", err)
		}
		return nil
	}}
	if _, err := outer.ensure(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
}

func TestCacheNeedsAHome(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if dir, err := cacheDir(); err == nil {
		t.Fatalf("cache = %q without HOME, want an error", dir)
	}
	t.Setenv("HOME", "/home/ada")
	if dir, err := cacheDir(); err != nil || dir != "/home/ada/.cache/mooring-e2e" {
		t.Errorf("cache = %q, %v", dir, err)
	}
}

func TestDigestSeesWhatDecidesTheBuild(t *testing.T) {
	write := func(dir, name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	base := map[string]string{"go.mod": "module x", "main.go": "package main", "README.md": "hello"}
	tests := []struct {
		name, file, content string
		same                bool
	}{
		{"nothing", "main.go", "package main", true},
		{"a document", "README.md", "changed", true},
		{"a test", "main_test.go", "package main", true},
		{"source", "main.go", "package main // changed", false},
		{"a new file", "stages.yaml", "{}", false},
		{"requirements", "go.mod", "module y", false},
	}
	digestOf := func(t *testing.T, file, content string) string {
		dir := t.TempDir()
		for name, text := range base {
			write(dir, name, text)
		}
		write(dir, file, content)
		sum, err := digest(dir)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	want := digestOf(t, "main.go", base["main.go"])
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := digestOf(t, test.file, test.content); (got == want) != test.same {
				t.Errorf("digest %s and %s, want the same: %t", got, want, test.same)
			}
		})
	}
}

func TestCompilerErrorsAreKept(t *testing.T) {
	output := "go: downloading example.com/a v1.0.0\nexample.com/a\nexample.com/b\n# example.com/c\n./c.go:3:5: undefined: x\n"
	said := follow(strings.NewReader(output), io.Discard)
	want := []string{"# example.com/c", "./c.go:3:5: undefined: x"}
	if strings.Join(said, "|") != strings.Join(want, "|") {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestBrokenProgramDoesNotBuild(t *testing.T) {
	dir := t.TempDir()
	if err := throwAway(dir, "module parts\n\ngo 1.26\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { missing() }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := goBuild{dir: dir, mod: "mod", pkg: ".", output: filepath.Join(dir, "out")}.run(t.Context(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "undefined: missing") {
		t.Errorf("error = %v, want the compiler's words", err)
	}
}
