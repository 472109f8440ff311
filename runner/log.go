package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// ErrNoLog is returned where a unit of a run has no output of Terraform's.
var ErrNoLog = errors.New("there is no log")

// logFile is the file that keeps Terraform's own output of a unit in a run: its
// supervisor appends to it, without secrets. A run that is taken further goes on in
// the same file.
func (r *Runner) logFile(run, unit string) (string, error) {
	dir := filepath.Join(r.opts.DataDir, "runs", run)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keep the output of %s: %w", unit, err)
	}
	return filepath.Join(dir, fileName(unit)+".log"), nil
}

// Log returns Terraform's own output of a unit in a run. The caller closes it.
func (r *Runner) Log(run, unit string) (io.ReadCloser, error) {
	if _, err := runKey(run); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(r.opts.DataDir, "runs", run, fileName(unit)+".log"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("log of %s in %s: %w", unit, run, ErrNoLog)
	}
	return f, err
}

// Diff returns the readable form of a unit's plan in a run: ErrNoLog where there is
// none. The caller closes it.
func (r *Runner) Diff(run, unit string) (io.ReadCloser, error) {
	if _, err := runKey(run); err != nil {
		return nil, err
	}
	f, err := os.Open(besideLog(filepath.Join(r.opts.DataDir, "runs", run, fileName(unit)+".log"), diffSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("plan of %s in %s: %w", unit, run, ErrNoLog)
	}
	return f, err
}

// dropLogs removes what a run that is forgotten left beside the journal. What stays is collected.
func (r *Runner) dropLogs(run string) {
	_ = os.RemoveAll(filepath.Join(r.opts.DataDir, "runs", run))
}

// lines turns Terraform's output into events, a line each.
func (x *execution) lines(unit string) io.Writer {
	return x.r.linesOf(x.run.Repository, x.run.ID, unit)
}

func (r *Runner) linesOf(repository, run, unit string) io.Writer {
	return &lineWriter{emit: func(line string) {
		r.emit(Event{Repository: repository, Run: run, Unit: unit, Phase: PhaseOutput, Text: line})
	}}
}

// maxLine is how much of a line an event carries; the log has all of it.
const maxLine = 4096

type lineWriter struct {
	mu   sync.Mutex // Terraform's two streams are copied by two goroutines
	rest []byte
	emit func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		line := append(w.rest, p[:i]...)
		w.rest, p = w.rest[:0], p[i+1:]
		if text := strings.TrimRight(string(line[:min(len(line), maxLine)]), "\r "); text != "" {
			w.emit(text)
		}
	}
	if len(w.rest) < maxLine {
		w.rest = append(w.rest, p...)
	}
	return n, nil
}

func (r *Runner) emit(e Event) {
	e.Time = r.opts.Now()
	r.opts.Observe(e)
}
