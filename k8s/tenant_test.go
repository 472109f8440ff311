package k8s

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// newTenant is a rig whose set runs as a ServiceAccount that may do everything in its namespace NS, read and write
// what rules say in NS-b, and nothing elsewhere.
func newTenant(t *testing.T, rules string) (r *rig, admin *Cluster) {
	r = newRig(t)
	admin = r.c
	r.create("v1", "Namespace", "metadata: {name: NS-b}")
	r.create("v1", "ServiceAccount", "metadata: {name: deployer, namespace: NS}")
	grant := func(namespace, rules string) {
		set := Set{ID: "test/rbac-" + namespace, DefaultNamespace: namespace}
		objects := r.render(fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: tenant}, rules: [%s]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: tenant},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: tenant}, subjects: [{kind: ServiceAccount, name: deployer, namespace: NS}]}
`, rules))
		if _, err := admin.Apply(t.Context(), set, objects, Inventory{}, ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	grant(r.ns, `{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`)
	if rules != "" {
		grant(r.ns+"-b", rules)
	}
	var err error
	if r.c, err = admin.As(r.user()); err != nil {
		t.Fatal(err)
	}
	granted := func(namespace string) bool {
		_, err := r.c.metadata(t.Context(), "/api/v1/namespaces/"+namespace+"/configmaps/none")
		return apierrors.IsNotFound(err)
	}
	// The server's authorizer follows RBAC through a watch of its own.
	r.await("the grant", func() bool { return granted(r.ns) && (rules == "" || granted(r.ns+"-b")) })
	r.forgetRequests()
	return r, admin
}

func (r *rig) user() string { return "system:serviceaccount:" + r.ns + ":deployer" }

func configMapIn(namespace, name, value string) string {
	return fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {v: %q}}\n", name, namespace, value)
}

func TestTenantAppliesInItsNamespaceOnly(t *testing.T) {
	r, admin := newTenant(t, "")
	acts := map[string]bool{} // whom the writes were made as
	r.fault = func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet {
			r.mu.Lock()
			defer r.mu.Unlock()
			acts[req.Header.Get("Impersonate-User")] = true
		}
		return nil, nil
	}
	result := r.mustApply(configMapIn("NS", "a", "1") + configMapIn("NS", "b", "1"))
	if result.Created != 2 {
		t.Fatalf("created %d\n%s", result.Created, summary(result))
	}
	if slices.Contains(r.sent, "GET /apis") {
		t.Error("what the cluster serves was asked again, though its own user knew")
	}
	if len(acts) != 1 || !acts[r.user()] {
		t.Errorf("writes were made as %v", acts)
	}

	r.forgetRequests()
	_, err := r.apply(configMapIn("NS", "a", "2") + configMapIn("NS", "b", "1") + configMapIn("NS-b", "x", "1") + configMapIn("default", "z", "1"))
	var refused *AccessError
	if !errors.Is(err, ErrForbidden) || !errors.As(err, &refused) || refused.User != r.user() || refused.Resource != "configmaps" {
		t.Fatalf("error = %v", err)
	}
	for _, part := range []string{"k8s/m.yaml:", "may not ", " configmaps in namespace " + r.ns + "-b", " configmaps in namespace default", "who administers the cluster grants it"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if w := r.writes(); len(w) != 0 {
		t.Errorf("writes beside a refusal: %v", w)
	}

	result = r.mustApply(configMapIn("NS", "a", "1"))
	if result.Pruned != 1 {
		t.Errorf("pruned %d\n%s", result.Pruned, summary(result))
	}
	if _, err := admin.metadata(t.Context(), "/api/v1/namespaces/"+r.ns+"/configmaps/b"); !apierrors.IsNotFound(err) {
		t.Errorf("b is still there: %v", err)
	}
}

func TestTenantPrunesNothingThatItMayNotTouch(t *testing.T) {
	r, admin := newTenant(t, "")
	own := r.c
	r.c = admin // as if the rights had been wider once
	both := r.mustApply(configMapIn("NS", "a", "1") + configMapIn("NS-b", "x", "1"))
	r.c = own
	r.forgetRequests()

	// RBAC refuses: the set fails before its first write.
	_, err := r.apply(configMapIn("NS", "a", "2"))
	if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "ConfigMap "+r.ns+"-b/x") {
		t.Errorf("error = %v", err)
	}
	if w := r.writes(); len(w) != 0 {
		t.Errorf("writes: %v", w)
	}

	// The allowance refuses: the object is left alone, said, and stays in the inventory.
	r.inv = both.Inventory
	r.set.Allow = []Allowance{{By: "the operator", Namespaces: []string{r.ns}, Kinds: []string{"*"}}}
	result := r.mustApply(configMapIn("NS", "a", "2"))
	if result.Configured != 1 || result.Pruned != 0 || result.Skipped != 1 || !strings.Contains(summary(result), "the operator allows "+r.ns) {
		t.Errorf("result:\n%s", summary(result))
	}
	if len(result.Inventory.Items) != 2 {
		t.Errorf("inventory: %v", result.Inventory.Items)
	}
	for _, w := range r.writes() {
		if strings.Contains(w, r.ns+"-b") {
			t.Errorf("write elsewhere: %s", w)
		}
	}
	if _, err := admin.metadata(t.Context(), "/api/v1/namespaces/"+r.ns+"-b/configmaps/x"); err != nil {
		t.Errorf("x: %v", err)
	}
}

func TestTenantWithSeveralNamespaces(t *testing.T) {
	for _, tt := range []struct{ name, verbs string }{
		{"lists each", `"get","list","watch","create","patch","delete"`},
		{"gets each", `"get","create","patch","delete"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := newTenant(t, `{apiGroups: [""], resources: [configmaps], verbs: [`+tt.verbs+`]}`)
			manifests := configMapIn("NS", "a", "1") + configMapIn("NS-b", "b", "1")
			if result := r.mustApply(manifests + configMapIn("NS-b", "c", "1")); result.Created != 3 {
				t.Fatalf("first:\n%s", summary(result))
			}
			r.forgetRequests()
			if result := r.mustApply(manifests + configMapIn("NS-b", "c", "1")); result.Unchanged != 3 || len(r.writes()) != 0 {
				t.Errorf("no-op wrote %v:\n%s", r.writes(), summary(result))
			}
			if slices.Contains(r.sent, "GET /api/v1/configmaps") {
				t.Error("what is forbidden was asked again")
			}
			single := slices.ContainsFunc(r.sent, func(s string) bool { return strings.HasPrefix(s, "GET /api/v1/namespaces/"+r.ns+"-b/configmaps/") })
			if single != (tt.name == "gets each") {
				t.Errorf("requests: %v", r.sent)
			}
			if result := r.mustApply(manifests); result.Pruned != 1 {
				t.Errorf("prune:\n%s", summary(result))
			}
		})
	}
}

