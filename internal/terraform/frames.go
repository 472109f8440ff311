package terraform

import (
	"io"
	"os"
	"sync"
	"time"
)

// frameWriter writes frames from several goroutines.
type frameWriter struct {
	mu   sync.Mutex // held while a frame is written
	file io.Writer
	ping chan struct{} // holds at most one wish
}

func newFrameWriter(file io.Writer) *frameWriter {
	w := &frameWriter{file: file, ping: make(chan struct{}, 1)}
	go func() {
		for range w.ping {
			w.mu.Lock()
			err := writeFrame(w.file, frameGrew, nil)
			w.mu.Unlock()
			if err != nil {
				return
			}
			time.Sleep(40 * time.Millisecond) // a hint is enough for all that comes meanwhile
		}
	}()
	return w
}

// grew hints that there is more to read. It never waits: a runner that is stopped must not stop an apply.
func (w *frameWriter) grew() {
	select {
	case w.ping <- struct{}{}:
	default:
	}
}

// Write writes a whole frame.
func (w *frameWriter) Write(frame []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Write(frame)
}

// growingFile is the output file. Like every writer that terraform-exec is given it never fails: terraform-exec would stop reading the
// pipe, and Terraform, blocked on it, would stand still with the state lock held.
type growingFile struct {
	file *os.File
	grew func()
	err  error // the first; nothing is written after it
}

func (g *growingFile) Write(data []byte) (int, error) {
	if g.err == nil {
		_, g.err = g.file.Write(data)
		g.grew()
	}
	return len(data), nil
}
