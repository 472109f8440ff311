package main

import (
	"strings"
	"testing"
)

// journal writes a journal with short hands: a time behind every line.
func journal(rows ...string) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(r + " 1700000000.25\n")
	}
	return b.String()
}

func TestReplayCatchesEachKindOfViolation(t *testing.T) {
	for _, c := range []struct {
		name                      string
		rows                      []string
		applies, effects          int
		overlaps, doubled, broken int
	}{
		{name: "an empty journal"},
		{name: "two workspaces side by side", rows: []string{
			"a g1.s1 r0 start", "b g1.s2 r0 start", "a g1.s1 r1 start", "a g1.s1 r0 end", "b g1.s2 r0 end", "a g1.s1 r1 end",
		}, applies: 2, effects: 3},
		{name: "one generation after the other", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "a g2.s2 r0 start", "a g2.s2 r0 end",
		}, applies: 2, effects: 2},
		{name: "a second tree begins while the first is at work", rows: []string{
			"a g1.s1 r0 start", "a g2.s2 r0 start", "a g2.s2 r0 end",
		}, applies: 2, effects: 1, overlaps: 1},
		{name: "a tree goes on after another had its turn", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "a g2.s2 r0 start", "a g2.s2 r0 end", "a g1.s1 r1 start", "a g1.s1 r1 end",
		}, applies: 2, effects: 3, overlaps: 1},
		{name: "one plan applied twice, one after the other", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "a g1.s2 r0 start", "a g1.s2 r0 end",
		}, applies: 2, effects: 2, doubled: 1},
		{name: "one plan applied twice at once", rows: []string{
			"a g1.s1 r0 start", "a g1.s2 r0 start", "a g1.s2 r0 end",
		}, applies: 2, effects: 1, overlaps: 1, doubled: 1},
		{name: "an effect twice in one tree", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "a g1.s1 r0 start", "a g1.s1 r0 end",
		}, applies: 1, effects: 2, doubled: 1},
		{name: "again after a kill without an approval", rows: []string{
			"a g1.s1 r0 start", "* - - killed", "a g1.s2 r0 start", "a g1.s2 r0 end",
		}, applies: 2, effects: 1, doubled: 1},
		{name: "again after a kill and an approval", rows: []string{
			"a g1.s1 r0 start", "* - - killed", "a - - approved", "a g1.s2 r0 start", "a g1.s2 r0 end",
		}, applies: 2, effects: 1},
		{name: "an approval of another workspace", rows: []string{
			"a g1.s1 r0 start", "b g1.s9 r0 start", "* - - killed", "b - - approved", "a g1.s2 r0 start", "a g1.s2 r0 end",
		}, applies: 3, effects: 1, doubled: 1},
		{name: "one approval is not two", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "a - - approved", "a g1.s2 r0 start", "a g1.s2 r0 end", "a g1.s3 r0 start",
		}, applies: 3, effects: 2, doubled: 1},
		{name: "an approval does not excuse an overlap", rows: []string{
			"a g1.s1 r0 start", "a - - approved", "a g1.s2 r0 start",
		}, applies: 2, overlaps: 1},
		{name: "a survivor of a kill", rows: []string{
			"a g1.s1 r0 start", "a - - killed", "a g1.s1 r0 end",
		}, applies: 1, broken: 1},
		{name: "a kill of another workspace ends nothing here", rows: []string{
			"a g1.s1 r0 start", "b - - killed", "a g1.s1 r0 end",
		}, applies: 1, effects: 1},
		{name: "a survivor that starts something new", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "* - - killed", "a g1.s1 r1 start",
		}, applies: 1, effects: 1, broken: 1},
		{name: "an end without a start", rows: []string{"a g1.s1 r0 end"}, applies: 1, broken: 1},
		{name: "an effect ends twice", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "a g1.s1 r0 end",
		}, applies: 1, effects: 1, broken: 1},
		{name: "another tree's effect is ended", rows: []string{
			"a g1.s1 r0 start", "a g1.s2 r0 end",
		}, applies: 2, overlaps: 1, broken: 1},
		{name: "one tree in two workspaces", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "b g1.s1 r0 start", "b g1.s1 r0 end",
		}, applies: 1, effects: 2, broken: 2},
		{name: "one tree for two generations", rows: []string{
			"a g1.s1 r0 start", "a g1.s1 r0 end", "a g2.s1 r0 start",
		}, applies: 1, effects: 1, broken: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := parseJournal(journal(c.rows...))
			if err != nil {
				t.Fatal(err)
			}
			v := replay(lines)
			if v.applies != c.applies || v.effects != c.effects {
				t.Errorf("%d applies, %d effects, want %d and %d", v.applies, v.effects, c.applies, c.effects)
			}
			if len(v.overlaps) != c.overlaps || len(v.doubled) != c.doubled || len(v.broken) != c.broken {
				t.Errorf("overlaps %q, doubled %q, broken %q, want %d, %d, %d", v.overlaps, v.doubled, v.broken, c.overlaps, c.doubled, c.broken)
			}
		})
	}
}

func TestMissingNamesWhatDidNotEnd(t *testing.T) {
	lines, err := parseJournal(journal("a g1.s1 r0 start", "a g1.s1 r0 end", "a g1.s1 r1 start", "a g2.s2 r2 start", "a g2.s2 r2 end"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(missing(lines, "g1", []string{"a r0", "a r1", "a r2"}), "; ")
	if want := "a r1 of g1 did not end; a r2 of g1 did not end"; got != want {
		t.Errorf("missing: %q, want %q", got, want)
	}
}

func TestAfterAKillWhatWasCutOffIsKnownAndWhatNeverBeganIsLost(t *testing.T) {
	lines, err := parseJournal(journal(
		"a g1.s1 r0 start", "a g1.s1 r0 end", "a g1.s1 r1 start", "b g1.s2 r0 start", "b g1.s2 r0 end", "* - - killed",
		"b g1.s3 r1 start", // goes on after the kill and is still under way
	))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(lost(lines, "g1", []string{"a r0", "a r1", "a r2", "b r0", "b r1"}), "; ")
	if want := "a r2 of g1 neither ended nor was cut off; b r1 of g1 neither ended nor was cut off"; got != want {
		t.Errorf("lost: %q, want %q", got, want)
	}
	if got := strings.Join(cut(lines), " "); got != "a" {
		t.Errorf("cut: %q, want a alone", got)
	}
}

func TestJournalRefusesWhatIsTornOrStrange(t *testing.T) {
	for _, text := range []string{
		"a g1.s1 r0 start 1700000000",          // cut off: no newline
		"a g1.s1 r0 start\n",                   // no time
		"a g1.s1 r0 start noon\n",              // not a time
		"a g1 r0 start 1700000000\n",           // no session
		"a .s1 r0 start 1700000000\n",          // no generation
		"a g1.s1 r0 began 1700000000\n",        // no such event
		"a g1.s1 r0a g1.s1 r1 start 1.5 2.5\n", // two lines in one
	} {
		if lines, err := parseJournal(text); err == nil {
			t.Errorf("%q was read as %v", text, lines)
		}
	}
}
