package drift

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rule is one that holds at noon, but for what a test takes from it.
func rule(change func(*Ignore)) Ignore {
	r := Ignore{Reason: "known", Until: noon.Add(time.Hour)}
	change(&r)
	return r
}

func TestRulesLeaveOutWhatTheyName(t *testing.T) {
	quoted := `module.net["a/b.c"].aws_instance.web["it's [\"x\"]"]`
	label := Field{Path: `metadata.labels["kubernetes.io/role"]`, Old: "a", New: "b"}
	owner, size := Field{Path: "tags.Owner", Old: "a", New: "b"}, Field{Path: "size", Old: 1, New: 2}
	gone := Finding{Address: "x.gone", Class: OutOfBand, Change: Deleted}
	tests := map[string]struct {
		f    Finding
		r    Ignore
		left int // fields, of a finding that is kept; -1 for none
	}{
		"an address":                      {changed("aws_instance.web[0]", owner), rule(func(r *Ignore) { r.Addresses = []string{"aws_instance.web[0]"} }), -1},
		"brackets are no set":             {changed("aws_instance.web0", owner), rule(func(r *Ignore) { r.Addresses = []string{"aws_instance.web[0]"} }), 1},
		"any key":                         {changed(quoted, owner), rule(func(r *Ignore) { r.Addresses = []string{`module.net[*].aws_instance.web[*]`} }), -1},
		"a key with quotes":               {changed(quoted, owner), rule(func(r *Ignore) { r.Addresses = []string{quoted} }), -1},
		"a star in the middle":            {changed(quoted, owner), rule(func(r *Ignore) { r.Addresses = []string{`module.*.aws_instance.{web,db}*`} }), -1},
		"not a part of it":                {changed(quoted, owner), rule(func(r *Ignore) { r.Addresses = []string{`aws_instance.web*`} }), 1},
		"an object of a cluster":          {changed("apps/v1 Deployment web/api", owner), rule(func(r *Ignore) { r.Addresses = []string{"apps/v1 Deployment web/*"} }), -1},
		"one field of two":                {changed("x.y", owner, size), rule(func(r *Ignore) { r.Fields = []string{"tags.*"} }), 1},
		"all below a field":               {changed("x.y", owner, size), rule(func(r *Ignore) { r.Fields = []string{"tags"} }), 1},
		"no name that only begins so":     {changed("x.y", owner), rule(func(r *Ignore) { r.Fields = []string{"tag"} }), 1},
		"every field":                     {changed("x.y", owner, size), rule(func(r *Ignore) { r.Fields = []string{"tags", "size"} }), -1},
		"a label":                         {changed("x.y", label), rule(func(r *Ignore) { r.Fields = []string{`metadata.labels["kubernetes.io/*"]`} }), -1},
		"a class":                         {changed("x.y", owner), rule(func(r *Ignore) { r.Classes = []Class{Churn} }), 1},
		"that class":                      {changed("x.y", owner), rule(func(r *Ignore) { r.Classes = []Class{OutOfBand} }), -1},
		"a field of what is gone":         {gone, rule(func(r *Ignore) { r.Fields = []string{"*"} }), 0},
		"what is gone, by its address":    {gone, rule(func(r *Ignore) { r.Addresses = []string{"x.gone"} }), -1},
		"a field where there are none":    {changed("x.y"), rule(func(r *Ignore) { r.Fields = []string{"*"} }), 0},
		"nothing named":                   {changed("x.y", owner), rule(func(*Ignore) {}), 1},
		"no reason":                       {changed("x.y", owner), rule(func(r *Ignore) { r.Addresses, r.Reason = []string{"x.y"}, " " }), 1},
		"no end":                          {changed("x.y", owner), rule(func(r *Ignore) { r.Addresses, r.Until = []string{"x.y"}, time.Time{} }), 1},
		"over":                            {changed("x.y", owner), rule(func(r *Ignore) { r.Addresses, r.Until = []string{"x.y"}, noon }), 1},
		"no glob":                         {changed("x.y", owner), rule(func(r *Ignore) { r.Addresses = []string{"x.{y", "x.y"} }), 1},
		"another unit":                    {changed("x.y", owner), rule(func(r *Ignore) { r.Addresses, r.Units = []string{"x.y"}, []string{"apps/*"} }), 1},
		"this unit":                       {changed("x.y", owner), rule(func(r *Ignore) { r.Addresses, r.Units = []string{"x.y"}, []string{"infra/**"} }), -1},
		"a field at addresses it is not ": {changed("x.y", owner), rule(func(r *Ignore) { r.Addresses, r.Fields = []string{"x.z"}, []string{"tags"} }), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			given := sealed(tt.f)
			before, _ := json.Marshal(given)
			kept, ignored := Leave("infra/network/eu", []Finding{given}, []Ignore{tt.r}, noon)
			if after, _ := json.Marshal(given); string(after) != string(before) {
				t.Error("what was given is changed")
			}
			if tt.left < 0 {
				if len(kept) != 0 || len(ignored) != 1 || !ignored[0].Whole || ignored[0].Rule.Reason != "known" {
					t.Fatalf("kept %v, ignored %+v", kept, ignored)
				}
				return
			}
			if len(kept) != 1 || len(kept[0].Fields) != tt.left {
				t.Fatalf("kept %v, ignored %+v", kept, ignored)
			}
			if lost := len(tt.f.Fields) - tt.left; lost > 0 && (len(ignored) != 1 || ignored[0].Whole || len(ignored[0].Finding.Fields) != lost) || lost == 0 && len(ignored) > 0 {
				t.Errorf("ignored %+v", ignored)
			}
		})
	}
}

