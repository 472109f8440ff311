package redact

import (
	"cmp"
	"io"
	"slices"
	"sync"
)

// piece is how many bytes are looked at before what is decided is passed on.
const piece = 32 << 10

// A Writer hides secrets in what goes through it. What may be the beginning of a secret
// is held back until more shows that it is not, mostly at the end of the line, or until
// Flush; that is as many bytes as the longest form of a secret at most, however long the
// line. It is safe for concurrent use, but a secret whose parts come from two goroutines
// is found only if nothing was written in between.
type Writer struct {
	r *Redactor
	w io.Writer

	mu   sync.Mutex // guards what follows
	m    *matcher
	node int32 // where the matcher is after all that was written

	// Offsets count the bytes written to this Writer.
	held []byte // written, not passed on, from offset base
	base int64
	pos  int64 // base + len(held)
	// All up to here stands behind a mark that was passed on; may be beyond base.
	covered int64
	spans   []span // secrets in held, in order, apart from each other
	out     []byte // reused
}

// span is the bytes from..to of a secret, or of several that overlap.
type span struct{ from, to int64 }

// Writer makes a Writer to w. Flush it when no more comes.
func (r *Redactor) Writer(w io.Writer) *Writer { return &Writer{r: r, w: w} }

// Write passes p on without secrets, but for an end that may be the beginning of one.
// When the writer below fails, what was to be passed on is lost.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.renew()
	written := 0
	for len(p) > 0 {
		n := min(len(p), piece)
		w.scan(p[:n])
		w.held = append(w.held, p[:n]...)
		w.pos += int64(n)
		if err := w.pass(w.pos - int64(w.m.depth[w.node])); err != nil {
			return written, err
		}
		written += n
		p = p[n:]
	}
	return written, nil
}

// Flush passes on what is held back. If that is most of a secret, it is hidden as if it
// were whole. A secret that goes on afterwards is hidden from here.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.renew()
	if n := w.m.cutOff(w.node); n > 0 {
		w.found(w.pos-int64(n), w.pos)
	}
	return w.pass(w.pos)
}

// renew goes on with the newest matcher. What is held back is looked at again.
func (w *Writer) renew() {
	m := w.r.current()
	if m == w.m {
		return
	}
	w.m, w.node = m, 0
	end, before := w.pos, w.spans
	w.pos, w.spans = w.base, nil
	w.scan(w.held)
	w.pos = end
	all := append(before, w.spans...)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.to, b.to) })
	w.spans = nil
	for _, s := range all {
		w.found(s.from, s.to)
	}
}

// scan finds the secrets in the bytes at pos.
func (w *Writer) scan(p []byte) {
	m, n := w.m, w.node
	if m.none() {
		return
	}
	for i, c := range p {
		n = m.step(n, c)
		if l := m.found[n]; l > 0 {
			to := w.pos + int64(i) + 1
			w.found(to-int64(l), to)
		}
	}
	w.node = n
}

// found notes a secret that ends after those which were found before. Those that overlap become one; those that only touch do not.
func (w *Writer) found(from, to int64) {
	for len(w.spans) > 0 {
		last := w.spans[len(w.spans)-1]
		if last.to <= from {
			break
		}
		from, to = min(from, last.from), max(to, last.to)
		w.spans = w.spans[:len(w.spans)-1]
	}
	if from < w.covered {
		w.covered = max(w.covered, to)
		return
	}
	// Before base only when the beginning was flushed.
	w.spans = append(w.spans, span{max(from, w.base), to})
}

// pass passes on what is held before offset end: no secret that is still to be found
// begins before it.
func (w *Writer) pass(end int64) error {
	end = max(end, w.base)
	out, at := w.out[:0], w.base
	plain := func(to int64) {
		if at = max(at, w.covered); at < to {
			out = append(out, w.held[at-w.base:to-w.base]...)
			at = to
		}
	}
	done := 0
	for _, s := range w.spans {
		if s.from >= end {
			break
		}
		plain(s.from)
		out = append(out, hidden...)
		w.covered = s.to
		done++
	}
	plain(end)
	w.spans = append(w.spans[:0], w.spans[done:]...)
	w.held = append(w.held[:0], w.held[end-w.base:]...)
	w.base, w.out = end, out
	if len(out) == 0 {
		return nil
	}
	n, err := w.w.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	return err
}
