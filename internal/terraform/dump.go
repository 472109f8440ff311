package terraform

import (
	"bytes"
	"io"
)

// dumpFilter takes a whole state out of standard error. When Terraform can store a state neither in its backend nor in errored.tfstate,
// it prints it, secrets included; that must not reach a log, and it must not be lost.
type dumpFilter struct {
	out     io.Writer // never fails
	line    []byte    // an unfinished line
	held    []byte    // lines that may be the beginning of a state
	inState bool
	state   []byte // the last whole state seen
}

var (
	dumpStart   = []byte("{\n")
	dumpVersion = []byte(`  "version": 4,`)
	dumpEnd     = []byte("}\n")
)

func (f *dumpFilter) Write(data []byte) (int, error) {
	f.line = append(f.line, data...)
	for {
		end := bytes.IndexByte(f.line, '\n')
		if end < 0 {
			return len(data), nil
		}
		line := f.line[:end+1]
		if err := f.take(line); err != nil {
			return 0, err
		}
		f.line = f.line[end+1:]
	}
}

func (f *dumpFilter) take(line []byte) error {
	switch {
	case f.inState:
		f.held = append(f.held, line...)
		if !bytes.Equal(line, dumpEnd) {
			return nil
		}
		f.state, f.held, f.inState = f.held, nil, false
		_, err := io.WriteString(f.out, "(state withheld)\n")
		return err
	case len(f.held) > 0 && bytes.HasPrefix(line, dumpVersion):
		f.held, f.inState = append(f.held, line...), true
		return nil
	case len(f.held) > 0:
		_, err := f.out.Write(f.held)
		if f.held = nil; err != nil {
			return err
		}
	}
	if bytes.Equal(line, dumpStart) {
		f.held = append([]byte(nil), line...)
		return nil
	}
	_, err := f.out.Write(line)
	return err
}

// flush writes what was held at the end. Half a state stays withheld and is kept as what there is.
func (f *dumpFilter) flush() error {
	rest := append(f.held, f.line...)
	f.held, f.line = nil, nil
	if f.inState {
		f.state, f.inState = rest, false
		rest = []byte("(state withheld)\n")
	}
	_, err := f.out.Write(rest)
	return err
}
