package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// supervisor: what the process that outlives the runner adds to a unit's bare commands: time until the first command may
// start, processor time of its own by the middle of the apply, and anonymous memory there.
func (b *bench) supervisor(ctx context.Context) error {
	var start, cpu, memory []float64
	for round := range max(b.rounds, 5) {
		s, err := b.supervised(ctx, round)
		if err != nil {
			return err
		}
		start, cpu, memory = append(start, s.start), append(cpu, s.cpu), append(memory, s.memory)
	}
	row := func(name string, v []float64, bar float64, unit string) {
		b.figures = append(b.figures, figure{name: name, mooring: fmt.Sprintf("%.1f %s", median(v), unit), result: median(v), bar: bar, unit: unit})
	}
	row("supervisor: until the first command of a unit may start", start, 30, "ms")
	row("supervisor: processor time of its own, start to apply", cpu, 30, "ms")
	row("supervisor: anonymous memory during an apply", memory, 25, "MB")
	return nil
}

// supervisorCost is milliseconds and megabytes of one supervisor.
type supervisorCost struct{ start, cpu, memory float64 }

// supervised has one unit wait in the middle of its apply, and looks at its supervisor there.
func (b *bench) supervised(ctx context.Context, round int) (cost supervisorCost, err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("supervised-%d", round))
	marks := filepath.Join(dir, "marks")
	module := filepath.Join(dir, "repo", "a")
	for _, d := range []string{marks, module} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return cost, err
		}
	}
	text := fmt.Sprintf("resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"touch %[1]s/began; while ! test -e %[1]s/go; do sleep 0.02; done\"\n  }\n}\n", marks)
	if err := os.WriteFile(filepath.Join(module, "main.tf"), []byte(text), 0o644); err != nil {
		return cost, err
	}
	for _, argv := range [][]string{{"git", "init", "-q", "-b", "main", "."}, {"git", "add", "-A"}, {"git", "commit", "-q", "-m", "first"}} {
		if _, err := b.exec(ctx, filepath.Join(dir, "repo"), argv...); err != nil {
			return cost, err
		}
	}
	data, config := filepath.Join(dir, "data"), filepath.Join(dir, "server.hcl")
	text = fmt.Sprintf("data_dir = %q\nsandbox {\n  write = [%q]\n}\nrepository \"infra\" {\n  url = %q\n}\n", data, marks, filepath.Join(dir, "repo"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return cost, err
	}
	sync := exec.CommandContext(ctx, b.mooring, "sync", "-q", "-c", config)
	sync.Env = b.env
	if err := sync.Start(); err != nil {
		return cost, err
	}
	defer func() {
		if wrong := os.WriteFile(filepath.Join(marks, "go"), nil, 0o600); err == nil {
			err = wrong
		}
		if wrong := sync.Wait(); err == nil {
			err = wrong
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(marks, "began")); err == nil {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return cost, fmt.Errorf("the apply did not begin")
		}
	}
	runs, err := filepath.Glob(filepath.Join(data, "run", "a-*"))
	if err != nil || len(runs) != 1 {
		return cost, fmt.Errorf("run directories: %v, %v", runs, err)
	}
	if cost.start, err = untilFirstCommand(runs[0]); err != nil {
		return cost, err
	}
	pid, err := processOf(runs[0])
	if err != nil {
		return cost, err
	}
	cost.cpu, cost.memory, err = costOf(pid)
	return cost, err
}

// untilFirstCommand is the time from the making of a run directory to the start of its first command, in ms.
func untilFirstCommand(run string) (float64, error) {
	var record struct{ Started time.Time }
	var first struct{ Time time.Time }
	data, err := os.ReadFile(filepath.Join(run, "run.json"))
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil {
		return 0, err
	}
	events, err := os.ReadFile(filepath.Join(run, "events.jsonl"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(events), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil {
		return 0, err
	}
	return float64(first.Time.Sub(record.Started).Microseconds()) / 1000, nil
}

// processOf finds the supervisor of a run directory.
func processOf(run string) (string, error) {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if argv, err := os.ReadFile(name); err == nil && strings.Contains(string(argv), "supervise\x00"+run) {
			return filepath.Dir(name), nil
		}
	}
	return "", fmt.Errorf("no supervisor of %s", run)
}

// costOf is the processor time of a process itself in ms, and its anonymous memory in MB.
func costOf(proc string) (cpu, memory float64, err error) {
	tasks, err := filepath.Glob(filepath.Join(proc, "task", "*", "schedstat"))
	if err != nil {
		return 0, 0, err
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that ended
		}
		ns, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += ns / 1e6
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return cpu, kb / 1024, err
		}
	}
	return 0, 0, fmt.Errorf("no RssAnon of %s", proc)
}
