package comment

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	fifty := strings.TrimSpace(strings.Repeat("u ", 49)) + " v"
	for _, c := range []struct {
		body string
		want Command
	}{
		{"mooring plan", Command{Verb: VerbPlan}},
		{"mooring APPLY", Command{Verb: VerbApply}},
		{"mooring  apply\tinfra/network  infra/db:staging ", Command{Verb: VerbApply, Units: []string{"infra/network", "infra/db:staging"}}},
		{"mooring apply infra/db infra/db", Command{Verb: VerbApply, Units: []string{"infra/db"}}},
		{`mooring approve "my apps/web" x`, Command{Verb: VerbApprove, Units: []string{"my apps/web", "x"}}},
		{"mooring unlock a.b_c-d", Command{Verb: VerbUnlock, Units: []string{"a.b_c-d"}}},
		{"mooring discard\r\nmooring apply", Command{Verb: VerbDiscard}},
		{"mooring cancel\nand why", Command{Verb: VerbCancel}},
		{"mooring help", Command{Verb: VerbHelp}},
		{"mooring plan " + fifty, Command{Verb: VerbPlan, Units: []string{"u", "v"}}},
	} {
		got, ok, err := Parse(c.body)
		if err != nil || !ok {
			t.Errorf("%q: %v, %v", c.body, ok, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.body, diff)
		}
	}
}

func TestNotForUs(t *testing.T) {
	for _, body := range []string{
		"", "\n", "looks good", "please mooring apply", " mooring apply", "\tmooring apply", "\nmooring apply", "> mooring apply", "```\nmooring apply\n```", "`mooring apply`", "/mooring apply", "@mooring apply",
		"Mooring apply", "MOORING apply", "mooringctl apply", "mooring's fine", "mooring: apply", "mooring, apply", "mooring-apply", "mooring/apply", "**mooring apply**", "- mooring apply", "# mooring apply", "\ufeffmooring apply", "atlantis apply", "mооring apply",
	} {
		cmd, ok, err := Parse(body)
		if ok || err != nil || cmd.Verb != "" {
			t.Errorf("%q: %v, %v, %v", body, cmd, ok, err)
		}
	}
}

func TestNotRight(t *testing.T) {
	var many strings.Builder
	for i := range 51 {
		many.WriteString(" u" + strings.Repeat("x", i))
	}
	for body, want := range map[string]string{
		"mooring":                                   "`mooring help`",
		"mooring ":                                  "`mooring help`",
		"mooring aply":                              "did you mean `mooring apply`?",
		"mooring Aprove x":                          "did you mean `mooring approve`?",
		"mooring plna":                              "did you mean `mooring plan`?",
		"mooring unlok":                             "did you mean `mooring unlock`?",
		"mooring disc":                              "did you mean `mooring discard`?",
		"mooring halp":                              "did you mean `mooring help`?",
		"mooring is a fine tool":                    "`mooring is` is no command: `mooring help`",
		"mooring destroy":                           "`mooring help`",
		"mooring -x":                                "no flags",
		"mooring apply -auto-approve":               "no flags",
		"mooring apply -- -var=x":                   "no flags",
		"mooring apply a -d b":                      "no flags",
		"mooring apply $(id)":                       "is no name of a unit",
		"mooring apply a;b":                         "is no name of a unit",
		"mooring apply a|b":                         "is no name of a unit",
		"mooring apply `a`":                         "is no name of a unit",
		"mooring apply a\\b":                        "is no name of a unit",
		"mooring apply @org/team":                   "is no name of a unit",
		"mooring apply *":                           "is no name of a unit",
		"mooring apply a\x00b":                      "is no name of a unit",
		"mooring apply \x1b[31m":                    "is no name of a unit",
		"mooring apply infra/\u202ebd":              "U+202E",
		"mooring apply infra/d\u200bb":              "U+200B",
		"mooring apply infrа/db":                    "U+0430",
		"mooring apply ünit":                        "U+00FC",
		"mooring apply a\u00a0b":                    "U+00A0",
		"mooring\u00a0apply":                        "is no command",
		"mooring\u200b apply":                       "is no command",
		"mooring apply \xff":                        "U+FFFD",
		`mooring apply "a`:                          "a quote is not closed",
		`mooring apply "a"b`:                        "a space is missing after the quote",
		`mooring apply a"b`:                         "is no name of a unit",
		`mooring apply ""`:                          "a unit without a name",
		`mooring apply " a"`:                        "begins or ends with a space",
		`mooring apply "-x"`:                        "no flags",
		`mooring "apply"`:                           "without quotes",
		"mooring apply" + many.String():             "at most 50 units",
		"mooring " + strings.Repeat("x", 9e3):       "longer than",
		"mooring apply " + strings.Repeat("x", 600): "at most 512 bytes",
	} {
		cmd, ok, err := Parse(body)
		if !ok || err == nil {
			t.Errorf("%.60q: %v, %v", body, ok, err)
			continue
		}
		if cmd.Verb != "" || len(cmd.Units) > 0 {
			t.Errorf("%.60q: an error and a command: %v", body, cmd)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", body, err, want)
		}
		if len(err.Error()) > 500 {
			t.Errorf("%.60q: an error of %d bytes", body, len(err.Error()))
		}
		m := Marker("answer", "a/b", 1)
		check(t, Report{Marker: m}, Answer(m, err.Error()), 2000)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"mooring plan", `mooring apply "a b" c`, "mooring aply", "mooring\tplan\x00", "mooring apply -x", "> mooring plan", "mooring plan\r\nx", "mooring apply ａ", "mooring \"", "mooringplan"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		cmd, ok, err := Parse(body)
		if err != nil {
			if !ok || cmd.Verb != "" || len(cmd.Units) > 0 {
				t.Fatalf("%q: %v, %v, %v", body, cmd, ok, err)
			}
			m := Marker("answer", "a/b", 1)
			check(t, Report{Marker: m}, Answer(m, err.Error()), 4000)
			return
		}
		if !ok {
			if cmd.Verb != "" || len(cmd.Units) > 0 {
				t.Fatalf("%q is not for us, and is %v", body, cmd)
			}
			return
		}
		if !strings.HasPrefix(body, "mooring") || len(cmd.Units) > mostUnits {
			t.Fatalf("%q is %v", body, cmd)
		}
		// What was understood, written as it should be, is the same command.
		line := "mooring " + string(cmd.Verb)
		for _, u := range cmd.Units {
			if u == "" || u[0] == '-' || strings.ContainsFunc(u, func(r rune) bool {
				return !(r == ' ' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:", r))
			}) {
				t.Fatalf("%q names the unit %q", body, u)
			}
			line += ` "` + u + `"`
		}
		again, _, err := Parse(line)
		if err != nil || cmp.Diff(cmd, again) != "" {
			t.Fatalf("%q is %v, and %q is %v, %v", body, cmd, line, again, err)
		}
	})
}

