package k8s

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mooring-iac/mooring/e2e/parts"
)

func TestCase05ConflictWithAnotherManager(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v, l: w") + configMap("b", "k: v"))
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	result, err := r.apply(configMap("a", "k: new, l: w") + configMap("b", "k: new"))
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Fatalf("error = %v\n%s", err, summary(result))
	}
	if diff := cmp.Diff(&ConflictError{Ref: "v1 ConfigMap " + r.ns + "/a", Fields: []string{".data.k"}, Manager: "kubectl-edit"}, conflict); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(err.Error(), "conflict: .data.k is owned by kubectl-edit") {
		t.Errorf("error = %v", err)
	}
	if got := r.get("v1", "ConfigMap", "a").Object["data"].(map[string]any)["k"]; got != "mine" {
		t.Errorf("k = %v: somebody's edit was overwritten", got)
	}
	if plan, err := r.c.Plan(t.Context(), r.set, r.render(configMap("a", "k: new, l: w")), r.inv, ApplyOptions{}); !errors.As(err, &conflict) || plan.Failed != 1 {
		t.Errorf("plan: %v\n%s", err, summary(plan.Result))
	}
	r.set.Force = true
	if result := r.mustApply(configMap("a", "k: new, l: w")); result.Configured != 1 || result.Pruned != 1 {
		t.Errorf("forced: %s", summary(result))
	}
}

func TestCase04KubectlObjectAdopted(t *testing.T) {
	for name, args := range map[string][]string{"apply": {"apply", "-f", "-"}, "create": {"create", "-f", "-"}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.kubectl(configMap("a", "k: v, l: w, m: x"), args...)
			uid := r.get("v1", "ConfigMap", "a").GetUID()
			plan, err := r.c.Plan(t.Context(), r.set, r.render(configMap("a", "k: new, l: w")), r.inv, ApplyOptions{})
			if err != nil || plan.Configured != 1 {
				t.Errorf("plan: %v\n%s", err, summary(plan.Result))
			}
			if result := r.mustApply(configMap("a", "k: new, l: w")); result.Configured != 1 {
				t.Errorf("%s", summary(result))
			}
			live := r.get("v1", "ConfigMap", "a")
			if diff := cmp.Diff(map[string]any{"k": "new", "l": "w"}, live.Object["data"]); diff != "" || live.GetUID() != uid {
				t.Errorf("adopted object: %s", diff)
			}
			if _, left := live.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"]; left {
				t.Error("kubectl's own record is still there")
			}
			r.mustApply(configMap("a", "k: new"))
			if diff := cmp.Diff(map[string]any{"k": "new"}, r.get("v1", "ConfigMap", "a").Object["data"]); diff != "" {
				t.Errorf("a field removed after adoption: %s", diff)
			}
			r.forgetRequests()
			if result := r.mustApply(configMap("a", "k: new")); result.Unchanged != 1 || len(r.writes()) != 0 {
				t.Errorf("%s %v", summary(result), r.writes())
			}
		})
	}
}

func TestCase06AutoscalerOwnsReplicas(t *testing.T) {
	r := newRig(t)
	r.mustApply(deployment("web", "  replicas: 1"))
	body := []byte(`{"spec":{"replicas":3}}`)
	p := r.path("apps/v1", "Deployment", "web") + "/scale"
	if err := r.c.rest.Patch("application/merge-patch+json").AbsPath(p).Param("fieldManager", "kube-controller-manager").Body(body).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	result := r.mustApply(deployment("web", "  replicas: 2\n  paused: false"))
	if got := result.Objects[0]; got.Action != Configured {
		t.Errorf("%s", summary(result))
	}
	if got := r.get("apps/v1", "Deployment", "web").Object["spec"].(map[string]any)["replicas"]; got != float64(3) {
		t.Errorf("replicas = %v, want the autoscaler's 3", got)
	}
}

