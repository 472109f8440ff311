package workspace

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/internal/calendar"
)

var spring = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// driftGraph scans two root modules, a and b, and a manifest set in k8s.
func driftGraph(t *testing.T, config string) *Graph {
	t.Helper()
	g, err := NewScanner(ScannerOptions{Now: func() time.Time { return spring }}).Scan(t.Context(), treeOf("-- mooring.hcl --\n"+config+"\n"+twoRoots))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestWithoutADriftBlockNothingIsScanned(t *testing.T) {
	g := driftGraph(t, `workspace "w" { dir = "a" }`)
	want := DriftSettings{Timezone: time.UTC, Backoff: 4, AfterApply: 10 * time.Minute, Remind: 7 * 24 * time.Hour, Remediate: RemediateNever}
	for _, id := range []string{"w", "b", "k8s"} {
		if got := g.Unit(id).Drift; got.Every != 0 || !got.Cron.IsZero() || got.Disabled || got.Backoff != want.Backoff || got.AfterApply != want.AfterApply ||
			got.Remind != want.Remind || got.Remediate != want.Remediate || got.Heal || got.Timezone != time.UTC || got.Line != 0 {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if g.Drift != nil {
		t.Errorf("the graph has %+v", g.Drift)
	}
}

func TestTheBlockOfAUnitOverridesSingleSettings(t *testing.T) {
	g := driftGraph(t, `
drift {
  every       = "1d"
  timezone    = "Europe/Berlin"
  backoff     = 8
  after_apply = "never"
  remind      = "14d"
  remediate   = "issue"
  heal        = true
  window "night" {
    days = ["mon-fri"]
    from = "22:00"
    to   = "06:00"
  }
  ignore {
    addresses = ["aws_instance.web[*]"]
    fields    = ["tags.*"]
    reason    = "the autoscaler tags them"
    until     = "2026-06-01"
  }
  severity {
    kinds   = ["aws_db_*"]
    changes = ["deleted"]
    level   = "critical"
  }
}
workspace "w" {
  dir = "a"
  drift {
    cron      = "0 3 * * *"
    remediate = "pull_request"
    window "noon" {
      from = "12:00"
      to   = "13:00"
    }
    ignore {
      classes = ["churn"]
      reason  = "the provider sorts it anew"
      until   = "2026-05-01T10:00:00Z"
    }
    severity {
      changes = ["changed"]
      level   = "info"
    }
  }
}
manifests "k8s" {
  path = "k8s"
  drift {
    enabled = false
    every   = "1h"
    heal    = false
  }
}`)
	if len(g.Warnings) > 0 {
		t.Errorf("warnings %v", g.Warnings)
	}
	b := g.Unit("b").Drift
	if b.Every != 24*time.Hour || b.Timezone.String() != "Europe/Berlin" || b.Backoff != 8 || b.AfterApply != 0 || b.Remind != 14*24*time.Hour ||
		b.Remediate != RemediateIssue || b.Heal || b.Disabled || b.File != ConfigFile || b.Line != 2 {
		t.Errorf("b: %+v", b)
	}
	if !g.Drift.Heal {
		t.Error("heal is not kept")
	}
	berlin := b.Timezone
	wantRule := DriftIgnore{Addresses: []string{"aws_instance.web[*]"}, Fields: []string{"tags.*"}, Reason: "the autoscaler tags them",
		Until: time.Date(2026, 6, 1, 0, 0, 0, 0, berlin), File: ConfigFile, Line: 15}
	if diff := cmp.Diff([]DriftIgnore{wantRule}, b.Ignore, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]calendar.Window{{Name: "night", Days: []time.Weekday{1, 2, 3, 4, 5}, From: 22 * 60, To: 6 * 60}}, b.Windows); diff != "" {
		t.Error(diff)
	}

	w := g.Unit("w").Drift
	if w.Every != 0 || w.Cron.IsZero() || w.Backoff != 8 || w.Remediate != RemediatePullRequest || w.Line != 29 {
		t.Errorf("w: %+v", w)
	}
	if len(w.Windows) != 1 || w.Windows[0].Name != "noon" {
		t.Errorf("w's windows: %+v", w.Windows)
	}
	if len(w.Ignore) != 2 || w.Ignore[0].Classes[0] != "churn" || w.Ignore[1].Reason != wantRule.Reason {
		t.Errorf("w's rules: %+v", w.Ignore)
	}
	if len(w.Severity) != 2 || w.Severity[0].Level != "info" || w.Severity[1].Level != "critical" {
		t.Errorf("w's severities: %+v", w.Severity)
	}
	if k := g.Unit("k8s").Drift; !k.Disabled || k.Every != time.Hour || k.Heal || len(k.Ignore) != 1 || len(k.Windows) != 1 {
		t.Errorf("k8s: %+v", k)
	}
	if got := len(g.Unit("b").Drift.Ignore); got != 1 {
		t.Errorf("b has %d rules: a unit's own reached another", got)
	}
}

func TestADriftBlockOfAGlobIsForEachOfItsUnits(t *testing.T) {
	g := driftGraph(t, `
workspace "all" {
  dir = "*"
  drift {
    every   = each.match[0] == "a" ? "1h" : "2h"
    enabled = each.match[0] == "a"
  }
}`)
	a, b := g.Unit("a").Drift, g.Unit("b").Drift
	if a.Every != time.Hour || a.Disabled || b.Every != 2*time.Hour || !b.Disabled {
		t.Errorf("a %+v\nb %+v", a, b)
	}
}

func TestARuleThatEndedIsAWarningAndStaysForItsReader(t *testing.T) {
	rule := func(until string) string {
		return "  ignore {\n    classes = [\"churn\"]\n    reason  = \"known\"\n    until   = \"" + until + "\"\n  }\n"
	}
	g := driftGraph(t, "drift {\n"+rule("2026-03-04")+rule("2026-03-05")+rule("2027-03-04")+rule("2027-03-05")+"}\n"+
		"workspace \"w\" {\n  dir = \"a\"\n  drift {\n"+rule("2020-01-01")+"  }\n}\n")
	var got []string
	for _, w := range g.Warnings {
		got = append(got, w.String())
	}
	want := []string{
		"mooring.hcl:2: this ignore rule ended on 2026-03-04 and leaves out nothing: known",
		"mooring.hcl:17: this ignore rule goes on until 2027-03-05, more than a year: nobody will remember why",
		"mooring.hcl:26: this ignore rule ended on 2020-01-01 and leaves out nothing: known",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	rules := g.Unit("b").Drift.Ignore
	if len(rules) != 4 || !rules[0].Expired(spring) || rules[1].Expired(spring) {
		t.Errorf("rules %+v", rules)
	}
}

func TestDriftMistakesNameTheirLine(t *testing.T) {
	in := func(s string) string { return "drift {\n  " + s + "\n}" }
	ignore := func(s string) string {
		return "drift {\n  ignore {\n    reason = \"r\"\n    until = \"2026-12-01\"\n    " + s + "\n  }\n}"
	}
	for _, c := range []struct{ name, config, want string }{
		{"a setting that is not there", in(`evry = "1h"`), `mooring.hcl:2 Unsupported argument: An argument named "evry" is not expected here. Did you mean "every"?`},
		{"a block that is not there", in(`ignores {}`), `mooring.hcl:2 Unsupported block type: Blocks of type "ignores" are not expected here. Did you mean "ignore"?`},
		{"no duration", in(`every = "1w"`), `mooring.hcl:2 Bad duration: every = "1w" is no duration such as "90s", "10m" or "6h".`},
		{"no days", in(`remind = "xd"`), `mooring.hcl:2 Bad duration: remind = "xd" is no duration such as "90s", "10m" or "6h".`},
		{"0 days", in(`remind = "0d"`), `mooring.hcl:2 Bad duration: remind = "0d" is no duration such as "90s", "10m" or "6h".`},
		{"more days than there are", in(`every = "400d"`), `mooring.hcl:2 Bad every: Scans are at most a year apart; with enabled = false there are none.`},
		{"two schedules", in("every = \"1h\"\n  cron = \"@daily\""), `mooring.hcl:3 Two schedules: Say every or cron, not both; every is in line 2.`},
		{"cron with a zone", in(`cron = "CRON_TZ=UTC 0 3 * * *"`), `mooring.hcl:2 Bad cron: The time zone is said by timezone, not in the expression.`},
		{"no zone", in(`timezone = "Berlin"`), `mooring.hcl:2 Bad timezone: "Berlin" is no time zone such as "Europe/Berlin" or "UTC".`},
		{"the machine's zone", in(`timezone = "Local"`), `mooring.hcl:2 Bad timezone: "Local" is no time zone such as "Europe/Berlin" or "UTC".`},
		{"backoff 0", in(`backoff = 0`), `mooring.hcl:2 Bad backoff: backoff is how many times its period a clean unit waits at most: 1 to 64.`},
		{"half a backoff", in(`backoff = 1.5`), `mooring.hcl:2 Wrong type: backoff must be a whole number.`},
		{"remediate", in(`remediate = "pull-request"`), `mooring.hcl:2 Bad remediate: "pull-request" is none of never, issue, pull_request, apply. Did you mean "pull_request"?`},
		{"heal of a workspace", "workspace \"w\" {\n  dir = \"a\"\n  drift {\n    heal = true\n  }\n}", `mooring.hcl:4 Not a manifest set: heal puts Kubernetes objects right; for a workspace say remediate = "apply".`},
		{"two blocks", "drift {}\ndrift {}", `mooring.hcl:2 Duplicate drift block: There is one already in line 1.`},
		{"two blocks in a unit", "workspace \"w\" {\n  dir = \"a\"\n  drift {}\n  drift {}\n}", `mooring.hcl:4 Duplicate drift block: There is one already in line 3.`},
		{"a window that never opens", in(`window "w" {
    from = "06:00"
    to = "06:00"
  }`), `mooring.hcl:2 Empty window: from and to are the same; a whole day is from = "00:00" to "24:00".`},
		{"a window without an end", in(`window "w" {
    from = "06:00"
  }`), `mooring.hcl:2 Missing to: A window says when it opens and closes: to = "06:00".`},
		{"a time", in(`window "w" {
    from = "6am"
    to = "07:00"
  }`), `mooring.hcl:3 Bad time: from = "6am" is no time of day such as "06:00" or "22:30".`},
		{"a day", in(`window "w" {
    days = ["monday"]
    from = "06:00"
    to = "07:00"
  }`), `mooring.hcl:3 Bad day: "monday" is no day: days are sun, mon, tue, wed, thu, fri, sat, and spans of them such as "mon-fri". Did you mean "mon"?`},
		{"two windows of one name", in("window \"w\" {\n    from = \"06:00\"\n    to = \"07:00\"\n  }\n  window \"w\" {}"), `mooring.hcl:6 Duplicate window: There is a window "w" already in line 2.`},
		{"a rule without a reason", in("ignore {\n    classes = [\"churn\"]\n    until = \"2026-12-01\"\n  }"), `mooring.hcl:2 Missing reason: An ignore rule says why: reason = "the autoscaler sets it".`},
		{"a rule with an empty reason", in("ignore {\n    classes = [\"churn\"]\n    reason = \" \"\n    until = \"2026-12-01\"\n  }"), `mooring.hcl:4 Missing reason: The reason is empty.`},
		{"a rule without an end", in("ignore {\n    classes = [\"churn\"]\n    reason = \"r\"\n  }"), `mooring.hcl:2 Missing until: An ignore rule ends some day: until = "2027-01-31", at most a year ahead.`},
		{"an end that is no day", in("ignore {\n    classes = [\"churn\"]\n    reason = \"r\"\n    until = \"soon\"\n  }"), `mooring.hcl:5 Bad until: "soon" is no day such as "2027-01-31".`},
		{"a rule for everything", ignore(`units = ["*"]`), `mooring.hcl:2 Rule without a subject: An ignore rule names addresses, fields or classes; scans of a whole unit are turned off by enabled = false in its block.`},
		{"a rule for nothing", ignore(`addresses = []`), `mooring.hcl:5 Empty list: addresses names nothing. Leave it out for all, or say which.`},
		{"a class", ignore(`classes = ["chrun"]`), `mooring.hcl:5 Bad classes: "chrun" is none of out_of_band, churn, unhealthy. Did you mean "churn"?`},
		{"a class that is no drift", ignore(`classes = ["undeployed"]`), `mooring.hcl:5 Bad classes: "undeployed" is none of out_of_band, churn, unhealthy.`},
		{"a pattern", ignore(`fields = ["tags.{a"]`), `mooring.hcl:5 Bad pattern: "tags.{a" in fields is no pattern: * and ? stand for text, {a,b} for a or b.`},
		{"units in a unit's block", "workspace \"w\" {\n  dir = \"a\"\n  drift {\n    ignore {\n      units = [\"b\"]\n      classes = [\"churn\"]\n      reason = \"r\"\n      until = \"2026-12-01\"\n    }\n  }\n}",
			`mooring.hcl:5 Not here: A rule in the block of a unit is for that unit; one with units stands in the drift block at the top.`},
		{"a severity without a level", in("severity {\n    kinds = [\"aws_*\"]\n  }"), `mooring.hcl:2 Missing level: A severity rule says level = "critical", "warning" or "info".`},
		{"a level", in("severity {\n    kinds = [\"aws_*\"]\n    level = \"fatal\"\n  }"), `mooring.hcl:4 Bad level: "fatal" is none of info, warning, critical.`},
		{"a severity of everything", in("severity {\n    level = \"info\"\n  }"), `mooring.hcl:2 Rule without a subject: A severity rule names kinds, changes or both.`},
		{"a change", in("severity {\n    changes = [\"delete\"]\n    level = \"info\"\n  }"), `mooring.hcl:3 Bad changes: "delete" is none of changed, deleted, added, broken. Did you mean "deleted"?`},
		{"an output", in(`every = workspace.a.outputs.x`), `mooring.hcl:2 Not known in time: every decides what Mooring runs, so it cannot come from an output.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := configDiags(t, ScannerOptions{}, "-- mooring.hcl --\n"+c.config+"\n"+twoRoots); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBracketsOfAnAddressAreNoPattern(t *testing.T) {
	g := driftGraph(t, "drift {\n  ignore {\n    addresses = [\"a.b[0\", \"c.d[\\\"x\\\"]\"]\n    reason = \"r\"\n    until = \"2026-12-01\"\n  }\n}")
	if got := g.Unit("a").Drift.Ignore[0].Addresses; strings.Join(got, " ") != `a.b[0 c.d["x"]` {
		t.Errorf("addresses %q", got)
	}
}

func TestWhatABlockSaysOfDriftIsNoReasonToPlan(t *testing.T) {
	digest := func(config string) string { return driftGraph(t, config).Unit("w").ConfigDigest() }
	plain := digest("workspace \"w\" {\n  dir = \"a\"\n}")
	for _, same := range []string{
		"workspace \"w\" {\n  dir = \"a\"\n  drift { every = \"1h\" }\n}",
		"workspace \"w\" {\n  dir = \"a\"\n\n  drift {\n    every = \"2h\"\n  }\n}",
	} {
		if digest(same) != plain {
			t.Errorf("another digest for %s", same)
		}
	}
	if digest("workspace \"w\" {\n  dir = \"a\"\n  auto_apply = \"never\"\n  drift { every = \"1h\" }\n}") == plain {
		t.Error("the rest of the block does not count")
	}
}

func TestRemediationGoesNoFurtherThanItsCeiling(t *testing.T) {
	for _, c := range []struct{ said, ceiling, want Remediate }{
		{RemediateApply, RemediatePullRequest, RemediatePullRequest},
		{RemediateIssue, RemediateApply, RemediateIssue},
		{RemediateApply, RemediateApply, RemediateApply},
		{"", RemediateApply, RemediateNever},
		{RemediateApply, "", RemediateNever},
		{"always", RemediateApply, RemediateNever},
	} {
		if got := c.said.AtMost(c.ceiling); got != c.want {
			t.Errorf("%q under %q: %q, want %q", c.said, c.ceiling, got, c.want)
		}
	}
}