func TestHelpIsItsOwnAnswer(t *testing.T) {
	m := Marker("help", "acme/infra", 7)
	got := Answer(m, Help())
	if want := Help() + "\n\n" + hidden(m); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for _, v := range Verbs() {
		if !strings.Contains(Help(), "- `mooring "+string(v)) || meanings[v] == "" {
			t.Errorf("help does not tell of %s", v)
		}
	}
	if few := Help(VerbPlan, VerbHelp); strings.Contains(few, "apply") || !strings.Contains(few, "mooring plan") {
		t.Errorf("help of two verbs:\n%s", few)
	}
	golden(t, "help.md", got)
	golden(t, "answer.md", Answer(m, "infra/db is locked by pull request #12 (@anna):\nit waits.\n\nmooring apply a\n\n- `mooring unlock infra/db` frees it\n- 1. <b>x</b>\n\n/merge"))
}

func TestMarkers(t *testing.T) {
	m := Marker("report", "acme/infra", 7)
	if m != "mooring:report:acme/infra:7" || strings.ContainsAny(Marker("a b", "x\n-->:", 1, "\u202e--"), " \n>\u202e") {
		t.Errorf("%q, %q", m, Marker("a b", "x\n-->:", 1, "\u202e--"))
	}
	for _, other := range []string{Marker("report", "acme/infra", 71), Marker("report", "acme/infr", 7), Marker("report", "acme", 7, "x"), Marker("report:acme/infra", "7", 7), Marker("report", "acme/infra%3a", 7), Marker("report", strings.Repeat("x", 400), 7), Marker("report", strings.Repeat("x", 401), 7)} {
		if other == m || HasMarker(Answer(other, "x"), m) || !HasMarker(Answer(other, "x"), other) {
			t.Errorf("%q and %q are not told apart", other, m)
		}
	}
	body := Answer(m, "x")
	for text, want := range map[string]bool{
		body: true, body + "\n": true, strings.ReplaceAll(body, "\n", "\r\n"): true, body + "\n\n  ": true, hidden(m): true,
		body + "\nmore": false, "> " + hidden(m): false, "    " + hidden(m): false, "x " + hidden(m): false, m: false, "": false, hidden(m) + " x": false,
	} {
		if HasMarker(text, m) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
	if HasMarker("", "") || HasMarker("x\n", "") || strings.Contains(Answer("", "x"), "<!--") {
		t.Error("no marker is one")
	}
}
