package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheTableMissesWhatMissed(t *testing.T) {
	for _, c := range []struct {
		name string
		row  row
		ok   bool
	}{
		{"all passed", row{name: "x", passed: 3, of: 3}, true},
		{"one missed", row{name: "x", passed: 2, of: 3, misses: []miss{{2, errors.New("why"), "/dir"}}}, false},
		{"nothing was run", row{name: "x"}, false},
		{"nothing that must not be", row{name: "x", of: 12, zero: true}, true},
		{"something that must not be", row{name: "x", passed: 1, of: 12, zero: true}, false},
	} {
		var out bytes.Buffer
		if ok := table(&out, []row{{name: "other", passed: 1, of: 1}, c.row}); ok != c.ok || strings.Contains(out.String(), "MISSED") == c.ok {
			t.Errorf("%s: %v\n%s", c.name, ok, out.String())
		}
		if len(c.row.misses) > 0 && (!strings.Contains(out.String(), "x, round 2: why") || !strings.Contains(out.String(), "left in /dir")) {
			t.Errorf("%s: it is not told\n%s", c.name, out.String())
		}
	}
}

func TestScenariosAreChosenByTheirNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios {
		if seen[s.name] || s.short < 1 || s.long < s.short || s.what == "" || strings.ContainsAny(s.name, "/,") {
			t.Errorf("%+v", s)
		}
		seen[s.name] = true
	}
	chosen, err := choose(scenarios[1].name + ", " + scenarios[0].name)
	if err != nil || strings.Join(names(chosen), "|") != scenarios[1].name+"|"+scenarios[0].name {
		t.Errorf("%v, %v", names(chosen), err)
	}
	if _, err := choose("no such scenario"); err == nil {
		t.Error("an unknown name was taken")
	}
}

func TestASeedDrawsTheSameForAScenarioWhateverIsPlayedBefore(t *testing.T) {
	draw := func(seed uint64, name string) int64 {
		return (&bench{settings: settings{seed: seed}}).random(name).Int64()
	}
	if again := draw(1, "a"); again != draw(1, "a") || draw(1, "a") == draw(2, "a") || draw(1, "a") == draw(1, "b") {
		t.Error("draws do not follow from seed and name")
	}
}

func TestARoundEndsAtItsFirstMissAndTheNextStarts(t *testing.T) {
	var out bytes.Buffer
	p := &play{bench: &bench{ctx: context.Background(), out: &out}, count: 5}
	p.rounds(func(i int) {
		switch i {
		case 1:
			p.failf("missed")
		case 2:
			panic("a mistake of the bench")
		case 3:
			p.await(20*time.Millisecond, "what never comes", func() bool { return false })
		case 4:
			t.Error("it goes on after enough misses")
		}
	})
	if p.passed != 1 || len(p.misses) != enough {
		t.Fatalf("passed %d, missed %v", p.passed, p.misses)
	}
	for i, want := range []string{"missed", "the bench itself: a mistake", "what never comes: not within"} {
		if !strings.HasPrefix(p.misses[i].err.Error(), want) {
			t.Errorf("miss %d: %v, want %q", i, p.misses[i].err, want)
		}
	}
}

func TestTheEffectScriptWritesWhatTheCheckerReads(t *testing.T) {
	dir := t.TempDir()
	script, path := filepath.Join(dir, "effect.sh"), filepath.Join(dir, "journal")
	if err := os.WriteFile(script, []byte(effectScript), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tree := range []string{"one", "two"} { // two process trees, the second after the first
		tmp := filepath.Join(dir, tree)
		if err := os.Mkdir(tmp, 0o700); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, r := range []string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"} {
			all.Go(func() {
				cmd := exec.Command("sh", script, "w0", "g-"+tree, r, "0.01")
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + tmp, "CHAOS_JOURNAL=" + path}
				if text, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, text)
				}
			})
		}
		all.Wait()
	}
	lines, err := readJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if v := replay(lines); v.applies != 2 || v.effects != 16 || len(v.problems()) > 0 {
		t.Errorf("%+v", v)
	}
}