func TestAFindingThatLostFieldsIsThatOfTheRest(t *testing.T) {
	owner, size := Field{Path: "tags.Owner", Old: "a", New: "b"}, Field{Path: "size", Old: 1, New: 2}
	secret := Field{Path: "password", Old: "a", New: "b", Secret: true}
	rules := []Ignore{rule(func(r *Ignore) { r.Fields = []string{"size"} })}
	kept, _ := Leave("u", []Finding{sealed(changed("x.y", owner, secret, size))}, rules, noon)
	if diff := cmp.Diff([]Finding{sealed(changed("x.y", owner, secret))}, kept); diff != "" {
		t.Error(diff)
	}
	// Two rules that leave out all of it between them.
	rules = append(rules, rule(func(r *Ignore) { r.Fields = []string{"tags", "password"} }))
	kept, ignored := Leave("u", []Finding{sealed(changed("x.y", owner, secret, size))}, rules, noon)
	if len(kept) != 0 || len(ignored) != 2 || ignored[0].Whole || !ignored[1].Whole {
		t.Errorf("kept %v, ignored %+v", kept, ignored)
	}
}

func TestDriftsAreGroupedByTheirCause(t *testing.T) {
	var all []Record
	for i := range 14 {
		f := sealed(changed(fmt.Sprintf("aws_instance.web[%d]", i), Field{Path: "tags.Owner", Old: fmt.Sprint("team ", i%2), New: "bob"}))
		f.Severity = Warning
		all = append(all, Record{ID: fmt.Sprint("d", i), Repository: "r", Unit: fmt.Sprintf("infra/%d", i%9), Finding: f})
	}
	gone := sealed(Finding{Address: "aws_db_instance.a", Kind: "aws_db_instance", Class: OutOfBand, Change: Deleted, Action: "create"})
	gone.Severity = Critical
	all = append(all, Record{Repository: "r", Unit: "db", Finding: gone})
	slices.Reverse(all)
	var got []string
	for _, g := range Causes(all) {
		got = append(got, fmt.Sprintf("%s %s", g.Severity, g))
	}
	want := []string{
		"critical aws_db_instance.a: deleted (an apply creates it) in db",
		`warning tags.Owner changed to "bob" on 14 aws_instance in 9 units`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	all[0].Repository = "other"
	if units := Causes(all)[0].Units; !slices.Equal(units, []string{"other db"}) {
		t.Errorf("%q", units)
	}
	if Causes(nil) != nil {
		t.Error("nothing has a cause")
	}
}

func TestALineIsOneLineWhateverIsInIt(t *testing.T) {
	f := changed("x.y[\"\u202e\n\"]", Field{Path: "a", Old: "one\ntwo", New: map[string]any{"k": "\u202e"}})
	f.Message = "so\x1b[31m"
	want := `x.y["\u202e\n"]: a changed from "one\ntwo" to {"k":"\u202e"}: so\x1b[31m`
	if got := f.String(); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestARuleSaysWhyItLeavesOutNothing(t *testing.T) {
	tests := map[string]Ignore{
		"an ignore rule needs addresses, fields or classes: without them it would ignore all drift": rule(func(*Ignore) {}),
		"an ignore rule needs a reason": {Fields: []string{"tags"}, Until: noon},
		"an ignore rule needs an end":   {Fields: []string{"tags"}, Reason: "known"},
		`units: "[" is no glob`:         rule(func(r *Ignore) { r.Fields, r.Units = []string{"tags"}, []string{"["} }),
		`"x.{y" is no glob`:             rule(func(r *Ignore) { r.Fields = []string{"x.{y"} }),
		`"" is no glob`:                 rule(func(r *Ignore) { r.Addresses = []string{""} }),
	}
	for want, r := range tests {
		if err := r.Check(); err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	if err := rule(func(r *Ignore) { r.Addresses = []string{`x["a\\b"]`} }).Check(); err != nil {
		t.Error(err)
	}
}
