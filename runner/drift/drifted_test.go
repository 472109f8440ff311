package drift

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
)

// planned is a plan in the shape that providers give it: what drifted, what is planned, and what depends on what.
func planned(t *testing.T, drift, changes, relevant string) *tfjson.Plan {
	t.Helper()
	p := &tfjson.Plan{}
	raw := fmt.Sprintf(`{"format_version":"1.2","resource_drift":[%s],"resource_changes":[%s],"relevant_attributes":[%s]}`, drift, changes, relevant)
	if err := json.Unmarshal([]byte(raw), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// web is a change of one resource, aws_instance.web.
func web(actions, before, after, more string) string {
	return fmt.Sprintf(`{"address":"aws_instance.web","mode":"managed","type":"aws_instance","name":"web","change":{"actions":[%s],"before":%s,"after":%s%s}}`, actions, before, after, more)
}

const left = `{"ami":"a1","etag":"e1","tags":{"Owner":"a team","Cost":"1"}}`

func TestDriftIsToldByAttribute(t *testing.T) {
	drifted := web(`"update"`, left, `{"ami":"a1","etag":"e2","tags":{"Owner":"bob","Cost":"1"}}`, "")
	const noise = `{"ami":"a1","etag":"e2","tags":{"Owner":"a team","Cost":"1"}}`
	tests := map[string]struct {
		drift, changes, relevant string
		state                    State
		want                     []string
	}{
		"set again": {
			drift:   drifted,
			changes: web(`"update"`, `{"ami":"a1","etag":"e2","tags":{"Owner":"bob","Cost":"1"}}`, `{"ami":"a1","tags":{"Owner":"a team","Cost":"1"}}`, `,"after_unknown":{"etag":true}`),
			want:    []string{`warning out_of_band update aws_instance.web: tags.Owner changed from "a team" to "bob"`},
		},
		"a commit moved another attribute": {
			drift:   drifted,
			changes: web(`"delete","create"`, `{"ami":"a1","etag":"e2","tags":{"Owner":"bob","Cost":"1"}}`, `{"ami":"a2","tags":{"Owner":"a team","Cost":"1"}}`, `,"after_unknown":{"etag":true}`),
			state:   State{Undeployed: true},
			want: []string{
				`warning out_of_band replace aws_instance.web: tags.Owner changed from "a team" to "bob" (an apply replaces it)`,
				`info undeployed replace aws_instance.web: not deployed yet: ami (an apply replaces it)`,
			},
		},
		"a commit asks for what somebody did": {
			drift:   drifted,
			changes: web(`"no-op"`, `{"ami":"a1","etag":"e2","tags":{"Owner":"bob","Cost":"1"}}`, `{"ami":"a1","etag":"e2","tags":{"Owner":"bob","Cost":"1"}}`, ""),
			state:   State{Undeployed: true},
		},
		"noise": {
			drift:   web(`"update"`, left, noise, ""),
			changes: web(`"no-op"`, noise, noise, ""),
		},
		"noise beside a commit": {
			drift:   web(`"update"`, left, noise, ""),
			changes: web(`"update"`, noise, `{"ami":"a2","tags":{"Owner":"a team","Cost":"1"}}`, `,"after_unknown":{"etag":true}`),
			state:   State{Undeployed: true},
			want:    []string{`info undeployed update aws_instance.web: not deployed yet: ami`},
		},
		"noise on which something depends": {
			drift:    web(`"update"`, left, noise, ""),
			changes:  web(`"no-op"`, noise, noise, ""),
			relevant: `{"resource":"aws_instance.web","attribute":["etag"]}`,
			want:     []string{`warning out_of_band none aws_instance.web: etag changed from "e1" to "e2"`},
		},
		"nothing in place of null": {
			drift:    web(`"update"`, `{"etag":null,"tags":null}`, `{"etag":"","tags":{}}`, ""),
			changes:  web(`"no-op"`, `{"etag":"","tags":{}}`, `{"etag":"","tags":{}}`, ""),
			relevant: `{"resource":"aws_instance.web","attribute":[]}`,
		},
		"another attribute is depended on": {
			drift:    web(`"update"`, left, noise, ""),
			changes:  web(`"no-op"`, noise, noise, ""),
			relevant: `{"resource":"aws_instance.web","attribute":["ami"]}`,
		},
		"deleted": {
			drift:   web(`"delete"`, left, "null", ""),
			changes: web(`"create"`, "null", left, ""),
			state:   State{Undeployed: true},
			want:    []string{`warning out_of_band create aws_instance.web: deleted (an apply creates it)`},
		},
		"deleted, as a commit wants it": {
			drift: web(`"delete"`, left, "null", ""),
			state: State{Undeployed: true},
		},
		"a whole resource is secret": {
			drift:   web(`"update"`, `{"a":"canary"}`, `{"a":"canary2"}`, `,"before_sensitive":true`),
			changes: web(`"update"`, `{"a":"canary2"}`, `{"a":"canary"}`, ""),
			want:    []string{`warning out_of_band update aws_instance.web: a changed (sensitive value)`},
		},
		"a secret deep in what came": {
			drift:   web(`"update"`, `{"a":[]}`, `{"a":[{"b":{"c":"canary","d":1}}]}`, `,"after_sensitive":{"a":[{"b":{"c":true}}]}`),
			changes: web(`"update"`, `{"a":[{"b":{"c":"canary","d":1}}]}`, `{"a":[]}`, ""),
			want:    []string{`warning out_of_band update aws_instance.web: a changed (sensitive value)`},
		},
		"a set with one more": {
			drift:   web(`"update"`, `{"ports":["b","c"]}`, `{"ports":["a","b","c"]}`, ""),
			changes: web(`"update"`, `{"ports":["a","b","c"]}`, `{"ports":["b","c"]}`, ""),
			want:    []string{`warning out_of_band update aws_instance.web: ports changed from ["b","c"] to ["a","b","c"]`},
		},
		"who gets in": {
			drift:   web(`"update"`, `{"ingress":[{"port":22,"from":"10.0.0.0/8"}]}`, `{"ingress":[{"port":22,"from":"0.0.0.0/0"}]}`, ""),
			changes: web(`"update"`, `{"ingress":[{"port":22,"from":"0.0.0.0/0"}]}`, `{"ingress":[{"port":22,"from":"10.0.0.0/8"}]}`, ""),
			want:    []string{`critical out_of_band update aws_instance.web: ingress[0].from changed from "10.0.0.0/8" to "0.0.0.0/0"`},
		},
		"an action of another time": {
			changes: web(`"teleport"`, left, left, ""),
			want:    []string{`info churn unknown aws_instance.web: never settles (what an apply does is not known)`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found := Terraform(planned(t, tt.drift, tt.changes, tt.relevant), tt.state, []byte("key"))
			if diff := cmp.Diff(tt.want, lines(found)); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if raw, err := json.Marshal(found); err != nil || strings.Contains(string(raw), "canary") {
				t.Errorf("%v: %s", err, raw)
			}
		})
	}
}

func lines(found []Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s %s %s %s", f.Severity, f.Class, f.Action, f))
	}
	return out
}

func TestWhatReadsAndWhatFollowsThroughModules(t *testing.T) {
	p := &tfjson.Plan{}
	if err := json.Unmarshal([]byte(`{"format_version":"1.2","resource_changes":[
		{"address":"data.http.x","mode":"data","type":"http","name":"x","change":{"actions":["read"],"before":null,"after":{}}}]}`), p); err != nil {
		t.Fatal(err)
	}
	want := []string{"info churn none data.http.x: never settles: read during an apply"}
	if diff := cmp.Diff(want, lines(Terraform(p, State{StateMoved: true}, nil))); diff != "" {
		t.Error(diff)
	}

	p = &tfjson.Plan{}
	if err := json.Unmarshal([]byte(`{"format_version":"1.2",
		"resource_drift":[{"address":"module.net[\"a.b\"].aws_eip.ip[0]","module_address":"module.net[\"a.b\"]","mode":"managed","type":"aws_eip","name":"ip","index":0,
			"change":{"actions":["update"],"before":{"ip":"1"},"after":{"ip":"2"}}}],
		"resource_changes":[{"address":"module.dns.aws_record.r","module_address":"module.dns","mode":"managed","type":"aws_record","name":"r",
			"change":{"actions":["update"],"before":{"to":"1"},"after":{"to":"2"}}},
			{"address":"aws_record.apart","mode":"managed","type":"aws_record","name":"apart","change":{"actions":["update"],"before":{"to":"1"},"after":{"to":"3"}}}],
		"relevant_attributes":[{"resource":"module.net[\"a.b\"].aws_eip.ip","attribute":["ip"]}],
		"configuration":{"root_module":{
			"resources":[{"address":"aws_record.apart","expressions":{"to":{"references":["local.x"]}}}],
			"module_calls":{
			"net":{"module":{"outputs":{"ips":{"expression":{"references":["aws_eip.ip"]}}}}},
			"dns":{"expressions":{"target":{"references":["module.net[\"a.b\"].ips","module.net"]}},
				"module":{"resources":[{"address":"aws_record.r","expressions":{"block":[{"to":{"references":["var.target"]}}]}}]}}}}}}`), p); err != nil {
		t.Fatal(err)
	}
	want = []string{
		`info churn update aws_record.apart: never settles: to`,
		`warning out_of_band update module.dns.aws_record.r: to changed from "2" to "1": follows from module.net["a.b"].aws_eip.ip[0]`,
		`warning out_of_band none module.net["a.b"].aws_eip.ip[0]: ip changed from "1" to "2"`,
	}
	if diff := cmp.Diff(want, lines(Terraform(p, State{}, nil))); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyAPlanOfAllThereIsIsWhole(t *testing.T) {
	no, yes := false, true
	if Whole(nil) || Whole(&tfjson.Plan{Complete: &no}) || Whole(&tfjson.Plan{DeferredChanges: []*tfjson.DeferredResourceChange{nil}}) {
		t.Error("a plan of a part is taken for the whole")
	}
	if !Whole(&tfjson.Plan{}) || !Whole(&tfjson.Plan{Complete: &yes}) {
		t.Error("a whole plan is not")
	}
	p := planned(t, "", "", "")
	if err := json.Unmarshal([]byte(`[null,{"reason":"resource_config_unknown","resource_change":{"address":"a.b","type":"a","change":{"actions":["create"]}}}]`), &p.DeferredChanges); err != nil {
		t.Fatal(err)
	}
	want := []string{"info churn none a.b: never settles: deferred: resource config unknown"}
	if got := lines(Terraform(p, State{StateMoved: true}, nil)); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A state that the configuration reads and that is ahead explains what follows from it, and nothing else.
func TestWhatFollowsFromAStateThatIsAheadIsUndeployed(t *testing.T) {
	changed := func(address, module, name string) string {
		return `{"address":"` + address + `","module_address":"` + module + `","mode":"managed","type":"aws_record","name":"` + name + `",
			"change":{"actions":["update"],"before":{"to":"1"},"after":{"to":"2"}}}`
	}
	p := &tfjson.Plan{}
	if err := json.Unmarshal([]byte(`{"format_version":"1.2",
		"resource_changes":[`+changed("aws_record.reads", "", "reads")+","+changed("aws_record.local", "", "local")+","+changed("aws_record.apart", "", "apart")+","+
		changed("module.dns.aws_record.r", "module.dns", "r")+`],
		"configuration":{"root_module":{
			"resources":[
				{"address":"data.terraform_remote_state.net","mode":"data","type":"terraform_remote_state","name":"net"},
				{"address":"aws_record.reads","expressions":{"to":{"references":["data.terraform_remote_state.net.outputs.ip","data.terraform_remote_state.net"]}}},
				{"address":"aws_record.local","expressions":{"to":{"references":["local.x"]}}},
				{"address":"aws_record.apart","expressions":{"to":{"references":["var.y"]}}}],
			"module_calls":{"dns":{"expressions":{"target":{"references":["aws_record.reads.to","aws_record.reads"]}},
				"module":{"resources":[{"address":"aws_record.r","expressions":{"to":{"references":["var.target"]}}}]}}}}}}`), p); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[State][]string{
		{StateMoved: true}: {
			"warning out_of_band update aws_record.apart", "warning out_of_band update aws_record.local",
			"warning out_of_band update aws_record.reads", "warning out_of_band update module.dns.aws_record.r",
		},
		{StateMoved: true, Ahead: true}: {
			"warning out_of_band update aws_record.apart", "info undeployed update aws_record.local",
			"info undeployed update aws_record.reads", "info undeployed update module.dns.aws_record.r",
		},
		{Ahead: true}: {
			"info churn update aws_record.apart", "info undeployed update aws_record.local",
			"info undeployed update aws_record.reads", "info undeployed update module.dns.aws_record.r",
		},
	} {
		got := lines(Terraform(p, state, nil))
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], ":")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", state, diff)
		}
	}
}
