package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestAddJSON(t *testing.T) {
	r := New()
	r.AddJSON(json.RawMessage(`{"a":["one-secret",{"b":"two<secret","n":12345678,"f":1234.5678,"short":1234567}],"t":true,"z":null}`))
	r.AddJSON(json.RawMessage(`"three-secret"`))
	r.AddJSON(json.RawMessage(`not JSON`))
	want := []string{"1234.5678", "12345678", "not JSON", "one-secret", "three-secret", "two<secret"}
	if got := r.Secrets(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := New(r.Secrets()...).Text("12345678 two<secret a"); got != hidden+" "+hidden+" a" {
		t.Errorf("in another process: %q", got)
	}
}

func TestError(t *testing.T) {
	r := New("hunter2")
	if err := r.Error(nil); err != nil {
		t.Errorf("nil is %v", err)
	}
	inner := &fs.PathError{Op: "open", Path: "/hunter2", Err: fs.ErrNotExist}
	err := r.Error(fmt.Errorf("plan: %w", inner))
	if got := err.Error(); strings.Contains(got, "hunter2") || !strings.HasPrefix(got, "plan: open /"+hidden) {
		t.Errorf("text: %q", got)
	}
	var path *fs.PathError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path) {
		t.Errorf("what it wraps is not found: %v", err)
	}
	if got := fmt.Sprintf("%v %+v %s %q", err, err, err, err); strings.Contains(got, "hunter2") {
		t.Errorf("printed: %s", got)
	}
	// What looks through it with %#v would see the inner error's fields.
	if got := fmt.Sprintf("%#v", err); strings.Contains(got, "hunter2") {
		t.Errorf("printed with %%#v: %s", got)
	}
}

func TestZeroRedactor(t *testing.T) {
	var r Redactor
	if got := r.Text("text"); got != "text" || len(r.Secrets()) != 0 {
		t.Errorf("%q, %q", got, r.Secrets())
	}
	r.Add("", "text")
	if got := r.Text("text"); got != hidden {
		t.Errorf("%q", got)
	}
}
