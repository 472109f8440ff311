package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

const emptyPlan = `{"format_version":"1.2","terraform_version":"1.9.0"}`

func judge(t testing.TB, s Source, plan string, facts policies.Facts) policies.Verdict {
	t.Helper()
	return load(t, s).Plan(t.Context(), []byte(plan), facts)
}

func TestWhatARuleSaysOfItsFinding(t *testing.T) {
	v := judge(t, Source{Name: "org", Dir: "policies", Files: one(`package main

deny_x contains {
	"msg": "no",
	"subject": "aws_x.y",
	"remedy": "do not",
	"_loc": {"file": "main.tf", "line": 3},
	"severity": "high",
	"details": {"n": 1},
}`).Files}, emptyPlan, policies.Facts{})
	want := []policies.Finding{{
		Effect: policies.Deny, Rule: "main.deny_x", Message: "no", Subject: "aws_x.y", File: "main.tf", Line: 3, Remedy: "do not", Policy: "org",
		Details: map[string]any{"severity": "high", "details": map[string]any{"n": "1"}},
	}}
	for _, f := range v.Findings {
		if d, ok := f.Details["details"].(map[string]any); ok {
			d["n"] = "1" // a json.Number
		}
	}
	if diff := cmp.Diff(want, v.Findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if v.Rules != 1 || v.Digest == "" {
		t.Errorf("%d rules, digest %q", v.Rules, v.Digest)
	}
}

func TestAsking(t *testing.T) {
	tests := []struct {
		name, rule string
		want       []policies.Need
		rules      string // of the finding, where it denies
	}{
		{"one group", `ask contains {"msg": "m", "needs": needs("team:dba", 2)}`, []policies.Need{{Who: "team:dba", Count: 2}}, ""},
		{"two groups", `ask_db contains {"msg": "m", "needs": [needs("team:dba", 1), needs("user:ann", 1)]}`,
			[]policies.Need{{Who: "team:dba", Count: 1}, {Who: "user:ann", Count: 1}}, ""},
		{"a set of them", `ask contains {"msg": "m", "needs": {needs("team:dba", 1)}}`, []policies.Need{{Who: "team:dba", Count: 1}}, ""},
		{"a text asks anybody", `ask contains "m"`, []policies.Need{{Who: "anyone", Count: 1}}, ""},
		{"no needs ask anybody", `ask contains {"msg": "m"}`, []policies.Need{{Who: "anyone", Count: 1}}, ""},
		{"an object that looks so", `ask contains {"msg": "m", "needs": {"who": "team:dba", "count": 1}}`, []policies.Need{{Who: "team:dba", Count: 1}}, ""},
		{"nobody is named", `ask contains {"msg": "m", "needs": needs("dba", 1)}`, nil, ruleFailed},
		{"none of them", `ask contains {"msg": "m", "needs": needs("team:dba", 0)}`, nil, ruleFailed},
		{"half a person", `ask contains {"msg": "m", "needs": needs("team:dba", 1.5)}`, nil, ruleFailed},
		{"two of one person", `ask contains {"msg": "m", "needs": needs("user:ann", 2)}`, nil, ruleFailed},
		{"an empty list", `ask contains {"msg": "m", "needs": []}`, nil, ruleResult},
		{"a text for needs", `ask contains {"msg": "m", "needs": "team:dba"}`, nil, ruleResult},
		{"a count that is a text", `ask contains {"msg": "m", "needs": {"who": "team:dba", "count": "1"}}`, nil, ruleResult},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := judge(t, one("package main\n"+tt.rule), emptyPlan, policies.Facts{})
			if tt.rules != "" {
				if !v.Denied() || v.Findings[0].Rule != tt.rules {
					t.Errorf("findings %+v; want a deny of %s", v.Findings, tt.rules)
				}
				return
			}
			if v.Denied() {
				t.Fatalf("denied: %+v", v.Findings)
			}
			if diff := cmp.Diff(tt.want, v.Needs()); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	policy := one(`package main

run := data.mooring

deny contains "wrong unit" if run.unit != "infra/db"
deny contains "wrong author" if run.author != "ann"
deny contains "no changed file" if not "infra/db/main.tf" in run.changed
deny contains "not yet approved" if count(run.approvals) == 0
deny contains "no time" if time.parse_rfc3339_ns(run.approvals[0].at) == 0
warn contains sprintf("drifted since %s, %d resources", [run.drift.since, run.drift.count]) if run.drift
warn contains "no pull request" if run.pull_request == 0
`)
	facts := policies.Facts{
		Unit: "infra/db", Author: "ann", Changed: []string{"infra/db/main.tf"}, Approvals: []policies.Approval{{By: "bob", At: noon}},
		Drift: &policies.Drift{Since: noon, Count: 3},
	}
	want := said{Warn: []string{"drifted since 2026-03-04T12:00:00Z, 3 resources", "no pull request"}}
	if diff := cmp.Diff(want, short(judge(t, policy, emptyPlan, facts))); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// Of what is not known, lists are empty: a rule that counts them does not fail.
func TestFactsThatAreNotKnown(t *testing.T) {
	v := judge(t, one(`package main
deny contains sprintf("%d, %d, %v, %q", [count(data.mooring.approvals), count(data.mooring.changed), data.mooring.drift, data.mooring.author])`), emptyPlan, policies.Facts{})
	if diff := cmp.Diff(said{Deny: []string{`0, 0, null, ""`}}, short(v)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// The facts of one run are not seen by another, though the engine is the same.
func TestFactsOfTwoRuns(t *testing.T) {
	e := load(t, one("package main\ndeny contains data.mooring.unit"))
	for _, unit := range []string{"a", "b", "a"} {
		got := short(e.Plan(t.Context(), []byte(emptyPlan), policies.Facts{Unit: unit}))
		if diff := cmp.Diff(said{Deny: []string{unit}}, got); diff != "" {
			t.Errorf("verdict (-want +got):\n%s", diff)
		}
	}
}

func TestSettings(t *testing.T) {
	s := files(map[string]string{
		"p.rego":        `package main` + "\n" + `deny contains sprintf("%v", [data.settings])`,
		"defaults.yaml": "settings:\n  tags:\n    effect: deny\n    names: [owner]\n",
	})
	s.Settings = map[string]any{"tags": map[string]any{"names": []string{"team"}}, "other": 1}
	want := said{Deny: []string{`{"other": 1, "tags": {"effect": "deny", "names": ["team"]}}`}}
	if diff := cmp.Diff(want, short(judge(t, s, emptyPlan, policies.Facts{}))); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// A source is compiled alone: neither exceptions nor data nor rules of one reach another.
func TestSourcesDoNotReachEachOther(t *testing.T) {
	server := Source{Name: "server", Files: files(map[string]string{
		"p.rego": `package main
deny_tags contains "no tags" if not data.allowed
deny_helper contains "seen" if data.main.helper`,
	}).Files}
	repository := Source{Name: "repository", Files: files(map[string]string{
		"p.rego": `package main
exception contains ["tags"]
helper := true
deny_tags contains "repository"`,
		"d.json": `{"allowed": true}`,
	}).Files}
	for _, order := range [][]Source{{server, repository}, {repository, server}} {
		got := short(load(t, order...).Plan(t.Context(), []byte(emptyPlan), policies.Facts{}))
		want := said{Deny: []string{"no tags"}, Excepted: []string{"repository"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("verdict (-want +got):\n%s", diff)
		}
	}
}

func TestDigest(t *testing.T) {
	base := func() Source {
		return files(map[string]string{"p.rego": "package main\ndeny contains \"x\" if input.a", "d.json": `{"a":1}`, "p_test.rego": "package main\ntest_a if true"})
	}
	change := func(f func(*Source)) Source {
		s := base()
		f(&s)
		return s
	}
	of := func(s Source) string { return load(t, s).Digest() }
	first := of(base())
	if again := of(base()); again != first {
		t.Errorf("the same source has the digests %s and %s", first, again)
	}
	set := func(name, text string) func(*Source) {
		return func(s *Source) {
			all := files(map[string]string{"p.rego": "package main\ndeny contains \"x\" if input.a", "d.json": `{"a":1}`, name: text})
			s.Files = all.Files
		}
	}
	moved := map[string]Source{
		"a policy":   change(set("p.rego", "package main\ndeny contains \"y\" if input.a")),
		"its name":   change(set("q.rego", "package main\nx := 1")),
		"data":       change(set("d.json", `{"a":2}`)),
		"settings":   change(func(s *Source) { s.Settings = map[string]any{"a": 1} }),
		"namespaces": change(func(s *Source) { s.Namespaces = []string{"*"} }),
		"required":   change(func(s *Source) { s.Required = true }),
	}
	for what, s := range moved {
		if of(s) == first {
			t.Errorf("%s changed, and the digest is the same", what)
		}
	}
	if of(change(set("p_test.rego", "package main\ntest_b if true"))) != first {
		t.Error("a test changed, and the digest with it")
	}
}
