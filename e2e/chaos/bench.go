package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/internal/build"
)

// bench is what every scenario stands on.
type bench struct {
	ctx       context.Context
	settings  settings
	out       io.Writer
	dir       string   // everything is below it
	mooring   string   // the binary
	terraform string   // the executable
	wrap      []string // argv to put before every mooring: what denies namespaces
	totals    totals
}

// totals are sums over all scenarios.
type totals struct {
	mu                         sync.Mutex
	applies, effects           int
	overlaps, doubled, restart int
	slowest                    time.Duration // from a restart to the last lock of a dead run being free
	slow                       int           // restarts that took longer than lockLimit
	leaks, pairs               int           // canaries found, of sources × sinks
}

func (t *totals) canaries(found, of int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaks += found
	t.pairs += of
}

// add counts what a world's journal shows, once a world.
func (t *totals) add(w *world) {
	lines, err := readJournal(w.journal)
	if err != nil {
		return // the round that tore it has missed already
	}
	v := replay(lines)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.applies += v.applies
	t.effects += v.effects
	t.overlaps += len(v.overlaps)
	t.doubled += len(v.doubled)
}

// lockLimit is how long after a restart a workspace may stay locked by a run of the dead runner.
const lockLimit = 10 * time.Second

func (t *totals) usable(after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.restart++
	t.slowest = max(t.slowest, after)
	if after > lockLimit {
		t.slow++
	}
}

func (b *bench) sums() []row {
	t := &b.totals
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := []row{
		{name: "overlapping applies", passed: t.overlaps, of: t.applies, zero: true, what: "of all applies above"},
		{name: "effects doubled", passed: t.doubled, of: t.effects, zero: true, what: "of all effects above"},
	}
	if t.pairs > 0 {
		rows = append(rows, row{name: "canary secrets found in sinks", passed: t.leaks, of: t.pairs, zero: true, what: "of sources × sinks"})
	}
	if t.restart > 0 {
		rows = append(rows, row{
			name: "lock usable ≤ 10 s after restart", passed: t.restart - t.slow, of: t.restart,
			what: fmt.Sprintf("the slowest after %.1f s, with the apply that went on", t.slowest.Seconds()),
		})
	}
	return rows
}

// prepare builds the binary and finds Terraform.
func (b *bench) prepare() error {
	dir, err := os.MkdirTemp("", "mooring-chaos-")
	if err != nil {
		return err
	}
	if b.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "in %s\n", b.dir)
	if b.terraform, err = parts.Terraform(b.ctx, b.out); err != nil {
		return err
	}
	if b.mooring, err = b.program(); err != nil {
		return err
	}
	switch b.settings.mode {
	case modeNamespaces, "":
		return nil
	case modeLandlock:
		b.wrap, err = b.denied()
		return err
	}
	return fmt.Errorf("there is no mode %q", b.settings.mode)
}

// denied is the argv that runs a program where namespaces are refused.
func (b *bench) denied() ([]string, error) {
	root, err := moduleRoot(b.ctx)
	if err != nil {
		return nil, err
	}
	helper := filepath.Join(b.dir, "bin", "denyns")
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", helper, "./e2e/confine/cmd")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build a program that refuses namespaces: %w\n%s", err, out)
	}
	return []string{helper}, nil
}

// program builds Mooring as it ships, or answers the path of one that is there.
func (b *bench) program() (string, error) {
	if b.settings.mooring != "" {
		return filepath.Abs(b.settings.mooring)
	}
	binary := filepath.Join(b.dir, "bin", "mooring")
	return binary, build.Mooring(b.ctx, build.Static, binary)
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	if _, err := os.Stat(filepath.Join(root, "cmd", "mooring")); err != nil {
		return "", errors.New("run it inside Mooring's source tree")
	}
	return root, nil
}

// clear removes what nobody has to look at. A directory with a miss in it stays.
func (b *bench) clear() {
	_ = os.RemoveAll(filepath.Join(b.dir, "bin"))
	entries, _ := os.ReadDir(b.dir)
	for _, e := range entries {
		_ = os.Remove(filepath.Join(b.dir, e.Name())) // fails where something was left
	}
	_ = os.Remove(b.dir)
}
