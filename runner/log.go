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

// openLog opens the file that keeps Terraform's own output of a unit in a run.
// A run that is taken further goes on in the same file.
func (r *Runner) openLog(run, unit string) (io.WriteCloser, error) {
	dir := filepath.Join(r.opts.DataDir, "runs", run)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep the output of %s: %w", unit, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, fileName(unit)+".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep the output of %s: %w", unit, err)
	}
	return f, nil
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

// lines turns Terraform's output into events, a line each.
func (x *execution) lines(unit string) io.Writer {
	return &lineWriter{emit: func(line string) {
		x.r.emit(Event{Repository: x.run.Repository, Run: x.run.ID, Unit: unit, Phase: PhaseOutput, Text: line})
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
