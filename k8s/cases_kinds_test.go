package k8s

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A CRD gets a version, and the objects of the same commit are written in it.
func TestCase13CRDVersionUpgrade(t *testing.T) {
	r := newRig(t)
	const group = "upgrade.example.com"
	thing := func(version, spec string) string {
		return fmt.Sprintf("---\napiVersion: %s/%s\nkind: Thing\nmetadata: {name: t}\nspec: {%s}\n", group, version, spec)
	}
	r.mustApply(crd(group) + thing("v1", "size: 1"))
	uid := r.get(group+"/v1", "Thing", "t").GetUID()
	second := `  - name: v2
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer}, shape: {type: string}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`
	upgraded := strings.Replace(crd(group), "storage: true", "storage: false", 1) + second
	result := r.mustApply(upgraded + thing("v2", "size: 1, shape: round")) // our record says v1, which has no shape
	if result.Configured != 2 || len(r.inv.Items) != 2 {
		t.Errorf("%s", summary(result))
	}
	live := r.get(group+"/v2", "Thing", "t")
	if shape, _, _ := unstructured.NestedString(live.Object, "spec", "shape"); shape != "round" || live.GetUID() != uid {
		t.Errorf("shape %q, UID kept: %t", shape, live.GetUID() == uid)
	}
	if result := r.mustApply(upgraded + thing("v2", "shape: round")); result.Configured != 1 {
		t.Errorf("a field removed in the new version: %s", summary(result))
	}
	if _, size, _ := unstructured.NestedFieldNoCopy(r.get(group+"/v2", "Thing", "t").Object, "spec", "size"); size {
		t.Error("a field that was removed is still there")
	}
	r.mustApply(upgraded + thing("v2", "size: 1, shape: round"))
	r.forgetRequests()
	if again := r.mustApply(upgraded + thing("v2", "size: 1, shape: round")); again.Unchanged != 2 || len(r.writes()) != 0 {
		t.Errorf("again: %s%v", summary(again), r.writes())
	}
}

// Kubernetes serves an Event through two groups. Moved from one to the other in the files it is the same object.
func TestCase25OneObjectThroughTwoGroups(t *testing.T) {
	r := newRig(t)
	old := `---
apiVersion: v1
kind: Event
metadata: {name: e}
involvedObject: {kind: ConfigMap, namespace: NS, name: a}
reason: Moved
message: from one group to the other
type: Normal
action: Move
eventTime: "2026-01-02T03:04:05.000000Z"
reportingComponent: example.com/mover
reportingInstance: one
`
	r.mustApply(configMap("a", "k: v") + old)
	uid := r.get("v1", "Event", "e").GetUID()
	now := strings.NewReplacer("apiVersion: v1", "apiVersion: events.k8s.io/v1", "involvedObject:", "regarding:", "message:", "note:",
		"reportingComponent:", "reportingController:").Replace(old)
	result := r.mustApply(configMap("a", "k: v") + now)
	live := r.get("v1", "Event", "e")
	if result.Pruned != 0 || live == nil || live.GetUID() != uid || len(r.inv.Items) != 2 {
		t.Errorf("%s", summary(result))
	}
}
