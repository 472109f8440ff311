package parts

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// goBuild is one call of `go build`.
type goBuild struct {
	dir     string // of the module
	mod     string // -mod: "mod" for a throw-away module, "readonly" for one of ours
	pkg     string
	output  string
	ldflags string
	tags    string // "" for none
	cgo     bool   // needs a C compiler
}

const progressEvery = 15 * time.Second

// run builds and tells on log from time to time how far it is. The error holds what the compiler said.
func (b goBuild) run(ctx context.Context, log io.Writer) error {
	args := []string{"build", "-v", "-trimpath", "-buildvcs=false", "-mod=" + b.mod, "-tags", b.tags, "-ldflags", b.ldflags, "-o", b.output, b.pkg}
	cgo := "CGO_ENABLED=0"
	if b.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", cgo)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("go build %s: %w", b.pkg, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go build %s: %w", b.pkg, err)
	}
	said := follow(stderr, log)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("go build %s: %w\n%s", b.pkg, err, strings.Join(said, "\n"))
	}
	return nil
}

// follow reads what `go build -v` prints to its end and returns the lines that are neither a package it compiled nor a
// module it fetched.
func follow(output io.Reader, log io.Writer) (said []string) {
	begin, next := time.Now(), time.Now().Add(progressEvery)
	var fetched, compiled int
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading "):
			fetched++
		case !strings.ContainsAny(line, " :"): // a package path alone
			compiled++
		default:
			said = append(said, line)
		}
		if now := time.Now(); now.After(next) {
			next = now.Add(progressEvery)
			fmt.Fprintf(log, "  %.0f s: %d modules fetched, %d packages compiled\n", now.Sub(begin).Seconds(), fetched, compiled)
		}
	}
	return said
}

// throwAway writes a module that requires another one, for building a program that is no dependency of ours.
func throwAway(dir, goMod string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make module: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(goMod), 0o644); err != nil {
		return fmt.Errorf("make module: %w", err)
	}
	return nil
}
