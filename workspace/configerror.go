package workspace

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// ConfigError carries every mistake found, with the sources that its snippets need.
type ConfigError struct {
	Diags hcl.Diagnostics
	Files map[string]*hcl.File
}

// Error is the first mistake on one line, with its place, and how many follow.
func (e *ConfigError) Error() string {
	if len(e.Diags) == 0 {
		return "the configuration is broken"
	}
	d := e.Diags[0]
	text := d.Summary
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	if d.Subject != nil {
		text = fmt.Sprintf("%s:%d: %s", d.Subject.Filename, d.Subject.Start.Line, text)
	}
	if more := len(e.Diags) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Print writes all mistakes with their snippets. width is in columns; 0 does not wrap.
func (e *ConfigError) Print(w io.Writer, width uint, color bool) error {
	return hcl.NewDiagnosticTextWriter(w, e.Files, width, color).WriteDiagnostics(e.Diags)
}

// sort orders mistakes by file and line, so that they read from the top.
func (e *ConfigError) sort() {
	slices.SortStableFunc(e.Diags, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil && b.Subject == nil:
			return 0
		case a.Subject == nil:
			return 1
		case b.Subject == nil:
			return -1
		case a.Subject.Filename != b.Subject.Filename:
			if a.Subject.Filename < b.Subject.Filename {
				return -1
			}
			return 1
		}
		return a.Subject.Start.Byte - b.Subject.Start.Byte
	})
}

// attachSources reads the files that a ConfigError shows. Only broken repositories pay for it.
func (s *scan) attachSources(e *ConfigError) {
	if e.Files == nil {
		e.Files = map[string]*hcl.File{}
	}
	defer e.locate()
	for _, d := range e.Diags {
		if d.Subject == nil || e.Files[d.Subject.Filename] != nil {
			continue
		}
		real, _, isDir, exists := s.ix.lookup(d.Subject.Filename)
		if !exists || isDir {
			continue
		}
		if src, err := s.ix.tree.ReadFile(real); err == nil {
			e.Files[d.Subject.Filename] = &hcl.File{Bytes: src}
		}
	}
}

// locate completes subjects of which only the line is known (an edge of the graph
// has no more), so that the snippet shows that line.
func (e *ConfigError) locate() {
	for _, d := range e.Diags {
		if d.Subject == nil || d.Subject.Start.Byte > 0 || d.Subject.Start.Line <= 1 || e.Files[d.Subject.Filename] == nil {
			continue
		}
		src := e.Files[d.Subject.Filename].Bytes
		start := 0
		for line := 1; line < d.Subject.Start.Line; line++ {
			next := bytes.IndexByte(src[start:], '\n')
			if next < 0 {
				return
			}
			start += next + 1
		}
		length := bytes.IndexByte(src[start:], '\n')
		if length < 0 {
			length = len(src) - start
		}
		at := *d.Subject
		at.Start.Byte, at.End.Byte = start, start+length
		at.End.Column = length + 1
		d.Subject = &at
	}
}
