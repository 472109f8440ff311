package k8s

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func configMap(name, data string) string {
	return fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {%s}\n", name, data)
}

func TestCase01Create(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + configMap("b", "k: v") + deployment("web", "")
	result := r.mustApply(manifests)
	if result.Created != 3 || len(r.inv.Items) != 3 {
		t.Errorf("created %d, inventory %d, want 3 and 3\n%s", result.Created, len(r.inv.Items), summary(result))
	}
	for _, o := range result.Objects {
		if o.Health != HealthCurrent {
			t.Errorf("%s is %s", o.Ref, o.Health)
		}
	}
	if result.Objects[0].Ref != "v1 ConfigMap "+r.ns+"/a" {
		t.Errorf("ref = %q", result.Objects[0].Ref)
	}
	if len(r.saves) != 2 || len(r.saves[0].Items) != 3 || r.saves[0].Items[0].UID != "" || r.saves[1].Items[0].UID == "" {
		t.Errorf("the inventory was saved as %v", r.saves)
	}
	r.forgetRequests()
	r.saves = nil
	again := r.mustApply(manifests)
	if again.Unchanged != 3 || len(r.writes()) != 0 || len(r.saves) != 0 {
		t.Errorf("no-op: %d unchanged, writes %v, %d saves\n%s", again.Unchanged, r.writes(), len(r.saves), summary(again))
	}
	t.Logf("requests of a no-op: %v", r.sent)
}

func deployment(name, spec string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}, creationTimestamp: null}
    spec: {containers: [{name: c, image: "c:1"}]}
