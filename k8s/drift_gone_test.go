package k8s

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestDeletedObjectsAreDrift(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + configMap("b", "k: v") +
		"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: NS}\nrules: []\n"
	r.mustApply(manifests)
	r.remove("v1", "ConfigMap", "a")
	r.remove("rbac.authorization.k8s.io/v1", "ClusterRole", r.ns)
	r.mustFind(r.mustDrift(manifests), `
		deleted ConfigMap/a
		deleted ClusterRole/`+r.ns+`
		`)
}

func TestAnObjectMadeAgainBySomebodyElseIsDrift(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + configMap("same", "k: v")
	r.mustApply(manifests)
	was := r.inv.byID()
	for _, name := range []string{"a", "same"} {
		r.remove("v1", "ConfigMap", name)
	}
	r.create("v1", "ConfigMap", "metadata: {name: a, namespace: NS}\ndata: {k: theirs}")
	r.create("v1", "ConfigMap", `metadata: {name: same, namespace: NS, labels: {mooring.dev/set: `+r.set.label()+`}, annotations: {mooring.dev/set: `+r.set.ID+`}}
data: {k: v}`)
	report := r.mustDrift(manifests)
	r.mustFind(report, `
		recreated ConfigMap/a
		  data.k: "v" -> "theirs" by somebody
		  metadata.labels["mooring.dev/set"]: "`+r.set.label()+`" -> null by `+`
		recreated ConfigMap/same
		`)
	for _, o := range report.Objects {
		if o.WasUID != was[o.ID].UID || o.UID == o.WasUID || o.UID == "" {
			t.Errorf("%s: %s became %s", o.Ref, o.WasUID, o.UID)
		}
	}
}

func TestADeletionThatWaitsForAFinalizerIsDrift(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v"))
	r.edit("somebody", "v1", "ConfigMap", "a", `{"metadata":{"finalizers":["example.com/wait"]}}`)
	r.mustFindNothing(configMap("a", "k: v"))
	r.remove("v1", "ConfigMap", "a")
	defer r.edit("somebody", "v1", "ConfigMap", "a", `{"metadata":{"finalizers":null}}`)
	report := r.mustDrift(configMap("a", "k: v"))
	r.mustFind(report, "deleting ConfigMap/a\n")
	if o := report.Objects[0]; o.Since == nil || len(o.Finalizers) != 1 || o.Finalizers[0] != "example.com/wait" {
		t.Errorf("%+v", o)
	}
}

