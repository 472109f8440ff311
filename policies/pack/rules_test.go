package pack

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

func TestRulesSayWhatTheyAre(t *testing.T) {
	rules := Rules()
	if len(rules) != 17 {
		t.Errorf("%d rules; the pack had 17", len(rules))
	}
	common := Common()
	for _, r := range rules {
		if r.Title == "" || r.Description == "" || r.Remedy == "" {
			t.Errorf("%s lacks a title, a description or a remedy", r.ID)
		}
		if !slices.Contains([]policies.Effect{policies.Deny, policies.Ask, policies.Warn}, r.Effect) {
			t.Errorf("%s: its usual effect is %q", r.ID, r.Effect)
		}
		for _, s := range slices.Concat(r.Settings, common) {
			if s.Help == "" {
				t.Errorf("%s: nothing says what %s is", r.ID, s.Name)
			}
			if err := s.check(s.Default); err != nil {
				t.Errorf("%s: the default of %s %v", r.ID, s.Name, err)
			}
		}
	}
}

// A rule that may meet values that the plan does not tell has to say what it makes of them.
func TestRulesTellWhatTheyMakeOfTheUnknown(t *testing.T) {
	whole := []string{"terraform.stateful", "terraform.blast_radius"} // which look at actions alone
	for _, r := range Rules() {
		tells := slices.ContainsFunc(r.Settings, func(s Setting) bool { return s.Name == "unknown" })
		if want := r.Kind == Terraform && !slices.Contains(whole, r.ID); tells != want {
			t.Errorf("%s: has a setting unknown: %v, want %v", r.ID, tells, want)
		}
	}
}

func TestSettings(t *testing.T) {
	tests := []struct {
		name  string
		tuned map[string]Tuning
		want  map[string]any
		err   string
	}{
		{"nothing", nil, map[string]any{}, ""},
		{
			"all kinds of values",
			map[string]Tuning{
				"terraform.required_tags":  {Effect: policies.Warn, Settings: map[string]any{"tags": []string{"Owner"}, "approvals": 2}},
				"terraform.blast_radius":   {Settings: map[string]any{"share": 0.25, "changed": int64(5)}},
				"terraform.public_bucket":  {Effect: Off, Settings: map[string]any{"strict": true, "unknown": "warn"}},
				"terraform.public_ingress": {Settings: map[string]any{"ports": []any{443, 8443}}},
			},
			map[string]any{
				"terraform.required_tags":  map[string]any{"effect": "warn", "tags": []any{"Owner"}, "approvals": 2.0},
				"terraform.blast_radius":   map[string]any{"share": 0.25, "changed": 5.0},
				"terraform.public_bucket":  map[string]any{"effect": "off", "strict": true, "unknown": "warn"},
				"terraform.public_ingress": map[string]any{"ports": []any{443.0, 8443.0}},
			},
			"",
		},
		{"no such rule", map[string]Tuning{"terraform.statefull": {}}, nil, `the pack has no rule "terraform.statefull"; it has terraform.blast_radius, `},
		{"no such effect", map[string]Tuning{"terraform.stateful": {Effect: "allow"}}, nil, `rule "terraform.stateful": its effect is "allow"`},
		{"no such setting", map[string]Tuning{"terraform.stateful": {Settings: map[string]any{"tags": []any{}}}}, nil, `rule "terraform.stateful" has no setting "tags"`},
		{"of another type", map[string]Tuning{"terraform.stateful": {Settings: map[string]any{"types": "aws_instance"}}}, nil, `types has to be a array`},
		{"a list of others", map[string]Tuning{"terraform.public_ingress": {Settings: map[string]any{"ports": []any{"22"}}}}, nil, `ports has to be a list of numbers`},
		{"nobody", map[string]Tuning{"terraform.stateful": {Settings: map[string]any{"approvals": 0}}}, nil, `approvals has to be at least 1`},
		{"no such effect of the unknown", map[string]Tuning{"terraform.public_bucket": {Settings: map[string]any{"unknown": "never"}}}, nil, `unknown is "never"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Settings(tt.tuned)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error = %v; want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}