%[2]s
status: {}
`, name, spec)
}

func TestCase03FieldRemoved(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v, l: w"))
	result := r.mustApply(configMap("a", "k: v"))
	if result.Configured != 1 {
		t.Errorf("configured %d", result.Configured)
	}
	if diff := cmp.Diff(map[string]any{"k": "v"}, r.get("v1", "ConfigMap", "a").Object["data"]); diff != "" {
		t.Error(diff)
	}
}

func TestApplyRepairsWhatOthersRemoved(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v, l: w"))
	r.edit("kubectl-patch", "v1", "ConfigMap", "a", `{"data":{"l":null}}`)
	result := r.mustApply(configMap("a", "k: v, l: w"))
	if result.Configured != 1 || r.get("v1", "ConfigMap", "a").Object["data"].(map[string]any)["l"] != "w" {
		t.Errorf("not repaired\n%s", summary(result))
	}
	r.remove("v1", "ConfigMap", "a")
	if result = r.mustApply(configMap("a", "k: v, l: w")); result.Created != 1 {
		t.Errorf("not made again\n%s", summary(result))
	}
}

func TestCase11NamespaceAndContents(t *testing.T) {
	r := newRig(t)
	manifests := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NS-own}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: NS-own}\n"
	plan, err := r.c.Plan(t.Context(), r.set, r.render(manifests), r.inv, ApplyOptions{})
	if err != nil || plan.Created != 2 || plan.Changes() != 2 {
		t.Errorf("plan: %v\n%s", err, summary(plan.Result))
	}
	if len(r.writes()) != 0 {
		t.Errorf("a plan wrote %v", r.writes())
	}
	if result := r.mustApply(manifests); result.Created != 2 || !strings.Contains(result.Objects[0].Ref, "Namespace") {
		t.Errorf("%s", summary(result))
	}
}

func crd(group string) string {
	return fmt.Sprintf(`---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, required: [size], properties: {size: {type: integer}, color: {type: string, enum: [red, blue]}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`, group)
}

func TestCase12CRDAndItsObjects(t *testing.T) {
	r := newRig(t)
	thing := "---\napiVersion: crd1.example.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {size: %s}\n"
	if _, err := r.apply(fmt.Sprintf(thing, "1") + crd("crd1.example.com") + "---\napiVersion: crd1.example.com/v1\nkind: Thing\nmetadata: {name: u}\nspec: {size: large, colour: red}\n"); err == nil {
		t.Error("objects that their own CRD refuses were accepted")
	} else if want := `k8s/m.yaml:26: crd1.example.com/v1 Thing ` + r.ns + `/u: invalid: line 29: spec.colour: unknown field; is color meant?; line 29: spec.size: must be of type integer, not string "large"`; err.Error() != want {
		t.Errorf("error = %v\nwant    %v", err, want)
	}
	if len(r.writes()) != 0 {
		t.Fatalf("writes before the refusal: %v", r.writes())
	}
	if result := r.mustApply(fmt.Sprintf(thing, "1") + crd("crd1.example.com")); result.Created != 2 {
		t.Errorf("%s", summary(result))
	}
	r.forgetRequests()
	if result := r.mustApply(fmt.Sprintf(thing, "1") + crd("crd1.example.com")); result.Unchanged != 2 || len(r.writes()) > 0 {
		t.Errorf("%s%v", summary(result), r.writes())
	}
	if result := r.mustApply(fmt.Sprintf(thing, "2") + crd("crd1.example.com")); result.Configured != 1 {
		t.Errorf("%s", summary(result))
	}
}

func TestApplyUnknownKind(t *testing.T) {
	r := newRig(t)
	_, err := r.apply(configMap("a", "k: v") + "---\napiVersion: nope.example.com/v1\nkind: Nope\nmetadata: {name: no1}\n---\napiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: ing}\n")
	for _, want := range []string{
		"k8s/m.yaml:7: nope.example.com/v1 Nope no1: the cluster does not know this kind, and no CustomResourceDefinition of the set defines it",
		"k8s/m.yaml:11: extensions/v1beta1 Ingress ing: the cluster does not know this kind in extensions/v1beta1; it serves it as networking.k8s.io/v1",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v\nwant %s", err, want)
		}
	}
	if !errors.Is(err, ErrUnknownKind) || len(r.writes()) != 0 {
		t.Errorf("writes: %v", r.writes())
	}
}

func TestApplyOneInvalidOfThirty(t *testing.T) {
	for name, bad := range map[string]struct{ manifest, want string }{
		"by schema":            {deployment("bad", "  replicas: three"), `line 155: spec.replicas: must be of type integer, not string "three"`},
		"by name":              {configMap("Bad_Name", "k: v"), `line 149: metadata.name: "Bad_Name": a lowercase RFC 1123 subdomain`},
		"by field":             {deployment("bad", "  replica: 3"), "spec.replica: unknown field; is replicas meant?"},
		"by server":            {"---\napiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 70000}]}\n", "line 150: spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"},
		"by a key given twice": {strings.Replace(deployment("bad", ""), `image: "c:1"`, `image: "c:1", env: [{name: A, value: b}, {name: A, value: c}]`, 1), "invalid: line 154: spec.template.spec.containers[name=\"c\"].env: duplicate entries for key [name=\"A\"]"},
		"by namespace":         {"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, namespace: missing}\n", `namespaces "missing" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var manifests string
			for i := range 29 {
				manifests += configMap(fmt.Sprintf("c%d", i), "k: v")
			}
			result, err := r.apply(manifests + bad.manifest)
			if err == nil || !strings.Contains(err.Error(), bad.want) || !strings.HasPrefix(err.Error(), "k8s/m.yaml:147: ") {
				t.Errorf("error = %v, want %s", err, bad.want)
			}
			if len(r.writes()) != 0 || len(r.saves) != 0 || result.Failed != 1 {
				t.Errorf("failed %d, writes %v", result.Failed, r.writes())
			}
		})
	}
}

func TestApplyStopsTheStageAtARefusal(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("old", "k: v"))
	// More changed objects than a preflight asks about, so that only the apply itself meets the quota.
	r.create("v1", "ResourceQuota", "metadata: {name: q}\nspec: {hard: {services: \"0\"}}")
	r.await("the quota in force", func() bool {
		hard, _, _ := unstructured.NestedMap(r.get("v1", "ResourceQuota", "q").Object, "status", "hard")
		return hard != nil
	})
	manifests := "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n" + deployment("later", "")
	for i := range preflightLimit {
		manifests += configMap(fmt.Sprintf("c%d", i), "k: v")
	}
	result, err := r.apply(manifests + "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: NS}\nwebhooks: []\n")
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "exceeded quota") {
		t.Fatalf("error = %v", err)
	}
	got := actions(result)
	if got["c0"] != Created || got["s"] != Failed || got[r.ns] != Skipped || got["old"] != Skipped {
		t.Errorf("%s", summary(result))
	}
	if r.get("v1", "ConfigMap", "old") == nil {
		t.Error("pruned from a set that was not applied whole")
	}
}
