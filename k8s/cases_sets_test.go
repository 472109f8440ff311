package k8s

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The set that loses an object comes first: it is told that another one wants it.
func TestCase20MoveWhoeverComesFirst(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("moved", "k: v"))
	uid := r.get("v1", "ConfigMap", "moved").GetUID()
	elsewhere := func(id ID) (string, error) {
		if id.Name == "moved" {
			return "other", nil
		}
		return "", nil
	}
	options := r.options()
	options.Elsewhere = elsewhere
	result, err := r.c.Apply(t.Context(), r.set, r.render(configMap("a", "k: v")), r.inv, options)
	if err != nil || result.Pruned != 0 || len(result.Inventory.Items) != 1 {
		t.Errorf("%v\n%s", err, summary(result))
	}
	other := &rig{T: t, c: r.c, ns: r.ns, set: r.set}
	other.set.ID += "-other"
	if result := other.mustApply(configMap("moved", "k: w")); result.Configured != 1 {
		t.Errorf("%s", summary(result))
	}
	live := r.get("v1", "ConfigMap", "moved")
	if live == nil || live.GetUID() != uid || live.GetAnnotations()[ownerLabel] != other.set.ID {
		t.Errorf("not adopted: %v", live)
	}
	if result := r.mustApply(configMap("a", "k: v")); result.Unchanged != 1 || len(result.Objects) != 1 {
		t.Errorf("the set it left: %s", summary(result))
	}
}

// A set under another name takes over what runs, and removing the old one deletes nothing of it.
func TestCase21RenamedPathKeepsUIDs(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + deployment("web", "  replicas: 0") + configMap("left", "k: v")
	r.mustApply(manifests)
	uids := map[string]any{"a": r.get("v1", "ConfigMap", "a").GetUID(), "web": r.get("apps/v1", "Deployment", "web").GetUID()}
	renamed := &rig{T: t, c: r.c, ns: r.ns, set: r.set}
	renamed.set.ID += "-renamed"
	if result := renamed.mustApply(configMap("a", "k: v") + deployment("web", "  replicas: 0")); result.Configured != 2 {
		t.Errorf("%s", summary(result))
	}
	result, err := r.c.Delete(t.Context(), r.set, r.inv, r.options())
	if err != nil || result.Pruned != 1 || len(result.Inventory.Items) != 0 || r.get("v1", "ConfigMap", "left") != nil {
		t.Errorf("the old name's set: %v\n%s", err, summary(result))
	}
	if a, web := r.get("v1", "ConfigMap", "a"), r.get("apps/v1", "Deployment", "web"); a == nil || web == nil || a.GetUID() != uids["a"] || web.GetUID() != uids["web"] {
		t.Error("made anew")
	}
	renamed.forgetRequests()
	if again := renamed.mustApply(configMap("a", "k: v") + deployment("web", "  replicas: 0")); again.Unchanged != 2 {
		t.Errorf("%s", summary(again))
	}
}

// A prune of most of a set waits for a person; all else is done.
func TestCase23LargePruneHeld(t *testing.T) {
	r := newRig(t)
	var doomed strings.Builder
	for i := range 11 {
		doomed.WriteString(configMap(fmt.Sprintf("doomed-%d", i), "k: v"))
	}
	r.mustApply(configMap("a", "k: v") + doomed.String())
	r.forgetRequests()
	result, err := r.apply(configMap("a", "k: w"))
	if !errors.Is(err, ErrPruneHeld) || !strings.Contains(err.Error(), "11 of the set's 12 objects") || result.Configured != 1 || result.Pruned != 0 || len(r.inv.Items) != 12 {
		t.Errorf("error = %v\n%s", err, summary(result))
	}
	for _, w := range r.writes() {
		if strings.HasPrefix(w, "DELETE") {
			t.Errorf("sent %s", w)
		}
	}
	plan, err := r.c.Plan(t.Context(), r.set, r.render(configMap("a", "k: w")), r.inv, ApplyOptions{})
	if err != nil || !strings.Contains(summary(plan.Result), "11 of the set's 12 objects would be pruned: a person has to say so") {
		t.Errorf("plan: %v\n%s", err, summary(plan.Result))
	}
	// A yes is one to what was shown, and to nothing more.
	r.set.AllowPrune = map[ID]bool{}
	for _, id := range result.Held[1:] {
		r.set.AllowPrune[id] = true
	}
	if result, err := r.apply(configMap("a", "k: w")); !errors.Is(err, ErrPruneHeld) || result.Pruned != 0 {
		t.Errorf("one more than was allowed: %v\n%s", err, summary(result))
	}
	r.set.AllowPrune[result.Held[0]] = true
	if result := r.mustApply(configMap("a", "k: w")); result.Pruned != 11 || len(r.inv.Items) != 1 {
		t.Errorf("allowed: %s", summary(result))
	}
}

// Nine objects are not many, whatever their share.
func TestCase23SmallPruneIsNotHeld(t *testing.T) {
	r := newRig(t)
	var few strings.Builder
	for i := range 9 {
		few.WriteString(configMap(fmt.Sprintf("few-%d", i), "k: v"))
	}
	r.mustApply(configMap("a", "k: v") + few.String())
	if result := r.mustApply(configMap("a", "k: v")); result.Pruned != 9 {
		t.Errorf("%s", summary(result))
	}
}

// Two Moorings that have a set of one name on one cluster take each other's objects for leftovers: they prune none, unless a
// person has said of it that it may go. What a set sends is its own.
func TestWhatOnlyALabelClaimsIsLeftAlone(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("both", "k: v") + configMap("theirs", "k: v"))
	other := &rig{T: t, c: r.c, ns: r.ns, set: r.set} // knows nothing of the first
	manifests := configMap("both", "k: v") + configMap("ours", "k: v")
	for range 2 {
		result := other.mustApply(manifests)
		if result.Pruned != 0 || result.Skipped != 1 || r.get("v1", "ConfigMap", "theirs") == nil || !strings.Contains(summary(result), "another Mooring may have") {
			t.Fatalf("with a set of the same name:\n%s", summary(result))
		}
	}
	result, err := other.c.Delete(t.Context(), other.set, other.inv, other.options())
	if err != nil || result.Pruned != 2 || result.Skipped != 1 || r.get("v1", "ConfigMap", "theirs") == nil {
		t.Errorf("the set went: %v\n%s", err, summary(result))
	}
	other.inv = Inventory{}
	other.mustApply(manifests)
	r.edit("person", "v1", "ConfigMap", "theirs", `{"metadata":{"annotations":{"mooring.dev/prune":"enabled"}}}`)
	if result := other.mustApply(manifests); result.Pruned != 1 || r.get("v1", "ConfigMap", "theirs") != nil {
		t.Errorf("it may go:\n%s", summary(result))
	}
	if result := other.mustApply(configMap("ours", "k: v")); result.Pruned != 1 {
		t.Errorf("what it has sent is its own:\n%s", summary(result))
	}
}