const widgetCRD = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.NS.example.com}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, default: 1}, color: {type: string}}}, status: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}}]
`

func TestDriftOfCustomResources(t *testing.T) {
	r := newRig(t)
	widget := "---\napiVersion: NS.example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {color: red}\n"
	r.mustApply(widgetCRD + widget)
	r.mustFindNothing(widgetCRD + widget)
	r.edit("kubectl-edit", r.ns+".example.com/v1", "Widget", "w", `{"spec":{"color":"blue","size":7}}`)
	r.mustFind(r.mustDrift(widgetCRD+widget), `
		changed Widget/w
		  spec.color: "red" -> "blue" by kubectl-edit
		`)
	r.remove("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets."+r.ns+".example.com")
	r.await("the kind to go", func() bool {
		return r.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets."+r.ns+".example.com") == nil
	})
	want := `
		deleted CustomResourceDefinition/widgets.` + r.ns + `.example.com
		deleted Widget/w
		`
	r.await("the server to tell", func() bool {
		report, err := r.drift(widgetCRD + widget)
		return err == nil && drifts(report) == strings.ReplaceAll(strings.TrimLeft(want, "\n"), "\t", "")
	})
}

// The kind of an object can go without the set having defined it.
func TestObjectsWhoseKindHasGoneAreDeleted(t *testing.T) {
	r := newRig(t)
	definer := &rig{T: t, c: r.c, ns: r.ns, set: r.set}
	definer.set.ID += "-crd"
	definer.mustApply(widgetCRD)
	manifests := configMap("a", "k: v") + "---\napiVersion: NS.example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {color: red}\n"
	r.mustApply(manifests)
	r.remove("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets."+r.ns+".example.com")
	r.await("the server to tell", func() bool {
		r.c.mu.Lock()
		r.c.kinds = nil // as a scan much later
		r.c.mu.Unlock()
		report, err := r.drift(manifests)
		return err == nil && drifts(report) == "deleted Widget/w\n" && report.Objects[0].Note == noteVanished
	})
}

func TestAClusterThatCannotBeReachedIsAnError(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v") + configMap("b", "k: v"))
	r.fault = func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }
	report, err := r.drift(configMap("a", "k: v") + configMap("b", "k: v"))
	if !errors.Is(err, ErrUnreachable) || len(report.Objects) > 0 || report.Checked != 0 || len(report.Unseen) != 2 {
		t.Errorf("%v: %+v", err, report)
	}
}

// It goes away in the middle: what was not seen is not called deleted, and not called clean.
func TestAClusterThatGoesAwayDuringTheScanIsAnError(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + configMap("b", "k: v")
	r.mustApply(manifests)
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	r.fault = func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/configmaps/a") {
			return nil, errors.New("connection refused")
		}
		return nil, nil
	}
	report, err := r.drift(manifests)
	var of *ObjectError
	if !errors.Is(err, ErrUnreachable) || !errors.As(err, &of) || of.Ref != "v1 ConfigMap "+r.ns+"/a" {
		t.Errorf("error = %v", err)
	}
	if len(report.Objects) > 0 || report.Checked != 1 || len(report.Unseen) != 1 || report.Unseen[0] != "v1 ConfigMap "+r.ns+"/a" {
		t.Errorf("%+v", report)
	}
}

func TestAnotherClusterIsAnError(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v"))
	r.inv.Cluster = "another"
	r.set.AllowMove = true
	report, err := r.drift(configMap("a", "k: v"))
	if !errors.Is(err, ErrOtherCluster) || len(report.Objects) > 0 || len(report.Unseen) != 1 {
		t.Errorf("%v: %+v", err, report)
	}
}

func TestWhatMayNotBeTriedIsAnErrorAndTheRestIsFound(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + configMap("b", "k: v") + deployment("web", "  replicas: 0")
	r.mustApply(manifests)
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	r.edit("kubectl-edit", "apps/v1", "Deployment", "web", `{"spec":{"replicas":1}}`)
	r.create("v1", "ServiceAccount", "metadata: {name: tenant, namespace: NS}")
	r.create("rbac.authorization.k8s.io/v1", "Role", "metadata: {name: tenant, namespace: NS}\nrules:\n- {apiGroups: [\"\"], resources: [configmaps], verbs: [get, list, patch]}\n- {apiGroups: [apps], resources: [deployments], verbs: [get, list]}")
	r.create("rbac.authorization.k8s.io/v1", "RoleBinding", "metadata: {name: tenant, namespace: NS}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: tenant}\nsubjects: [{kind: ServiceAccount, name: tenant, namespace: NS}]")
	tenant := &rig{T: t, c: tenantOf(r), ns: r.ns, set: r.set, inv: r.inv}
	var report DriftReport
	var err error
	r.await("the role to hold", func() bool { report, err = tenant.drift(manifests); return len(report.Objects) > 0 })
	if !errors.Is(err, ErrForbidden) || len(report.Unseen) != 1 || report.Unseen[0] != "apps/v1 Deployment "+r.ns+"/web" {
		t.Errorf("%v, unseen %v", err, report.Unseen)
	}
	r.mustFind(report, `
		changed ConfigMap/a
		  data.k: "v" -> "mine" by kubectl-edit
		`)
}

func TestAnObjectThatTheSetMayNotTouchIsAnError(t *testing.T) {
	r := newRig(t)
	manifests := configMap("a", "k: v") + deployment("web", "  replicas: 0")
	r.mustApply(manifests)
	r.set.Allow = []Allowance{{By: "the test", Namespaces: []string{r.ns}, Kinds: []string{"ConfigMap"}}}
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	report, err := r.drift(manifests)
	if !errors.Is(err, ErrNotAllowed) || len(report.Unseen) != 1 || report.Unseen[0] != "apps/v1 Deployment "+r.ns+"/web" {
		t.Errorf("%v, unseen %v", err, report.Unseen)
	}
	if len(report.Objects) != 1 || report.Objects[0].ID.Name != "a" {
		t.Errorf("%s", drifts(report))
	}
	r.set.Allow = []Allowance{{By: "the test", Namespaces: []string{"elsewhere"}, Kinds: []string{"*"}}}
	if report, err := r.drift(manifests); !errors.Is(err, ErrNotAllowed) || len(report.Objects) > 0 || len(report.Unseen) != 2 {
		t.Errorf("%v\n%s", err, drifts(report))
	}
}

func TestAScanThatIsCancelledFindsNothing(t *testing.T) {
	r := newRig(t)
	r.mustApply(configMap("a", "k: v"))
	r.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"k":"mine"}}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.fault = func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/configmaps/a") {
			cancel()
			return nil, context.Canceled
		}
		return nil, nil
	}
	report, err := r.c.Drift(ctx, r.set, r.render(configMap("a", "k: v")), r.inv, DriftOptions{})
	if err == nil || len(report.Objects) > 0 || len(report.Unseen) != 1 {
		t.Errorf("%v: %+v", err, report)
	}
}

// A set that runs as a user of one namespace is looked at with that user's rights, and by nobody else's.
func TestDriftOfATenantIsFoundWithItsOwnRights(t *testing.T) {
	r, admin := newTenant(t, "")
	r.set.Allow = []Allowance{{By: "the test", Namespaces: []string{r.ns}, Kinds: []string{"*"}}}
	manifests := configMapIn(r.ns, "a", "x") + configMapIn(r.ns, "b", "x") + configMapIn(r.ns, "c", "x")
	r.mustApply(manifests)
	others := &rig{T: t, c: admin, ns: r.ns}
	others.edit("kubectl-edit", "v1", "ConfigMap", "a", `{"data":{"v":"mine"}}`)
	others.remove("v1", "ConfigMap", "b")
	strangers := 0
	r.fault = func(req *http.Request) (*http.Response, error) {
		if strings.Contains(req.URL.Path, "/configmaps") && req.Header.Get("Impersonate-User") != r.user() {
			strangers++
		}
		return nil, nil
	}
	r.mustFind(r.mustDrift(manifests), `
		changed ConfigMap/a
		  data.v: "x" -> "mine" by kubectl-edit
		deleted ConfigMap/b
		`)
	if strangers > 0 {
		t.Errorf("%d requests were made as somebody else", strangers)
	}
}
