package policies

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheZeroFindingDenies(t *testing.T) {
	v := Verdict{Findings: []Finding{{Effect: Warn}, {}}}
	if !v.Denied() {
		t.Error("a finding without an effect lets pass")
	}
	Sort(v.Findings)
	if v.Findings[0].Effect != "" {
		t.Errorf("the worst does not come first: %v", v.Findings)
	}
	if (Verdict{Findings: []Finding{{Effect: Ask}, {Effect: Warn}}}).Denied() {
		t.Error("a question denies")
	}
}

func TestEachGroupIsAskedOnceForTheMost(t *testing.T) {
	v := Verdict{Findings: []Finding{
		{Effect: Ask, Needs: []Need{{"team:dba", 1}}},
		{Effect: Ask, Needs: []Need{{"team:dba", 2}, {"user:ann", 0}}},
		{Effect: Ask},
		{Effect: Warn, Needs: []Need{{"team:nobody", 5}}},
	}}
	want := []Need{{"anyone", 1}, {"team:dba", 2}, {"user:ann", 1}}
	if diff := cmp.Diff(want, v.Needs()); diff != "" {
		t.Error(diff)
	}
}

func TestABoundedVerdictDeniesAndAsksAsTheWhole(t *testing.T) {
	var many []Finding
	for i := range 10 {
		many = append(many, Finding{Effect: Ask, Rule: fmt.Sprint(i), Message: strings.Repeat("ä", 20), Needs: []Need{{fmt.Sprintf("team:%d", i), 1}}})
	}
	whole := Verdict{Findings: many}
	less := whole.Bounded(3, 7)
	if len(less.Findings) != 4 || len(less.Findings[0].Message) > 10 {
		t.Errorf("it has %d findings, the first says %q", len(less.Findings), less.Findings[0].Message)
	}
	if diff := cmp.Diff(whole.Needs(), less.Needs()); diff != "" {
		t.Errorf("it asks otherwise: %s", diff)
	}
	if many[0].Message != strings.Repeat("ä", 20) {
		t.Error("the whole was changed")
	}
	if !(Verdict{Findings: append(many, Finding{})}).Bounded(3, 7).Denied() {
		t.Error("what is denied is let pass")
	}
}
