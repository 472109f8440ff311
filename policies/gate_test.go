package policies

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
)

func plan(actions ...tfjson.Actions) *tfjson.Plan {
	p := &tfjson.Plan{}
	for _, a := range actions {
		p.ResourceChanges = append(p.ResourceChanges, &tfjson.ResourceChange{
			Mode: tfjson.ManagedResourceMode, Address: "terraform_data.x", Change: &tfjson.Change{Actions: a},
		})
	}
	return p
}

var (
	create  = tfjson.Actions{tfjson.ActionCreate}
	update  = tfjson.Actions{tfjson.ActionUpdate}
	destroy = tfjson.Actions{tfjson.ActionDelete}
	replace = tfjson.Actions{tfjson.ActionDelete, tfjson.ActionCreate}
	swap    = tfjson.Actions{tfjson.ActionCreate, tfjson.ActionDelete}
	noop    = tfjson.Actions{tfjson.ActionNoop}
	forget  = tfjson.Actions{tfjson.ActionForget}
)

func TestGate(t *testing.T) {
	tests := []struct {
		name  string
		level Level
		plan  *tfjson.Plan
		want  Decision
	}{
		{"additions pass no_destroy", NoDestroy, plan(create, update, noop), Decision{Allowed: true}},
		{"a destroy waits", NoDestroy, plan(create, destroy), Decision{Reasons: []string{"destroys 1"}}},
		{"a replacement waits", NoDestroy, plan(replace, swap), Decision{Reasons: []string{"replaces 2"}}},
		{"destroys are said first", NoDestroy, plan(replace, destroy), Decision{Reasons: []string{"destroys 1", "replaces 1"}}},
		{"forgetting waits", NoDestroy, plan(forget), Decision{Reasons: []string{"forgets 1"}}},
		{"an action nobody has heard of waits", NoDestroy, plan(tfjson.Actions{"melt"}), Decision{Reasons: []string{"changes 1 in a way that this Mooring does not know"}}},
		{"a replacement that forgets waits", NoDestroy, plan(tfjson.Actions{tfjson.ActionCreate, tfjson.ActionForget}), Decision{Reasons: []string{"changes 1 in a way that this Mooring does not know"}}},
		{"always lets a destroy through", Always, plan(destroy), Decision{Allowed: true}},
		{"never holds an addition", Never, plan(create), Decision{Reasons: []string{"auto_apply is never"}}},
		{"the zero level holds everything", "", plan(create), Decision{Reasons: []string{"auto_apply is never"}}},
		{"a misspelt level holds everything", "allways", plan(create), Decision{Reasons: []string{"auto_apply is never"}}},
		{"no plan is never allowed", Always, nil, Decision{Reasons: []string{"the plan could not be read"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Gate(tt.level, tt.plan)); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithinOnlyTightens(t *testing.T) {
	tests := []struct {
		ceiling, asked, want Level
		lowered              bool
	}{
		{NoDestroy, "", NoDestroy, false},
		{NoDestroy, Always, NoDestroy, true},
		{NoDestroy, Never, Never, false},
		{Always, NoDestroy, NoDestroy, false},
		{Always, Always, Always, false},
		{Never, Always, Never, true},
		{"", Always, "", true},
	}
	for _, tt := range tests {
		got, lowered := Within(tt.ceiling, tt.asked)
		if got != tt.want || lowered != tt.lowered {
			t.Errorf("Within(%q, %q) = %q, %v; want %q, %v", tt.ceiling, tt.asked, got, lowered, tt.want, tt.lowered)
		}
	}
}

func TestSummaryCountsAsTerraformDoes(t *testing.T) {
	p := plan(create, update, destroy, replace, noop)
	p.ResourceChanges = append(p.ResourceChanges,
		&tfjson.ResourceChange{Mode: tfjson.DataResourceMode, Change: &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionRead}}},
		&tfjson.ResourceChange{Mode: tfjson.ManagedResourceMode, Address: "b", PreviousAddress: "a", Change: &tfjson.Change{Actions: noop, Importing: &tfjson.Importing{ID: "x"}}},
	)
	want := Summary{Add: 2, Change: 1, Destroy: 2, Replace: 1}
	if diff := cmp.Diff(want, Summarize(p)); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if got := Summarize(nil); got != (Summary{}) {
		t.Errorf("summary of no plan = %+v", got)
	}
}