func TestCase20MoveBetweenSets(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("moved", "k: v"))
	uid := r.get("v1", "ConfigMap", "moved").GetUID()
	other := &rig{T: t, c: r.c, ns: r.ns, set: r.set}
	other.set.ID += "-other"
	other.mustApply(configMap("moved", "k: v"))
	if result := r.mustApply(configMap("a", "k: v")); result.Pruned != 0 || len(result.Inventory.Items) != 1 {
		t.Errorf("%s", summary(result))
	}
	if live := r.get("v1", "ConfigMap", "moved"); live == nil || live.GetUID() != uid {
		t.Error("an object that another set has taken over was deleted")
	}
}

// A tenant whose rights end at one namespace can keep a set there.
func TestApplyWithRightsInOneNamespace(t *testing.T) {
	r := newRig(t)
	r.create("v1", "ServiceAccount", "metadata: {name: tenant, namespace: NS}")
	r.create("rbac.authorization.k8s.io/v1", "Role", "metadata: {name: tenant, namespace: NS}\nrules:\n- {apiGroups: [\"\", apps], resources: [configmaps, deployments], verbs: [get]}")
	r.create("rbac.authorization.k8s.io/v1", "RoleBinding", "metadata: {name: tenant, namespace: NS}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: tenant}\nsubjects: [{kind: ServiceAccount, name: tenant, namespace: NS}]")
	for _, verbs := range []string{`["get","create","patch","delete","list","watch"]`, `["get","create","patch","delete"]`} {
		r.edit("somebody", "rbac.authorization.k8s.io/v1", "Role", "tenant", `{"rules":[{"apiGroups":["","apps"],"resources":["configmaps","deployments"],"verbs":`+verbs+`}]}`)
		tenant := &rig{T: t, c: tenantOf(r), ns: r.ns, set: r.set}
		tenant.set.ID = "tenant" + verbs
		tenant.mustApply(configMap("a", "k: v") + deployment("web", "") + configMap("b", "k: v"))
		result := tenant.mustApply(configMap("a", "k: v") + deployment("web", ""))
		if result.Unchanged != 2 || result.Pruned != 1 {
			t.Errorf("with %s: %s", verbs, summary(result))
		}
		_, err := tenant.apply(configMap("a", "k: v") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n")
		if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "may not patch secrets in namespace "+r.ns) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error = %v", err)
		}
	}
}

// tenantOf connects with a token of the namespace's service account.
func tenantOf(r *rig) *Cluster {
	r.Helper()
	running := parts.ClusterForTest(r)
	body := []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`)
	raw, err := r.c.rest.Post().AbsPath("/api/v1/namespaces/" + r.ns + "/serviceaccounts/tenant/token").Body(body).DoRaw(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	var answer struct {
		Status struct{ Token string }
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		r.Fatal(err)
	}
	config, err := restConfig(ClusterConfig{KubeconfigPath: running.Kubeconfig})
	if err != nil {
		r.Fatal(err)
	}
	config.BearerToken, config.BearerTokenFile = answer.Status.Token, ""
	c, err := connect(ClusterConfig{Name: "tenant"}, config)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// An admission policy refuses in its own words; those about a Secret could repeat its value.
func TestAdmissionRefusals(t *testing.T) {
	r := newRig(t)
	r.create("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", `metadata: {name: NS}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps, secrets]}]}
  validations:
  - expression: "!has(object.data) || !('bad' in object.data)"
    messageExpression: "'no such thing as ' + string(object.data['bad'])"`)
	r.create("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", `metadata: {name: NS}
spec:
  policyName: NS
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}}`)
	r.await("the policy in force", func() bool {
		_, err := r.c.Plan(r.Context(), r.set, r.render(configMap("x", "bad: probe")), Inventory{}, ApplyOptions{})
		return err != nil
	})
	r.mustApply(configMap("good", "k: v") + configMap("old", "k: v"))
	r.forgetRequests()
	result, err := r.apply(configMap("good", "k: w") + configMap("x", "bad: value"))
	if err == nil || !strings.Contains(err.Error(), "denied request: no such thing as value") || len(r.writes()) != 0 {
		t.Errorf("error = %v, writes %v\n%s", err, r.writes(), summary(result))
	}
	_, err = r.apply(configMap("good", "k: w") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {bad: hunter2}\n")
	if err == nil || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy "+r.ns+" denied it (in words that are withheld") ||
		strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVudGVyMg") {
		t.Errorf("error = %v", err)
	}
}
