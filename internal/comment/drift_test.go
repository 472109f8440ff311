package comment

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/runner/drift"
)

func driftOf() Drift {
	began := time.Date(2026, 11, 26, 9, 14, 3, 0, time.FixedZone("", 3600))
	at := began.Add(-time.Hour)
	record := func(f drift.Finding) drift.Record { return drift.Record{ID: "d7", Finding: f, Began: began} }
	return Drift{
		Marker: Marker("drift", "acme/infra", 0, "infra/network"),
		Unit:   "infra/network",
		URL:    page,
		Records: []drift.Record{
			record(drift.Finding{Address: "aws_instance.web", Change: drift.Changed, Class: drift.OutOfBand, Severity: drift.Warning, Action: "update", Fields: []drift.Field{
				{Path: "instance_type", Old: "t3.small", New: "t3.large"},
				{Path: "tags.Owner", Old: "net", New: nil},
				{Path: "user_data", Old: "#!/bin/sh\necho a\n", New: "#!/bin/sh\necho b\n"},
				{Path: "password", Secret: true},
				{Path: "zones", Old: []any{"a"}, New: []any{"a", "b"}},
			}}),
			record(drift.Finding{Address: "apps/v1 Deployment web/api", Change: drift.Changed, Class: drift.OutOfBand, Severity: drift.Critical, Action: "update", Fields: []drift.Field{
				{Path: "spec.replicas", Old: 2.0, New: 5.0, By: "kubectl-edit", At: &at},
			}}),
			record(drift.Finding{Address: "aws_s3_bucket.logs", Change: drift.Deleted, Class: drift.OutOfBand, Severity: drift.Critical, Action: "create"}),
			record(drift.Finding{Address: "v1 Pod web/x", Change: drift.Broken, Class: drift.Unhealthy, Severity: drift.Info, Action: "none", Message: "back-off of 5m0s pulling image"}),
		},
		Left: []Left{
			{Address: "aws_instance.web", Path: "instance_type", Why: "the value comes from variable size, used only here and set in infra/terraform.tfvars, line 3", File: "infra/main.tf", Line: 12},
			{Address: "aws_s3_bucket.logs", Why: "it was deleted: remove the block, or apply to make it again", File: "infra/main.tf"},
			{Address: "aws_instance.web", Path: "password", Why: "the value is secret: it is written into no file"},
		},
		Next: []Next{{"mooring drift ack d7 --until 2026-12-01", "says that it is known"}},
	}
}

func driftMonsters() Drift {
	d := driftOf()
	d.Unit, d.URL = monster, "javascript:alert(1)"
	r := &d.Records[0]
	r.Address, r.Change, r.Severity, r.Action, r.Message = monster, monster, monster, monster, monster
	r.Fields = []drift.Field{{Path: monster, Old: monster, New: column0, By: monster}, {Path: column0, Old: map[string]any{monster: []any{column0}}, New: "```\n@everybody <!-- mooring:x -->"}}
	d.Left = []Left{{Address: monster, Path: column0, Why: monster, File: monster, Line: 1}, {Address: "- x", Why: "# y"}}
	d.Next = []Next{{monster, monster}}
	return d
}

func TestDriftTexts(t *testing.T) {
	many := driftOf()
	for i := range 400 {
		r := many.Records[i%2]
		r.Address = fmt.Sprintf("%s[%d]", r.Address, i)
		many.Records = append(many.Records, r)
	}
	for name, d := range map[string]Drift{"drift": driftOf(), "drift-injection": driftMonsters(), "drift-many": many} {
		limit := room
		if name == "drift-many" {
			limit = 6000
		}
		for kind, body := range map[string]func(Drift, int) string{"issue": DriftIssue, "pull": DriftPull} {
			got := body(d, limit)
			golden(t, name+"-"+kind+".md", got)
			for _, limit := range []int{0, 1, 60, 200, 1000, 4000, 4300, 5000, 9000, room} {
				check(t, Report{Marker: whereItFits(d.Marker, limit), URL: d.URL}, body(d, limit), limit)
			}
		}
	}
}

// whereItFits is the marker, but where there is no room for it.
func whereItFits(marker string, limit int) string {
	if limit < len(hidden(marker))+1 {
		return ""
	}
	return marker
}

func TestDriftTextsShowNoSecret(t *testing.T) {
	d := driftOf()
	d.Records[0].Fields = []drift.Field{{Path: "password", Old: "hunter2", New: "hunter3", Secret: true}}
	for _, body := range []string{DriftIssue(d, room), DriftPull(d, room)} {
		if strings.Contains(body, "hunter") || !strings.Contains(body, "password (secret)") {
			t.Errorf("a secret is in\n%s", body)
		}
	}
}

func TestDriftIsSaidToBeHealedByWhom(t *testing.T) {
	at := time.Date(2026, 11, 26, 9, 14, 0, 0, time.UTC)
	for by, want := range map[string]string{
		"run r12": "Nothing has drifted any more as of 2026-11-26 09:14 UTC: run r12.",
		"outside": "Nothing has drifted any more as of 2026-11-26 09:14 UTC: it was set back outside of Mooring.",
		"@anna":   "Nothing has drifted any more as of 2026-11-26 09:14 UTC: `@anna`.",
	} {
		if got := DriftHealed(by, at); got != want {
			t.Errorf("%q: %s", by, got)
		}
	}
	if got := DriftTitle("infra/network", driftOf().Records); got != "Drift in infra/network: 4 resources" {
		t.Error(got)
	}
}
