package drift

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
)

// many is a plan of so many resources of some twenty attributes, each of which drifted and is to be set again.
func many(tb testing.TB, n int) *tfjson.Plan {
	tb.Helper()
	var attributes strings.Builder
	for i := range 16 {
		fmt.Fprintf(&attributes, `"a%d":"value %d",`, i, i)
	}
	as := func(owner string) string {
		return "{" + attributes.String() + `"rules":[{"port":1,"from":["a","b"]},{"port":2}],"tags":{"Owner":"` + owner + `","Cost":"1"}}`
	}
	var drift, changes, relevant []string
	for i := range n {
		head := fmt.Sprintf(`{"address":"module.net[\"a\"].aws_instance.web[%d]","module_address":"module.net[\"a\"]","mode":"managed","type":"aws_instance","name":"web","index":%d,`, i, i)
		drift = append(drift, head+`"change":{"actions":["update"],"before":`+as("team")+`,"after":`+as("bob")+`,"before_sensitive":{"a3":true}}}`)
		changes = append(changes, head+`"change":{"actions":["update"],"before":`+as("bob")+`,"after":`+as("team")+`,"after_unknown":{"a4":true}}}`)
		relevant = append(relevant, fmt.Sprintf(`{"resource":"module.net[\"a\"].aws_instance.web[%d]","attribute":["tags"]}`, i))
	}
	p := &tfjson.Plan{}
	raw := fmt.Sprintf(`{"format_version":"1.2","resource_drift":[%s],"resource_changes":[%s],"relevant_attributes":[%s]}`,
		strings.Join(drift, ","), strings.Join(changes, ","), strings.Join(relevant, ","))
	if err := json.Unmarshal([]byte(raw), p); err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestFiveThousandResourcesHaveOneCause(t *testing.T) {
	found := Terraform(many(t, 5000), State{}, []byte("key"))
	var records []Record
	for _, f := range found {
		records = append(records, Record{Unit: "u", Finding: f})
	}
	if groups := Causes(records); len(found) != 5000 || len(groups) != 1 || groups[0].String() != `tags.Owner changed from "team" to "bob" on 5000 aws_instance in 1 unit` {
		t.Errorf("%d findings, %v", len(found), groups)
	}
}

func BenchmarkFiveThousandResources(b *testing.B) {
	p := many(b, 5000)
	for b.Loop() {
		Terraform(p, State{}, []byte("key"))
	}
}

// One resource with thousands of attributes that differ, in a plan in which thousands depend on it.
func BenchmarkOneLargeResource(b *testing.B) {
	values := func(v string) map[string]any {
		m := map[string]any{}
		for i := range 5000 {
			m[fmt.Sprint("k", i)] = v
		}
		return m
	}
	change := func(before, after string) *tfjson.ResourceChange {
		return &tfjson.ResourceChange{Address: "a.b", Type: "a", Name: "b", Change: &tfjson.Change{Actions: tfjson.Actions{tfjson.ActionUpdate}, Before: values(before), After: values(after)}}
	}
	p := &tfjson.Plan{ResourceDrift: []*tfjson.ResourceChange{change("1", "2")}, ResourceChanges: []*tfjson.ResourceChange{change("2", "1")}}
	for b.Loop() {
		Terraform(p, State{}, []byte("key"))
	}
}
