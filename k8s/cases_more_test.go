package k8s

import (
	"errors"
	"testing"
	"time"
)

// A set that was applied whole but is not healthy yet is not sent again at each look.
func TestUnhealthySetIsNotSentAgain(t *testing.T) {
	r := newRig(t)
	r.set.Timeout = 500 * time.Millisecond
	manifests := configMap("a", "k: v") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: lb}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n"
	if _, err := r.apply(manifests); !errors.Is(err, ErrUnhealthy) {
		t.Fatalf("error = %v", err)
	}
	r.forgetRequests()
	if result, err := r.apply(manifests); !errors.Is(err, ErrUnhealthy) || len(r.writes()) != 0 {
		t.Errorf("again: %v, writes %v\n%s", err, r.writes(), summary(result))
	}
}

// The server writes a NetworkPolicy with empty lists at every apply of it, though nothing changes. That is no change: a
// verification, hourly and whenever a webhook changes, must not report one.
func TestEmptyAtomicListsAreNoChange(t *testing.T) {
	r := newRig(t)
	manifest := "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: none}\nspec: {podSelector: {}, ingress: [], egress: [], policyTypes: [Ingress, Egress]}\n"
	r.mustApply(manifest)
	r.inv.Epoch = "another" // a webhook has changed: everything is verified
	if result := r.mustApply(manifest); result.Unchanged != 1 {
		t.Errorf("%s", summary(result))
	}
}

// A set that made a CRD and its object, and goes at once: the object's kind is not among those that were asked for before.
func TestDeleteOfAKindThatTheSetHasMade(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v")) // the kinds of now are known
	result := r.mustApply(configMap("a", "k: v") + crd("made.example.com") + "---\napiVersion: made.example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {size: 1}\n")
	if result.Created != 2 {
		t.Fatal(summary(result))
	}
	gone, err := r.c.Delete(t.Context(), r.set, r.inv, r.options())
	if err != nil || gone.Pruned != 2 || r.get("made.example.com/v1", "Thing", "t") != nil {
		t.Errorf("%v\n%s", err, summary(gone))
	}
	r.remove("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.made.example.com")
}