func TestTenantWaitsInEachNamespace(t *testing.T) {
	r, _ := newTenant(t, `{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`)
	deployment := func(namespace string) string {
		return "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: " + namespace + "}, spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}}}\n"
	}
	result := r.mustApply(deployment("NS") + deployment("NS-b"))
	for _, o := range result.Objects {
		if o.Health != HealthCurrent {
			t.Errorf("%s is %s", o.Ref, o.Health)
		}
	}
	for _, namespace := range []string{r.ns, r.ns + "-b"} {
		if !slices.Contains(r.sent, "GET /apis/apps/v1/namespaces/"+namespace+"/deployments") {
			t.Errorf("deployments of %s were not followed: %v", namespace, r.sent)
		}
	}
	r.c.narrow.mu.Lock()
	defer r.c.narrow.mu.Unlock()
	if len(r.c.base.narrow.forbid) != 0 {
		t.Error("what is forbidden to a tenant counts as forbidden to all")
	}
}

func TestAllowanceRefusesTheWholeSet(t *testing.T) {
	r := newRig(t)
	r.set.Allow = []Allowance{{By: `allow "tenants/*" of cluster test`, Namespaces: []string{r.ns}, Kinds: []string{"ConfigMap"}}}
	r.set.DefaultNamespace = ""
	_, err := r.apply(configMapIn("NS", "fine", "1") + configMapIn("kube-system", "a", "1") + `---
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: homeless}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: toys.refused.example.com}, spec: {group: refused.example.com, scope: Cluster,
 names: {kind: Toy, plural: toys}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}}
---
{apiVersion: refused.example.com/v1, kind: Toy, metadata: {name: t, namespace: NS}}
`)
	if !errors.Is(err, ErrNotAllowed) {
		t.Fatalf("error = %v", err)
	}
	for _, want := range []string{
		`k8s/m.yaml:4: v1 ConfigMap kube-system/a: not allowed: namespace kube-system: allow "tenants/*" of cluster test allows ` + r.ns,
		`k8s/m.yaml:6: v1 Secret ` + r.ns + `/s: not allowed: kind Secret`,
		`k8s/m.yaml:8: v1 ConfigMap default/homeless: not allowed: it names no namespace and goes to the set's, default`,
		`k8s/m.yaml:10: apiextensions.k8s.io/v1 CustomResourceDefinition toys.refused.example.com: not allowed: cluster-scoped kind`,
		`k8s/m.yaml:13: refused.example.com/v1 Toy t: not allowed: cluster-scoped kind refused.example.com/Toy`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if len(objectErrorsIn(err)) != 5 || len(r.writes()) != 0 {
		t.Errorf("%d objects refused, writes %v", len(objectErrorsIn(err)), r.writes())
	}
}

func TestNamespaceRequired(t *testing.T) {
	r := newRig(t)
	r.set.RequireNamespace = true
	_, err := r.apply(configMapIn("NS", "fine", "1") + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: b}}\n")
	if !errors.Is(err, ErrNoNamespace) || !strings.Contains(err.Error(), "k8s/m.yaml:4: v1 ConfigMap a: ") || !strings.Contains(err.Error(), "k8s/m.yaml:6: v1 Secret b: ") {
		t.Errorf("error = %v", err)
	}
	if len(objectErrorsIn(err)) != 2 || len(r.writes()) != 0 {
		t.Errorf("%d objects refused, writes %v", len(objectErrorsIn(err)), r.writes())
	}
}

