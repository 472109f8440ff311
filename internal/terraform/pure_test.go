package terraform

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestLastDiagnostic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, stderr, summary, detail string }{
		{"plain", "\nError: Invalid value\n\n  on main.tf line 1:\n   1: x\n\nIt is wrong.\n", "Invalid value", "  on main.tf line 1:\n   1: x\n\nIt is wrong."},
		{"boxed and coloured", "\x1b[31m╷\x1b[0m\n\x1b[31m│\x1b[0m \x1b[1mError: \x1b[0mBoxed\n│ \n│   on main.tf line 1\n╵\n", "Boxed", "  on main.tf line 1"},
		{"the last of two", "Error: one\n\nfirst\n\nError: two\n\nsecond\n", "two", "second"},
		{"a warning after it", "Error: one\n\nfirst\n\nWarning: old\n\nuse another\n", "one", "first"},
		{"an error in a value", "Error: one\n\nsays: Error: not me\n", "one", "says: Error: not me"},
	} {
		failed := newCommandError("terraform", "plan", tt.stderr, errors.New("exit status 1"))
		if failed.Summary != tt.summary || failed.Detail != tt.detail || strings.ContainsAny(failed.Tail, "╷│╵\x1b") {
			t.Errorf("%s: %q %q, tail %q", tt.name, failed.Summary, failed.Detail, failed.Tail)
		}
	}
	failed := newCommandError("tofu", "init", "no such thing\n", errors.New("exit status 127"))
	if failed.Error() != "tofu init: exit status 127\nno such thing" {
		t.Errorf("%q", failed.Error())
	}
	long := newCommandError("terraform", "plan", strings.Repeat("x\n", 1<<20)+"Error: end\n", errors.New("exit status 1"))
	if len(long.Tail) > 17<<10 || long.Summary != "end" {
		t.Errorf("tail of %d bytes, summary %q", len(long.Tail), long.Summary)
	}
}

// Whatever the pieces it comes in, a state in the output is withheld and kept, and everything else passes.
func TestDumpFilter(t *testing.T) {
	t.Parallel()
	state := "{\n  \"version\": 4,\n  \"outputs\": {\n    \"secret\": \"" + canary + "\"\n  }\n}\n"
	text := "Error: disk full\n{\n  \"other\": 1\n}\n" + state + "after\nno newline"
	want := "Error: disk full\n{\n  \"other\": 1\n}\n(state withheld)\nafter\nno newline"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		filter := &dumpFilter{out: &out}
		for rest := []byte(text); len(rest) > 0; {
			piece := rest[:min(size, len(rest))]
			if n, err := filter.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
			rest = rest[len(piece):]
		}
		if err := filter.flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want || string(filter.state) != state {
			t.Fatalf("in pieces of %d: %q, state %q", size, out.String(), filter.state)
		}
	}
	var out bytes.Buffer
	filter := &dumpFilter{out: &out}
	filter.Write([]byte(state[:40]))
	if err := filter.flush(); err != nil || out.String() != "(state withheld)\n" || string(filter.state) != state[:40] {
		t.Errorf("half a state: %q %q", &out, filter.state)
	}
}

func TestReadState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		ok         bool
		lineage    string
		serial     uint64
		resources  int
	}{
		{"empty file", "", true, "", 0, 0},
		{"none yet", `{"version":4,"serial":0,"lineage":""}`, true, "", 0, 0},
		{"counted", `{"version":4,"serial":9,"lineage":"l","outputs":{},"resources":[{"mode":"managed","instances":[{"a":1},{"a":2}]},{"mode":"data","instances":[{}]}]}`, true, "l", 9, 2},
		{"encrypted", `{"serial":1,"lineage":"x","meta":{},"encrypted_data":"…","encryption_version":"v0"}`, false, "", 0, 0},
		{"old", `{"version":3,"serial":1}`, false, "", 0, 0},
		{"cut", `{"version":4,"serial":1`, false, "", 0, 0},
		{"not JSON", "hello", false, "", 0, 0},
	} {
		info, err := readState(strings.NewReader(tt.text))
		if (err == nil) != tt.ok || info.Known != tt.ok || info.Lineage != tt.lineage || info.Serial != tt.serial || info.Resources != tt.resources {
			t.Errorf("%s: %+v %v", tt.name, info, err)
		}
	}
}

func TestNamesAreSafeAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	keys := []string{"infra/network", "infra-network", "infra/network:staging", "../../etc", "", ".", "..", "/", "a b", "ä", strings.Repeat("x", 300), "INFRA/network", "x\x00y"}
	for _, repository := range []string{"a", "b", ""} {
		for _, key := range keys {
			name := hashName(key, repository, key)
			if len(name) > 64 || strings.ContainsAny(name, "/\x00 ") || strings.HasPrefix(name, ".") {
				t.Errorf("%q is %q", key, name)
			}
			if other, ok := seen[name]; ok {
				t.Errorf("%q and %q are both %q", key, other, name)
			}
			seen[name] = repository + "|" + key
		}
	}
	if hashName("", "a", "bc") == hashName("", "ab", "c") {
		t.Error("keys run into each other")
	}
	plain := repositoryName("infra.prod-1")
	if plain != "infra.prod-1" {
		t.Errorf("plain name became %q", plain)
	}
	for _, name := range []string{"..", ".", "", "a/b", ".hidden", "a b", "-x", strings.Repeat("x", 100), "x-" + strings.Repeat("0", 24)} {
		if made := repositoryName(name); made == name || strings.HasPrefix(made, ".") || strings.Contains(made, "/") {
			t.Errorf("%q is %q", name, made)
		}
	}
}

func TestFollows(t *testing.T) {
	t.Parallel()
	state := func(lineage, serial string) string { return `{"lineage":"` + lineage + `","serial":` + serial + `}` }
	for _, tt := range []struct {
		next, last string
		want       bool
	}{
		{state("a", "1"), "", true}, {state("a", "1"), " \n", true}, {state("a", "2"), state("a", "1"), true}, {state("a", "1"), state("a", "1"), true},
		{state("a", "1"), state("a", "2"), false}, {state("b", "3"), state("a", "2"), false}, {"garbage", state("a", "2"), false}, {state("a", "1"), "garbage", false},
	} {
		if got := follows([]byte(tt.next), []byte(tt.last)); got != tt.want {
			t.Errorf("follows(%s, %s) = %v", tt.next, tt.last, got)
		}
	}
}
