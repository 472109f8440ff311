package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

func TestTheChangeSet(t *testing.T) {
	claim := object(t, `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data","namespace":"db"}}`)
	e := load(t, one(`package main

ask_gone contains {"msg": sprintf("%s %s", [c.verb, c.ref]), "subject": c.ref, "needs": needs("team:dba", 1)} if {
	some c in gone
	c.live.kind == "PersistentVolumeClaim"
	c.object == null
}

gone contains c if {
	some c in input.changes
	c.verb in {"delete", "prune"}
}

deny contains sprintf("%s of %d", [input.metadata.name, count(input.changes)]) if input.kind == "ChangeSet"

# Conftest's rules know nothing of change sets, and are not asked about them.
deny_labels contains "no labels" if not input.metadata.labels
`))
	v := e.Manifests(t.Context(), []map[string]any{object(t, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"s","labels":{"a":"b"}}}`)},
		ChangeSet{Name: "web", Changes: []Change{{Verb: "prune", Ref: "PersistentVolumeClaim db/data", Live: claim}}}, policies.Facts{})
	want := said{Ask: []string{"prune PersistentVolumeClaim db/data"}, Deny: []string{"web of 1"}}
	if diff := cmp.Diff(want, short(v)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if got := v.Findings[1].Subject; got != "PersistentVolumeClaim db/data" {
		t.Errorf("subject %q", got)
	}
}

func TestLiveObjects(t *testing.T) {
	e := load(t, one(`package main

warn contains sprintf("from %d to %d replicas", [live.spec.replicas, input.spec.replicas]) if {
	live := data.mooring.live[sprintf("%s/%s/%s/%s", [input.apiVersion, input.kind, object.get(input.metadata, "namespace", ""), input.metadata.name])]
	live.spec.replicas > input.spec.replicas
}
`))
	live := object(t, deployment)
	live["spec"].(map[string]any)["replicas"] = int64(5) // as client-go has numbers
	for name, changes := range map[string]ChangeSet{
		"beside the changes": {Live: []map[string]any{live}},
		"of a change":        {Changes: []Change{{Verb: "configure", Object: object(t, deployment), Live: live}}},
	} {
		v := e.Manifests(t.Context(), []map[string]any{object(t, deployment)}, changes, policies.Facts{})
		if diff := cmp.Diff(said{Warn: []string{"from 5 to 1 replicas"}}, short(v)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if v.Findings[0].Subject != "apps/v1/Deployment//hello" {
			t.Errorf("subject %q", v.Findings[0].Subject)
		}
	}
}

// A set whose every object goes is judged too.
func TestNothingIsLeft(t *testing.T) {
	e := load(t, one(`package main
deny contains "gone" if input.changes[_].verb == "delete"`))
	v := e.Manifests(t.Context(), nil, ChangeSet{Changes: []Change{{Verb: "delete", Live: object(t, service)}}}, policies.Facts{})
	if !v.Denied() {
		t.Errorf("%+v", v)
	}
}
