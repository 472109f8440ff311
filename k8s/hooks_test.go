package k8s

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// A change owes its hooks a run, also where the apply ended between the change and the hook: the next one, which has nothing else
// to send, makes up for it.
func TestOwedHookRunsWithTheNextApply(t *testing.T) {
	r := newRig(t)
	hook := annotated(job("notify", "  suspend: true\n"), `mooring.dev/hook: after`)
	r.mustApply(hook + configMap("a", "k: v"))
	uid := r.get("batch/v1", "Job", "notify").GetUID()

	ctx, cancel := context.WithCancel(t.Context())
	r.hook = func(e Event) {
		if e.Kind == EventObject && strings.HasSuffix(e.Ref, "/a") {
			cancel()
		}
	}
	if _, err := r.applyCtx(ctx, hook+configMap("a", "k: w")); !errors.Is(err, context.Canceled) || r.get("batch/v1", "Job", "notify").GetUID() != uid {
		t.Fatalf("error = %v", err)
	}
	r.hook = nil
	if result := r.mustApply(hook + configMap("a", "k: w")); result.Unchanged != 1 || result.Recreated != 1 || r.get("batch/v1", "Job", "notify").GetUID() == uid {
		t.Errorf("the change of a was never followed by its hook:\n%s", summary(result))
	}
	r.forgetRequests()
	if r.mustApply(hook + configMap("a", "k: w")); len(r.writes()) != 0 {
		t.Errorf("again: %v", r.writes())
	}
}

// A hook that failed runs again when the set is applied again, although nothing else has changed.
func TestFailedHookRunsAgain(t *testing.T) {
	r := newRig(t)
	ends := "Failed"
	r.hook = func(e Event) {
		if e.Kind == EventObject && strings.HasSuffix(e.Ref, "/notify") && (e.Action == Created || e.Action == Recreated) {
			r.done("notify", ends)
		}
	}
	manifests := annotated(job("notify", byHand), `mooring.dev/hook: after`) + configMap("a", "k: v")
	if _, err := r.apply(manifests); !errors.Is(err, ErrUnhealthy) {
		t.Fatalf("error = %v", err)
	}
	ends = "Complete"
	if result, err := r.apply(manifests); err != nil || actions(result)["notify"] != Recreated || actions(result)["a"] != Unchanged {
		t.Errorf("%v\n%s", err, summary(result))
	}
}

// What the plan refuses it refuses before the first write, a hook as well.
func TestHookOfAnotherSetIsRefused(t *testing.T) {
	set := Set{ID: "test/a", Prune: true}
	hook := Desired{Item: Item{ID: ID{Group: "batch", Kind: "Job", Namespace: "n", Name: "h"}, Version: "v1"}, Hash: "h", Order: Order{Phase: PhaseBefore, Stage: stageRest}}
	other := Desired{Item: Item{ID: ID{Kind: "ConfigMap", Namespace: "n", Name: "c"}, Version: "v1"}, Hash: "c", Order: Order{Phase: PhaseMain, Stage: stageConfig}}
	live := Live{Found: true, UID: "u", Owner: "theirs", Elsewhere: "theirs"}
	got := Plan(set, []Desired{hook, other}, Observed{Live: map[ID]Live{hook.Item.ID: live}}, Inventory{})
	if got[0].Verb != VerbRefuse {
		t.Errorf("%v", got)
	}
}

// A hook that moves to another set runs there; the set that has it no longer says so.
func TestHookMovesBetweenSets(t *testing.T) {
	r := newRig(t)
	hook := annotated(job("migrate", "  suspend: true\n"), `mooring.dev/hook: before`)
	r.mustApply(hook + configMap("a", "k: v"))
	uid := r.get("batch/v1", "Job", "migrate").GetUID()
	other := &rig{T: t, c: r.c, ns: r.ns, set: r.set}
	other.set.ID += "-other"
	result := other.mustApply(hook + configMap("b", "k: v"))
	if live := r.get("batch/v1", "Job", "migrate"); live.GetUID() == uid || live.GetAnnotations()[ownerLabel] != other.set.ID {
		t.Errorf("%s", summary(result))
	}
}

// A hook's script is part of what it does: a Job runs anew when a ConfigMap that is a hook changes.
func TestHookRunsWhenWhatItReadsChanges(t *testing.T) {
	r := newRig(t)
	manifests := annotated(job("migrate", "  suspend: true\n"), `mooring.dev/hook: before`) + annotated(configMap("script", "k: v"), `mooring.dev/hook: before`)
	r.mustApply(manifests)
	if result := r.mustApply(strings.Replace(manifests, "k: v", "k: w", 1)); actions(result)["migrate"] != Recreated {
		t.Errorf("%s", summary(result))
	}
}
