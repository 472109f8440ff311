package k8s

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPrune(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("b", "k: v") + deployment("web", ""))
	r.saves = nil
	plan, err := r.c.Plan(t.Context(), r.set, r.render(configMap("a", "k: v")), r.inv, ApplyOptions{})
	if err != nil || plan.Pruned != 2 || plan.Unchanged != 1 || r.get("v1", "ConfigMap", "b") == nil {
		t.Errorf("plan: %v\n%s", err, summary(plan.Result))
	}
	result := r.mustApply(configMap("a", "k: v"))
	if result.Pruned != 2 || result.Unchanged != 1 || len(r.inv.Items) != 1 {
		t.Errorf("%s", summary(result))
	}
	if r.get("v1", "ConfigMap", "b") != nil || r.get("apps/v1", "Deployment", "web") != nil {
		t.Error("not gone")
	}
	if len(r.saves) != 1 || len(r.saves[0].Items) != 1 {
		t.Errorf("saved %v", r.saves)
	}
}

func TestPruneOff(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("b", "k: v"))
	r.set.Prune = false
	result := r.mustApply(configMap("a", "k: v"))
	if result.Skipped != 1 || len(r.inv.Items) != 2 || r.get("v1", "ConfigMap", "b") == nil {
		t.Errorf("%s", summary(result))
	}
	r.set.Prune = true
	if result = r.mustApply(configMap("a", "k: v")); result.Pruned != 1 {
		t.Errorf("%s", summary(result))
	}
}

func TestCase22EmptyRenderBlocked(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v"))
	r.forgetRequests()
	result, err := r.apply("")
	if !errors.Is(err, ErrEmptyRender) || len(r.writes()) != 0 || len(result.Inventory.Items) != 1 {
		t.Errorf("error = %v, writes %v", err, r.writes())
	}
	if _, err := r.c.Plan(t.Context(), r.set, nil, r.inv, ApplyOptions{}); !errors.Is(err, ErrEmptyRender) {
		t.Errorf("plan: %v", err)
	}
	if r.get("v1", "ConfigMap", "a") == nil {
		t.Error("pruned")
	}
}

func TestPruneProtects(t *testing.T) {
	r := newRig(t)
	annotated := func(name, a string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", annotations: {mooring.dev/prune: " + a + "}}\n"
	}
	ns := func(name, a string) string {
		return "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: NS-" + name + a + "}\n"
	}
	r.mustApply(configMap("a", "k: v") + annotated("kept", "disabled") + ns("kept", "") + ns("gone", ", annotations: {mooring.dev/prune: enabled}"))
	result := r.mustApply(configMap("a", "k: v"))
	got := actions(result)
	if got["kept"] != Skipped || got[r.ns+"-kept"] != Skipped || got[r.ns+"-gone"] != Pruned || len(r.inv.Items) != 3 {
		t.Errorf("%s", summary(result))
	}
	if !strings.Contains(summary(result), "a Namespace is deleted only when annotated mooring.dev/prune: enabled") {
		t.Errorf("%s", summary(result))
	}
}

func TestCase24RecreatedByOthersIsNotPruned(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("anew", "k: v") + configMap("released", "k: v") + configMap("gone", "k: v"))
	label := r.get("v1", "ConfigMap", "anew").GetLabels()[ownerLabel]
	r.remove("v1", "ConfigMap", "anew")
	r.create("v1", "ConfigMap", "metadata: {name: anew, namespace: NS, labels: {mooring.dev/set: "+label+"}}")
	r.edit("somebody", "v1", "ConfigMap", "released", `{"metadata":{"labels":{"mooring.dev/set":null}}}`)
	r.remove("v1", "ConfigMap", "gone")
	r.forgetRequests()
	result := r.mustApply(configMap("a", "k: v"))
	if result.Pruned != 0 || len(r.inv.Items) != 1 || len(r.writes()) != 0 {
		t.Errorf("%s%v", summary(result), r.writes())
	}
	for _, name := range []string{"anew", "released"} {
		if r.get("v1", "ConfigMap", name) == nil {
			t.Errorf("%s was deleted", name)
		}
	}
}

func TestCase19StuckFinalizerIsReported(t *testing.T) {
	r := newRig(t)
	r.set.Timeout = 300 * time.Millisecond
	r.mustApply(configMap("a", "k: v") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: stuck, finalizers: [example.com/wait]}\n")
	result, err := r.apply(configMap("a", "k: v"))
	if !errors.Is(err, ErrNotPruned) || !strings.Contains(err.Error(), "it is being deleted and waits for example.com/wait") || len(r.inv.Items) != 2 {
		t.Errorf("error = %v\n%s", err, summary(result))
	}
	r.edit("somebody", "v1", "ConfigMap", "stuck", `{"metadata":{"finalizers":null}}`)
	if result := r.mustApply(configMap("a", "k: v")); len(result.Inventory.Items) != 1 {
		t.Errorf("%s", summary(result))
	}
}

func TestDelete(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + deployment("web", "") + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: NS-own}\n" + crd("delete.example.com"))
	result, err := r.c.Delete(t.Context(), r.set, r.inv, r.options())
	if err != nil {
		t.Fatal(err)
	}
	if result.Pruned != 2 || result.Skipped != 2 || len(result.Inventory.Items) != 2 || r.get("apps/v1", "Deployment", "web") != nil {
		t.Errorf("%s", summary(result))
	}
	if last := r.saves[len(r.saves)-1]; len(last.Items) != 2 {
		t.Errorf("saved %v", last)
	}
}

func TestCase14CRDGoneWithObjectsInTheInventory(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + crd("gone.example.com") + "---\napiVersion: gone.example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {size: 1}\n")
	r.remove("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.gone.example.com")
	r.await("the CRD to be gone", func() bool {
		return r.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.gone.example.com") == nil
	})
	if result := r.mustApply(configMap("a", "k: v")); len(result.Inventory.Items) != 1 {
		t.Errorf("%s", summary(result))
	}
}

func TestSaveFailureStopsBeforeTheFirstWrite(t *testing.T) {
	r := newRig(t)
	full := errors.New("disk full")
	_, err := r.c.Apply(context.Background(), r.set, r.render(configMap("a", "k: v")), r.inv, ApplyOptions{Save: func(Inventory) error { return full }})
	if !errors.Is(err, full) || len(r.writes()) != 0 {
		t.Errorf("error = %v, writes %v", err, r.writes())
	}
}
