package mirror

import (
	"bytes"
	"hash/maphash"

	"github.com/go-git/go-git/v5/plumbing"
)

// What the search for renames may cost. Beyond it files are taken for alike.
const (
	maxPairs   = 4096    // of files that are compared
	maxCompare = 1 << 20 // bytes of a file that is compared
)

// alike returns those of from that were, for all Git may think, renamed to one of
// to: equal, or files of which half the content is the same.
func (d *renameDoubts) alike(from, to []leaf) ([]leaf, error) {
	if len(from) == 0 || len(to) == 0 {
		return nil, nil
	}
	targets := map[entry]bool{}
	for _, l := range to {
		targets[sameContent(l.entry)] = true
	}
	var found, rest []leaf
	for _, l := range from {
		switch {
		case targets[sameContent(l.entry)] && l.id != emptyBlob:
			found = append(found, l)
		case isFile(l.kind):
			rest = append(rest, l)
		}
	}
	var files []leaf
	for _, l := range to {
		if isFile(l.kind) {
			files = append(files, l)
		}
	}
	if len(rest)*len(files) > maxPairs {
		return append(found, rest...), nil
	}
	s := similarity{d: d, spans: map[id]spans{}}
	for _, a := range rest {
		for _, b := range files {
			yes, err := s.half(a.id, b.id)
			if err != nil {
				return nil, err
			}
			if yes {
				found = append(found, a)
				break
			}
		}
	}
	return found, nil
}

// emptyBlob: Git sees no rename in a file without content.
var emptyBlob = plumbing.ComputeHash(plumbing.BlobObject, nil)

func isFile(k kind) bool { return k == kindFile || k == kindExec }

// sameContent is what entries have in common that may be renames of each other.
func sameContent(e entry) entry {
	e.name = ""
	if e.kind == kindExec {
		e.kind = kindFile
	}
	return e
}

// similarity estimates, as Git does, how much of two files is the same: by the
// bytes of lines, or of 64 bytes where a line is longer, that both have
// (diffcore-delta.c).
type similarity struct {
	d     *renameDoubts
	spans map[id]spans
}

// spans counts the bytes of a file by the hash of the span they are in.
type spans map[uint64]int64

var spanSeed = maphash.MakeSeed()

func (s *similarity) half(a, b id) (bool, error) {
	sizeA, err := s.d.blobs.size(a)
	if err != nil {
		return false, err
	}
	sizeB, err := s.d.blobs.size(b)
	if err != nil {
		return false, err
	}
	small, large := min(sizeA, sizeB), max(sizeA, sizeB)
	if 2*small < large || small == 0 {
		return false, nil
	}
	if large > maxCompare {
		return true, nil
	}
	of := [2]spans{}
	for i, h := range []id{a, b} {
		if of[i], err = s.read(h); err != nil {
			return false, err
		}
	}
	var same int64
	for span, n := range of[0] {
		same += min(n, of[1][span])
	}
	return 2*same >= large, nil
}

func (s *similarity) read(h id) (spans, error) {
	if known, ok := s.spans[h]; ok {
		return known, nil
	}
	if err := s.d.ctx.Err(); err != nil {
		return nil, err
	}
	raw, err := s.d.blobs.raw(plumbing.BlobObject, h)
	if err != nil {
		return nil, err
	}
	s.spans[h] = spansOf(raw)
	return s.spans[h], nil
}

func spansOf(raw []byte) spans {
	const most, sniffed = 64, 8000
	if bytes.IndexByte(raw[:min(len(raw), sniffed)], 0) < 0 {
		raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")) // of text, line ends do not count
	}
	out := spans{}
	for len(raw) > 0 {
		n := min(len(raw), most)
		if end := bytes.IndexByte(raw[:n], '\n'); end >= 0 {
			n = end + 1
		}
		out[maphash.Bytes(spanSeed, raw[:n])] += int64(n)
		raw = raw[n:]
	}
	return out
}