func TestImpersonationThatIsNotGranted(t *testing.T) {
	tenant, admin := newTenant(t, "")
	// The tenant's own credentials may act as nobody.
	token, err := tenant.c.rest.Post().AbsPath("/api/v1/namespaces/" + tenant.ns + "/serviceaccounts/deployer/token").
		Body([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`)).Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Status struct{ Token string } }
	mustUnmarshal(t, token, &answer)
	cfg := ClusterConfig{Name: "test", Kubeconfig: tokenKubeconfig(admin, answer.Status.Token)}
	c, err := Connect(cfg)
	if err != nil {
		t.Fatal(err)
	}
	as, err := c.As("system:serviceaccount:kube-system:boss")
	if err != nil {
		t.Fatal(err)
	}
	_, err = as.Apply(t.Context(), tenant.set, tenant.render(configMapIn("NS", "a", "1")), Inventory{}, ApplyOptions{})
	want := tenant.user() + " may not act as system:serviceaccount:kube-system:boss"
	if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the verb impersonate on serviceaccounts") {
		t.Errorf("error = %v", err)
	}
}

// What a tenant holds is found again, though it may list in its namespaces only.
func TestTenantInventoryIsFoundAgain(t *testing.T) {
	r, admin := newTenant(t, `{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`)
	manifests := configMapIn("NS", "a", "1") + configMapIn("NS-b", "b", "1")
	r.mustApply(manifests + configMapIn("NS", "left", "1"))
	r.inv = Inventory{}
	if result := r.mustApply(manifests); result.Skipped != 1 || len(result.Inventory.Items) != 3 {
		t.Errorf("result:\n%s", summary(result))
	}
	r.edit("person", "v1", "ConfigMap", "left", `{"metadata":{"annotations":{"mooring.dev/prune":"enabled"}}}`)
	if result := r.mustApply(manifests); result.Pruned != 1 || len(result.Inventory.Items) != 2 {
		t.Errorf("result:\n%s", summary(result))
	}
	if _, err := admin.metadata(t.Context(), "/api/v1/namespaces/"+r.ns+"/configmaps/left"); !apierrors.IsNotFound(err) {
		t.Errorf("left: %v", err)
	}
}

// A connection that keeps watches serves users who may not watch all namespaces, and ends theirs with its own.
func TestTenantOnAConnectionThatWatches(t *testing.T) {
	r, _ := newTenant(t, "")
	r.watching()
	base := r.c
	var err error
	if r.c, err = base.As(r.user()); err != nil {
		t.Fatal(err)
	}
	if again, _ := base.As(r.user()); again != r.c {
		t.Error("one user has two connections")
	}
	r.mustApply(configMapIn("NS", "a", "1"))
	r.forgetRequests()
	result := r.mustApply(configMapIn("NS", "a", "1"))
	if result.Unchanged != 1 || len(r.writes()) != 0 || len(r.sent) > 1 {
		t.Errorf("no-op sent %v:\n%s", r.sent, summary(result))
	}
	base.Close()
	if r.c.watches.on() {
		t.Error("the tenant's watches outlive the connection")
	}
	r.mustApply(configMapIn("NS", "a", "2")) // who still works with a connection that was replaced goes on
}
