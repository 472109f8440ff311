package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/runner/drift"
)

// scanned is a scan that found something of everything.
func scanned() runner.Run {
	edited, until := noon.Add(-time.Hour), noon.AddDate(0, 0, 14)
	record := func(id, unit string, f drift.Finding) drift.Record {
		return drift.Record{ID: id, Repository: "infra", Unit: unit, Finding: f, Began: noon.Add(-50 * time.Hour), Run: "r7"}
	}
	network := record("d1", "infra/network", drift.Finding{
		Class: drift.OutOfBand, Severity: drift.Critical, Address: "aws_security_group.web", Kind: "aws_security_group", Action: "update", Change: drift.Changed,
		Fields: []drift.Field{
			{Path: "ingress[0].cidr_blocks[0]", Old: "10.0.0.0/8", New: "0.0.0.0/0"},
			{Path: "description", New: "\x1b[31mtemporary"},
			{Path: "password", Secret: true},
		},
	})
	network.Ack = &drift.Ack{By: "anna", At: noon, Until: until, Why: "rolled back on Monday"}
	apps := record("d2", "apps", drift.Finding{
		Class: drift.OutOfBand, Severity: drift.Warning, Address: "apps/Deployment shop/web", Kind: "Deployment", Change: drift.Changed,
		Fields: []drift.Field{{Path: "spec.replicas", Old: 3, New: 1, By: "kubectl-scale", At: &edited}},
	})
	gone := record("d3", "apps", drift.Finding{Class: drift.Unhealthy, Severity: drift.Critical, Address: "apps/Deployment shop/db", Kind: "Deployment", Change: drift.Broken, Message: "0 of 1 replicas are available"})
	return runner.Run{
		ID: "r7", Repository: "infra", Commit: "3f2a9c1d0e5b77aa0011223344556677889900aa", Subject: "drift scan of 5 units", Trigger: runner.OnDrift, Status: runner.Failed, Started: noon, Seconds: 12.5,
		Units: []runner.UnitResult{
			{ID: "apps", Kind: runner.KindManifests, Status: runner.Planned, Seconds: 0.4, Drift: []drift.Record{apps, gone}, Reason: "apps/Deployment shop/web changed, apps/Deployment shop/db broken"},
			{ID: "infra/db", Kind: runner.KindWorkspace, Status: runner.Skipped, Reason: "locked by r6 (apply): it is tried again"},
			{ID: "infra/legacy", Kind: runner.KindWorkspace, Status: runner.Failed, Seconds: 3, Error: "plan infra/legacy: no credentials\nask the team"},
			{ID: "infra/network", Kind: runner.KindWorkspace, Status: runner.Planned, Seconds: 4.5, Change: 1, Drift: []drift.Record{network}, Notes: []string{"aws_instance.old is left out: it goes in May"},
				Changes: []runner.ResourceChange{{Address: "aws_security_group.web", Action: "update"}}},
			{ID: "infra/quiet", Kind: runner.KindWorkspace, Status: runner.Unchanged, Seconds: 2},
		},
	}
}

func TestScans(t *testing.T) {
	var b bytes.Buffer
	if err := Scans(&b, []runner.Run{scanned()}, plain); err != nil {
		t.Fatal(err)
	}
	b.WriteString("----\n")
	run := scanned()
	if err := Run(&b, &run, Options{Style: plain, Full: true}); err != nil { // the page of it
		t.Fatal(err)
	}
	golden(t, "drift-scan", b.String())
}

func TestDriftTables(t *testing.T) {
	var open, ended []drift.Record
	for _, u := range scanned().Units {
		open = append(open, u.Drift...)
	}
	for i, d := range open {
		if i > 0 {
			at := noon
			d.Ended, d.EndedBy = &at, []string{"", "run r8", drift.Outside}[i]
		}
		ended = append(ended, d)
	}
	var b bytes.Buffer
	for _, f := range []func() error{
		func() error { return DriftTable(&b, open, false, noon, plain) },
		func() error { return DriftTable(&b, ended, true, noon, plain) },
		func() error { return Acknowledged(&b, open[2:], plain) },
		func() error { return DriftTable(&b, nil, false, noon, plain) },
		func() error { return Scans(&b, nil, plain) },
	} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
		b.WriteString("----\n")
	}
	golden(t, "drift-tables", b.String())
}

func TestACellIsNeverAFormula(t *testing.T) {
	for text, want := range map[string]string{"": "", "a=b": "a=b", "=1+1": "'=1+1", "@x": "'@x", "-1": "'-1", "+1": "'+1"} {
		if got := Cell(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
