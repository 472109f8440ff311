package drift

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLostDataAndOpenDoorsAreCritical(t *testing.T) {
	tests := map[string]struct {
		f    Finding
		want Severity
	}{
		"a database is gone":         {Finding{Kind: "aws_db_instance", Class: OutOfBand, Change: Deleted}, Critical},
		"a database to be replaced":  {Finding{Kind: "aws_db_instance", Class: OutOfBand, Change: Changed, Action: "replace"}, Critical},
		"a database is changed":      {Finding{Kind: "aws_db_instance", Class: OutOfBand, Change: Changed, Action: "update"}, Warning},
		"a server is gone":           {Finding{Kind: "aws_instance", Class: OutOfBand, Change: Deleted}, Warning},
		"a role":                     {Finding{Kind: "aws_iam_role", Class: OutOfBand, Change: Changed}, Critical},
		"a scaling policy":           {Finding{Kind: "aws_autoscaling_policy", Class: OutOfBand, Change: Changed}, Warning},
		"a firewall":                 {Finding{Kind: "google_compute_firewall", Class: OutOfBand, Change: Deleted}, Critical},
		"a bucket is made public":    {Finding{Kind: "aws_s3_bucket", Class: OutOfBand, Change: Changed, Fields: []Field{{Path: "acl"}}}, Critical},
		"a queue policy":             {Finding{Kind: "aws_sqs_queue_policy", Class: OutOfBand, Change: Changed}, Critical},
		"a claim":                    {Finding{Kind: "v1/PersistentVolumeClaim", Class: OutOfBand, Change: Deleted}, Critical},
		"a binding in a cluster":     {Finding{Kind: "rbac.authorization.k8s.io/ClusterRoleBinding", Class: OutOfBand, Change: Added}, Critical},
		"an unhealthy deployment":    {Finding{Kind: "apps/Deployment", Class: Unhealthy, Change: Broken}, Warning},
		"churn of a role":            {Finding{Kind: "aws_iam_role", Class: Churn, Change: Changed}, Info},
		"a role not deployed yet":    {Finding{Kind: "aws_iam_role", Class: Undeployed, Change: Changed}, Info},
		"a role that follows from x": {Finding{Kind: "aws_iam_role", Class: OutOfBand, Change: Changed, Action: "update", Fields: []Field{{Path: "policy", Unknown: true}}}, Info},
		"nothing is known":           {Finding{}, Warning},
	}
	for name, tt := range tests {
		if got := Severe(tt.f); got != tt.want {
			t.Errorf("%s: %s, not %s", name, got, tt.want)
		}
	}
}

func TestRulesSetTheSeverity(t *testing.T) {
	rules := []SeverityRule{
		{Level: Info},
		{Kinds: []string{"aws_*"}, Level: "none"},
		{Kinds: []string{"[", "aws_db_*"}, Changes: []Change{Deleted}, Level: Warning},
		{Kinds: []string{"aws_*"}, Level: Info},
		{Changes: []Change{Added}, Classes: []Class{Churn}, Level: Critical},
	}
	found := []Finding{
		{Kind: "aws_db_instance", Class: OutOfBand, Change: Deleted},
		{Kind: "aws_iam_role", Class: OutOfBand, Change: Changed},
		{Kind: "google_compute_firewall", Class: OutOfBand, Change: Changed},
		{Kind: "google_x", Class: Churn, Change: Added},
		{Kind: "aws_db_instance", Class: Undeployed, Change: Deleted},
	}
	Grade(found, rules)
	var got []Severity
	for _, f := range found {
		got = append(got, f.Severity)
	}
	if want := []Severity{Warning, Info, Critical, Critical, Info}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// TestDataIsHeldByWhatThePolicyPackSays keeps one list in two languages: no policy engine is needed to grade drift.
func TestDataIsHeldByWhatThePolicyPackSays(t *testing.T) {
	raw, err := os.ReadFile("../../policies/pack/terraform/stateful_types.rego")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`"([a-z0-9]+_[a-z0-9_]+)"`).FindAllStringSubmatch(string(raw), -1) {
		found[m[1]] = true
	}
	want := slices.Sorted(maps.Keys(found))
	if diff := cmp.Diff(want, strings.Fields(statefulText)); diff != "" {
		t.Errorf("stateful.txt (-policy pack +here):\n%s", diff)
	}
}
