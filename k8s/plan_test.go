package k8s

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func cm(name string) Item {
	return Item{ID: ID{Kind: "ConfigMap", Namespace: "x", Name: name}, Version: "v1", UID: types.UID("uid-" + name), Applied: "h.m"}
}

func ofKind(group, kind, name string) Item {
	return Item{ID: ID{Group: group, Kind: kind, Name: name}, Version: "v1", UID: types.UID("uid-" + name)}
}

// label is that of the set without a name, which these tables plan for.
var label = Set{}.label()

func ours(i Item) Live { return Live{Found: true, Owner: label, UID: i.UID, Managed: "m"} }

func TestPlanDecides(t *testing.T) {
	a := cm("a")
	with := func(l Live, change func(*Live)) Live { change(&l); return l }
	for _, tt := range []struct {
		name    string
		set     Set
		desired []Desired
		live    map[ID]Live
		inv     []Item
		want    string
	}{
		{name: "new", desired: []Desired{{Item: a, Hash: "h"}}, want: "apply a"},
		{name: "as applied", desired: []Desired{{Item: a, Hash: "h"}}, live: map[ID]Live{a.ID: ours(a)}, inv: []Item{a}, want: "keep a"},
		{name: "manifest changed", desired: []Desired{{Item: a, Hash: "h2"}}, live: map[ID]Live{a.ID: ours(a)}, inv: []Item{a}, want: "apply a"},
		{name: "a field edited by others", desired: []Desired{{Item: a, Hash: "h"}}, live: map[ID]Live{a.ID: with(ours(a), func(l *Live) { l.Managed = "n" })}, inv: []Item{a}, want: "apply a"},
		{name: "made anew by others", desired: []Desired{{Item: a, Hash: "h"}}, live: map[ID]Live{a.ID: with(ours(a), func(l *Live) { l.UID = "other" })}, inv: []Item{a}, want: "apply a"},
		{name: "label lost", desired: []Desired{{Item: a, Hash: "h"}}, live: map[ID]Live{a.ID: with(ours(a), func(l *Live) { l.Owner = "" })}, inv: []Item{a}, want: "apply a"},
		{name: "not in the inventory", desired: []Desired{{Item: a, Hash: "h"}}, live: map[ID]Live{a.ID: ours(a)}, want: "apply a"},
		{name: "a Secret, of which no hash is kept", desired: []Desired{{Item: a}}, live: map[ID]Live{a.ID: ours(a)}, inv: []Item{a}, want: "apply a"},
		{name: "being deleted", desired: []Desired{{Item: a, Hash: "h"}}, live: map[ID]Live{a.ID: with(ours(a), func(l *Live) { l.Deleting = true })}, inv: []Item{a}, want: "apply a"},
		{name: "left the set", set: Set{Prune: true}, live: map[ID]Live{a.ID: ours(a)}, inv: []Item{a}, want: "delete a"},
		{name: "left, pruning off", live: map[ID]Live{a.ID: ours(a)}, inv: []Item{a}, want: "skip a: pruning is off for this set"},
		{name: "left, already gone", set: Set{Prune: true}, live: map[ID]Live{a.ID: {}}, inv: []Item{a}, want: "forget a: already gone"},
		{name: "left, label lost", set: Set{Prune: true}, live: map[ID]Live{a.ID: with(ours(a), func(l *Live) { l.Owner = "" })}, inv: []Item{a}, want: "forget a: it no longer carries the set's label mooring.dev/set"},
		{name: "left, made anew by others", set: Set{Prune: true}, live: map[ID]Live{a.ID: {Found: true, Owner: label, UID: "other"}}, inv: []Item{a}, want: "forget a: someone else has made it anew"},
		{name: "left, made anew by a run that could not say so", set: Set{Prune: true}, live: map[ID]Live{a.ID: with(ours(a), func(l *Live) { l.UID = "other" })}, inv: []Item{a}, want: "delete a"},
		{name: "left, UID not known yet", set: Set{Prune: true}, live: map[ID]Live{a.ID: ours(a)}, inv: []Item{{ID: a.ID, Version: "v1"}}, want: "delete a"},
		{name: "left, annotated", set: Set{Prune: true}, live: map[ID]Live{a.ID: with(ours(a), func(l *Live) { l.Prune = "disabled" })}, inv: []Item{a}, want: "skip a: it is annotated mooring.dev/prune: disabled"},
		{name: "left, API away", set: Set{Prune: true}, live: map[ID]Live{a.ID: {Unknown: true}}, inv: []Item{a}, want: "skip a: its API service does not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, act := range Plan(tt.set, tt.desired, Observed{Live: tt.live}, Inventory{Items: tt.inv}) {
				line := fmt.Sprintf("%s %s", act.Verb, act.Item.Name)
				if act.Reason != "" {
					line += ": " + act.Reason
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlanProtectsKinds(t *testing.T) {
	for _, item := range []Item{ofKind("", "Namespace", "n"), ofKind("", "PersistentVolume", "v"), ofKind("", "PersistentVolumeClaim", "c"),
		ofKind("apiextensions.k8s.io", "CustomResourceDefinition", "d")} {
		live := ours(item)
		inv := Inventory{Items: []Item{item}}
		if got := Plan(Set{Prune: true}, nil, Observed{Live: map[ID]Live{item.ID: live}}, inv)[0].Verb; got != VerbSkip {
			t.Errorf("%s: %s", item.Kind, got)
		}
		live.Prune = "enabled"
		if got := Plan(Set{Prune: true}, nil, Observed{Live: map[ID]Live{item.ID: live}}, inv)[0].Verb; got != VerbDelete {
			t.Errorf("%s, annotated: %s", item.Kind, got)
		}
	}
}

func TestCase25PlanSparesOneObjectInTwoGroups(t *testing.T) {
	old := Item{ID: ID{Group: "extensions", Kind: "Ingress", Namespace: "x", Name: "i"}, Version: "v1beta1", UID: "u"}
	now := Item{ID: ID{Group: "networking.k8s.io", Kind: "Ingress", Namespace: "x", Name: "i"}, Version: "v1"}
	live := Live{Found: true, Owner: label, UID: "u", Managed: "m"}
	actions := Plan(Set{Prune: true}, []Desired{{Item: now, Hash: "h"}}, Observed{Live: map[ID]Live{old.ID: live, now.ID: live}}, Inventory{Items: []Item{old}})
	if actions[0].Verb != VerbApply || actions[1].Verb != VerbForget {
		t.Errorf("%v", actions)
	}
}

func TestPlanOrder(t *testing.T) {
	items := []Item{
		ofKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "hook"), ofKind("apps", "Deployment", "web"),
		ofKind("example.com", "Thing", "thing"), ofKind("", "ConfigMap", "config"), ofKind("rbac.authorization.k8s.io", "ClusterRole", "role"),
		ofKind("", "Namespace", "ns"), ofKind("apiextensions.k8s.io", "CustomResourceDefinition", "crd"),
	}
	items[1].Namespace, items[2].Namespace, items[3].Namespace = "ns", "ns", "ns"
	var desired []Desired
	live := map[ID]Live{}
	for _, i := range items {
		order, err := orderOf(Object{Unstructured: &unstructured.Unstructured{}}, i)
		if err != nil {
			t.Fatal(err)
		}
		desired = append(desired, Desired{Item: i, Hash: "h", Order: order})
		l := ours(i)
		l.Prune = "enabled"
		live[i.ID] = l
	}
	order := func(actions []Action) (names []string) {
		for _, a := range actions {
			names = append(names, a.Item.Name)
		}
		return names
	}
	want := []string{"crd", "ns", "role", "config", "thing", "web", "hook"}
	if diff := cmp.Diff(want, order(Plan(Set{}, desired, Observed{}, Inventory{}))); diff != "" {
		t.Error(diff)
	}
	want = []string{"hook", "web", "thing", "config", "role", "ns", "crd"}
	if diff := cmp.Diff(want, order(Plan(Set{Prune: true}, nil, Observed{Live: live}, Inventory{Items: items}))); diff != "" {
		t.Error(diff)
	}
}

func TestSetLabel(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []string{"infra/apps", "infra.apps", "infra/Apps", strings.Repeat("long/", 60), strings.Repeat("long/", 61), "ünïcode/é", "/", "-"} {
		l := Set{ID: id}.label()
		if len(l) > 63 || seen[l] || strings.Trim(l, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || strings.ContainsAny(l[:1]+l[len(l)-1:], "-_.") {
			t.Errorf("%q has label %q", id, l)
		}
		seen[l] = true
	}
	if got := (Set{ID: "infra/apps"}).label(); !strings.HasPrefix(got, "infra.apps-") {
		t.Errorf("label = %q", got)
	}
}
