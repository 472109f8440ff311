package report

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics prints problems of configuration files with file, line and
// snippet. The files are the sources that may be shown.
func Diagnostics(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File, s Style) error {
	safe := make(map[string]*hcl.File, len(files))
	for name, f := range files {
		if f != nil {
			safe[CleanLine(name)] = &hcl.File{Body: f.Body, Nav: f.Nav, Bytes: blind(f.Bytes)}
		}
	}
	var b bytes.Buffer
	out := hcl.NewDiagnosticTextWriter(&b, safe, uint(max(0, s.Width)), s.Color)
	for _, d := range diags {
		c := *d
		c.Summary, c.Detail = CleanLine(d.Summary), Clean(d.Detail)
		c.Expression, c.EvalContext = nil, nil // values are never shown: they may be secrets
		if d.Subject != nil {
			at := *d.Subject
			at.Filename = CleanLine(at.Filename)
			c.Subject = &at
		}
		if d.Subject != nil && safe[c.Subject.Filename] == nil {
			writeBare(&b, &c, s)
			continue
		}
		if err := out.WriteDiagnostic(&c); err != nil {
			return fmt.Errorf("write diagnostics: %w", err)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeBare prints a problem of a file whose source is not shown: manifests, in
// which secrets may stand.
func writeBare(b *bytes.Buffer, d *hcl.Diagnostic, s Style) {
	head := s.paint(red, "Error")
	if d.Severity == hcl.DiagWarning {
		head = s.paint(yellow, "Warning")
	}
	fmt.Fprintf(b, "%s: %s\n\n  on %s line %d\n\n", head, d.Summary, d.Subject.Filename, d.Subject.Start.Line)
	if d.Detail != "" {
		fmt.Fprintf(b, "%s\n\n", d.Detail)
	}
}

// blind overwrites what Clean would escape, byte for byte: ranges of the source
// must still fit.
func blind(src []byte) []byte {
	out := bytes.Clone(src)
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if dangerous(r) && r != '\r' {
			for j := range n {
				out[i+j] = '?'
			}
		}
		i += n
	}
	return out
}
