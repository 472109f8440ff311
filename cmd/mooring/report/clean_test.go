package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/mooring-iac/mooring/runner"
)

func TestClean(t *testing.T) {
	tests := []struct{ in, many, one string }{
		{"plain ünïcödé 東京", "plain ünïcödé 東京", "plain ünïcödé 東京"},
		{"a\nb\tc", "a\nb\tc", "a b c"},
		{"a\r\nb\rc", "a\nb c", "a  b c"},
		{"\x1b[2Jgone\x07", `\x1b[2Jgone\x07`, `\x1b[2Jgone\x07`},
		{"\x00\x7f\u009b31m", `\x00\x7f\u009b31m`, `\x00\x7f\u009b31m`},
		{"user\u202etxt.exe\u2069", `user\u202etxt.exe\u2069`, `user\u202etxt.exe\u2069`},
		{"zero\u200bwidth\ufeff", `zero\u200bwidth\ufeff`, `zero\u200bwidth\ufeff`},
		{"line\u2028sep", `line\u2028sep`, `line\u2028sep`},
		{"tag\U000e0041", `tag\U000e0041`, `tag\U000e0041`},
		{"bad\xff\xc2", "bad\uFFFD\uFFFD", "bad\uFFFD\uFFFD"},
	}
	for _, tt := range tests {
		if got := Clean(tt.in); got != tt.many {
			t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.many)
		}
		if got := CleanLine(tt.in); got != tt.one {
			t.Errorf("CleanLine(%q) = %q, want %q", tt.in, got, tt.one)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b]0;title\x07 a\r\nb\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{Clean(s), CleanLine(s)} {
			if i := strings.IndexFunc(got, func(r rune) bool { return dangerous(r) && r != '\uFFFD' }); i >= 0 {
				t.Errorf("%q lets %q through", s, got[i:])
			}
		}
		if strings.ContainsAny(CleanLine(s), "\n\t\r") {
			t.Errorf("CleanLine(%q) is more than a line", s)
		}
	})
}

// Whatever the pieces in which a log is read, its text is the same.
func TestCopyAcrossPieces(t *testing.T) {
	text := strings.Repeat("línea 東京 \x1b[31m\n", 9000)
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text)), "with EOF": iotest.DataErrReader(strings.NewReader(text))} {
		var b bytes.Buffer
		if err := Copy(&b, r); err != nil {
			t.Fatal(err)
		}
		if b.String() != Clean(text) {
			t.Errorf("%s: the copy differs from Clean", name)
		}
	}
}

func TestJSONIsSafeAndTheSame(t *testing.T) {
	in := map[string]string{"x": "<a&b> \x1b[2J \u009b \u202e \U000e0041 ü \uFFFD"}
	var b bytes.Buffer
	if err := JSON(&b, in, false); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(b.String(), func(r rune) bool { return dangerous(r) && r != '\uFFFD' }); i >= 0 {
		t.Errorf("%q holds a control character", b.String())
	}
	if n := strings.Count(b.String(), "\n"); n != 1 {
		t.Errorf("%q has %d lines", b.String(), n)
	}
	if !strings.Contains(b.String(), "<a&b>") {
		t.Errorf("%q escapes more than it must", b.String())
	}
	var out map[string]string
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || out["x"] != in["x"] {
		t.Errorf("read back %q, %v", out, err)
	}
}

// Nothing from outside reaches a terminal as more than text.
func TestReportsNeutraliseText(t *testing.T) {
	evil := "x\x1b[2J\u202e\u009b"
	r := runner.Run{
		ID: evil, Repository: evil, Commit: evil, Subject: evil, Author: evil, Trigger: runner.Trigger(evil), Status: runner.Status(evil), Held: evil, Error: evil, Notes: []string{evil},
		Units: []runner.UnitResult{{ID: evil, Status: runner.Status(evil), Reason: evil, Error: evil, Notes: []string{evil}, Outputs: []string{evil}, Changes: []runner.ResourceChange{{Address: evil, Action: evil}}}, {ID: evil, Kind: runner.KindManifests, Status: runner.Held, Objects: []runner.ObjectResult{{Ref: evil, Action: evil, Health: evil, Message: evil}}}},
	}
	var b bytes.Buffer
	if err := Run(&b, &r, Options{Full: true}); err != nil {
		t.Fatal(err)
	}
	if err := RunTable(&b, []runner.Run{r}, Style{}); err != nil {
		t.Fatal(err)
	}
	file, _ := hclsyntax.ParseConfig([]byte("a = \"x\x1b[2J\u202ey\"\nb = \n"), "m.hcl", hcl.InitialPos)
	diags := hcl.Diagnostics{{Severity: hcl.DiagError, Summary: evil, Detail: evil, Subject: &hcl.Range{Filename: "m.hcl", Start: hcl.Pos{Line: 1, Column: 1, Byte: 0}, End: hcl.Pos{Line: 1, Column: 10, Byte: 9}}}}
	if err := Diagnostics(&b, diags, map[string]*hcl.File{"m.hcl": file}, Style{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `a = "x?[2J???y"`) {
		t.Errorf("the snippet is not there:\n%s", b.String())
	}
	if _, err := Writer(&b).Write([]byte(evil + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := Error(&b, errors.New(evil), Style{}); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(b.String(), dangerous); i >= 0 {
		t.Errorf("a control character gets through at %q", b.String()[max(0, i-30):min(b.Len(), i+10)])
	}
}
