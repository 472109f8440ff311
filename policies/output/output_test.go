package output

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

var update = flag.Bool("update", false, "write the golden files again")

var results = []Result{
	{Unit: "infra/network", Verdict: policies.Verdict{Digest: "sha256:00", Rules: 12}},
	{Unit: "infra/db:staging", Verdict: policies.Verdict{
		Rules: 12,
		Findings: []policies.Finding{
			{
				Effect: policies.Deny, Rule: "main.deny_tags", Message: "aws_db_instance.main has no tag \"owner\" <& no \"team\">",
				Subject: "aws_db_instance.main", Remedy: "Add the tags.", Policy: `policy "org" of the server`,
				Details: map[string]any{"missing": []any{"owner", "team"}},
			},
			{
				Effect: policies.Ask, Rule: "terraform.stateful", Message: "destroys a database", Subject: "aws_db_instance.old",
				Needs: []policies.Need{{Who: "team:dba", Count: 2}},
			},
			{Effect: policies.Ask, Rule: "preflight.provider", Message: "adds a provider", File: "infra/db/ver sions.tf", Line: 7},
			{Effect: policies.Warn, Rule: "main.warn", Message: "costs more", File: "infra/db/main.tf"},
		},
		Excepted: []policies.Finding{{Effect: policies.Deny, Rule: "main.deny_public", Message: "is public", Subject: "aws_s3_bucket.site"}},
	}},
	{Unit: "broken", Verdict: policies.Verdict{Findings: []policies.Finding{
		{Rule: "policy.load", Message: "control \x00 and \x1b[31m characters", File: "policy/a.rego", Line: 3},
	}}},
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestSARIF(t *testing.T) {
	var b bytes.Buffer
	if err := SARIF(&b, "1.2.3", results); err != nil {
		t.Fatal(err)
	}
	golden(t, "results.sarif", b.Bytes())
	checkSARIF(t, b.Bytes())
}

func TestSARIFOfNothing(t *testing.T) {
	var b bytes.Buffer
	if err := SARIF(&b, "", nil); err != nil {
		t.Fatal(err)
	}
	checkSARIF(t, b.Bytes())
	if !strings.Contains(b.String(), `"results": []`) {
		t.Errorf("a run that found nothing has to say so with an empty list:\n%s", &b)
	}
}

// checkSARIF holds a log against what the specification asks of the properties that are written; the numbers are its
// sections.
func checkSARIF(t *testing.T, body []byte) {
	t.Helper()
	var log sarifLog
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 { // 3.13.2, 3.13.4
		t.Fatalf("version %q, %d runs", log.Version, len(log.Runs))
	}
	run := log.Runs[0]
	if run.Tool.Driver.Name == "" { // 3.19.8
		t.Error("the driver has no name")
	}
	seen := map[string]bool{}
	for _, r := range run.Tool.Driver.Rules {
		if r.ID == "" || seen[r.ID] { // 3.49.3
			t.Errorf("rule %q is empty or there twice", r.ID)
		}
		seen[r.ID] = true
	}
	for i, r := range run.Results {
		if r.RuleIndex < 0 || r.RuleIndex >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID { // 3.27.6
			t.Errorf("result %d: index %d is not rule %q", i, r.RuleIndex, r.RuleID)
		}
		if r.Level != "error" && r.Level != "warning" && r.Level != "note" { // 3.27.10
			t.Errorf("result %d: level %q", i, r.Level)
		}
		if r.Message.Text == "" { // 3.11.8
			t.Errorf("result %d has no message", i)
		}
		if len(r.Locations) != 1 { // 3.27.12: more than one only where all have to be changed
			t.Errorf("result %d has %d locations", i, len(r.Locations))
		}
		for _, l := range r.Locations {
			if p := l.Physical; p != nil {
				if u := p.Artifact.URI; u == "" || strings.ContainsAny(u, "\\ ") || strings.HasPrefix(u, "/") { // 3.4.3, RFC 3986
					t.Errorf("result %d: URI %q", i, u)
				}
				if p.Region != nil && p.Region.StartLine < 1 { // 3.30.5
					t.Errorf("result %d: line %d", i, p.Region.StartLine)
				}
			}
		}
		for _, s := range r.Suppressions {
			if s.Kind != "inSource" && s.Kind != "external" { // 3.35.2
				t.Errorf("result %d: suppression %q", i, s.Kind)
			}
		}
	}
}

func TestJUnit(t *testing.T) {
	var b bytes.Buffer
	if err := JUnit(&b, results); err != nil {
		t.Fatal(err)
	}
	golden(t, "results.xml", b.Bytes())
	var suites junitSuites
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	if suites.Tests != 7 || suites.Failures != 4 || suites.Skipped != 1 {
		t.Errorf("%d tests, %d failures, %d skipped; want 7, 4, 1", suites.Tests, suites.Failures, suites.Skipped)
	}
}

func TestTheSameVerdictsGiveTheSameBytes(t *testing.T) {
	write := func() string {
		var b bytes.Buffer
		if err := SARIF(&b, "1", results); err != nil {
			t.Fatal(err)
		}
		if err := JUnit(&b, results); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first := write()
	for range 20 {
		if write() != first {
			t.Fatal("the bytes differ")
		}
	}
}
