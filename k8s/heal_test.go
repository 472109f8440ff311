package k8s

import "testing"

// A healing sends what has drifted or is gone, and leaves everything else that is there as it is.
func TestAHealingSendsWhatHasDriftedAlone(t *testing.T) {
	id := func(name string) ID { return ID{Kind: "ConfigMap", Namespace: "web", Name: name} }
	item := func(name string) Item { return Item{ID: id(name), Version: "v1", UID: "u-" + "x", Applied: "h.m"} }
	drifted, left, gone := item("drifted"), item("left"), item("gone")
	set := Set{ID: "infra/apps", Prune: true, Heal: map[string][]string{drifted.Ref(): {"data.level"}, gone.Ref(): {}}}
	live := func() Live { return Live{Found: true, UID: "u-x", Owner: set.label(), Managed: "other"} }
	desired := []Desired{{Item: drifted, Hash: "h"}, {Item: left, Hash: "h"}, {Item: gone, Hash: "h"}}
	observed := Observed{Live: map[ID]Live{drifted.ID: live(), left.ID: live(), gone.ID: {}}}
	got := map[string]Verb{}
	for _, a := range Plan(set, desired, observed, Inventory{Items: []Item{drifted, left, gone}}) {
		got[a.Item.Name] = a.Verb
	}
	if got["drifted"] != VerbApply || got["left"] != VerbKeep || got["gone"] != VerbApply {
		t.Errorf("%v", got)
	}
	set.Heal = nil
	for _, a := range Plan(set, desired, observed, Inventory{Items: []Item{drifted, left, gone}}) {
		if a.Verb != VerbApply {
			t.Errorf("an ordinary apply: %s", a)
		}
	}
}

func TestAHealingTakesBackWhatDriftedAndNoMore(t *testing.T) {
	set := Set{Heal: map[string][]string{"apps/v1 Deployment web/api": {"spec.replicas", "spec.template.spec.containers[name=web].image"}}}
	for _, c := range []struct {
		ref    string
		fields []string
		want   bool
	}{
		{"apps/v1 Deployment web/api", []string{".spec.replicas"}, true},
		{"apps/v1 Deployment web/api", []string{".spec.replicas", `.spec.template.spec.containers[name="web"].image`}, true},
		{"apps/v1 Deployment web/api", []string{".spec.replicas", ".spec.paused"}, false},
		{"apps/v1 Deployment web/api", nil, false},
		{"apps/v1 Deployment web/other", []string{".spec.replicas"}, false},
	} {
		if got := set.takesBack(c.ref, c.fields); got != c.want {
			t.Errorf("%s %q: %t", c.ref, c.fields, got)
		}
	}
	if (Set{}).takesBack("apps/v1 Deployment web/api", []string{".spec.replicas"}) {
		t.Error("an apply that heals nothing took a field over")
	}
}
