package k8s

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const kustomized = `
-- shared/common.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: common}
data: {host: "${host}"}
-- k8s/base/kustomization.yaml --
resources: [deploy.yaml, ../../shared/common.yaml]
-- k8s/base/deploy.yaml --
# the service
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  replicas: ${port}
  template:
    spec:
      containers:
      - name: api
        image: api:1
        env:
        - name: PORT
          value: "${port}"
-- k8s/overlays/prod/kustomization.yaml --
namespace: prod
namePrefix: p-
resources:
- ../../base
patches:
- path: patch.yaml
images:
- name: api
  newTag: "2"
configMapGenerator:
- name: settings
  literals: ["host=${host}"]
secretGenerator:
- name: login
  literals: ["password=${password}"]
generatorOptions: {disableNameSuffixHash: true}
-- k8s/overlays/prod/patch.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec: {paused: true}
`

func TestRenderKustomization(t *testing.T) {
	src := checkout(t, kustomized, "k8s/overlays/prod")
	src.Values = testValues
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	want := `k8s/base/deploy.yaml:2 apps/v1 Deployment prod/p-api
shared/common.yaml:1 v1 ConfigMap prod/p-common
k8s/overlays/prod/kustomization.yaml v1 ConfigMap prod/p-settings
k8s/overlays/prod/kustomization.yaml v1 Secret prod/p-login`
	if diff := cmp.Diff(want, places(objects)); diff != "" {
		t.Error(diff)
	}
	spec := objects[0].Object["spec"].(map[string]any)
	if spec["replicas"] != int64(5432) || spec["paused"] != true {
		t.Errorf("spec = %v", spec)
	}
	container := spec["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
	if container["image"] != "api:2" || container["env"].([]any)[0].(map[string]any)["value"] != "5432" {
		t.Errorf("container = %v", container)
	}
	if got := objects[2].Object["data"].(map[string]any)["host"]; got != "db.example.com" {
		t.Errorf("generated ConfigMap: host = %v", got)
	}
	if got := objects[3].Object["data"].(map[string]any)["password"]; got != "aHVudGVyMg==" {
		t.Errorf("generated Secret: password = %v", got)
	}
	for _, o := range objects {
		if len(o.GetAnnotations()) > 0 {
			t.Errorf("%s keeps annotations %v", o.Ref(), o.GetAnnotations())
		}
	}
	found, err := Placeholders(src)
	if err != nil || len(found) != 5 || found[0] != (Placeholder{"port", "k8s/base/deploy.yaml", 7}) {
		t.Errorf("placeholders = %v, %v", found, err)
	}
}

func TestRenderOverlaysBelowAPlainDirectory(t *testing.T) {
	src := checkout(t, kustomized+"-- k8s/ns.yaml --\napiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n", "k8s")
	src.Values = testValues
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	if got := places(objects); !strings.HasPrefix(got, "k8s/ns.yaml:1 v1 Namespace prod\n") || len(objects) != 5 {
		t.Errorf("a base that an overlay uses is not rendered by itself, got:\n%s", got)
	}
}

func TestRenderIsDeterministic(t *testing.T) {
	src := checkout(t, kustomized, "k8s/overlays/prod")
	src.Values = testValues
	first, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := Render(src)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(places(first), places(again)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestKustomizationStaysInside(t *testing.T) {
	if _, err := exec.LookPath("git"); err == nil {
		t.Setenv("PATH", t.TempDir()) // were a clone tried, it would fail in other words
	}
	for _, tt := range []struct{ name, kustomization, want string }{
		{"URL", "resources:\n- https://example.com/x.yaml\n", "k8s/kustomization.yaml:2: https://example.com/x.yaml is a remote address; nothing is fetched while rendering: copy it into the repository"},
		{"Git address", "resources: [\"github.com/org/repo//deploy?ref=v1\"]\n", "is a remote address"},
		{"ssh address", "resources: [\"git@github.com:org/repo\"]\n", "is a remote address"},
		{"forced git", "bases: [\"git::https://x.example/y\"]\n", "is a remote address"},
		{"one slash", "resources: [\"https:/example.com/x.yaml\"]\n", "is a remote address"},
		{"component", "components: [\"https://example.com/x\"]\n", "is a remote address"},
		{"patch", "patches: [{path: \"https://example.com/p.yaml\"}]\n", "is a remote address"},
		{"old patch", "patchesStrategicMerge: [\"https://example.com/p.yaml\"]\n", "is a remote address"},
		{"generated file", "configMapGenerator: [{name: a, files: [\"k=https://example.com/p\"]}]\n", "is a remote address"},
		{"other case", "Resources: [\"https://example.com/p\"]\n", "k8s/kustomization.yaml"},
		{"schema", "openapi: {path: \"https://example.com/p\"}\n", "is a remote address"},
		{"outside", "resources: [../../x.yaml]\n", "k8s/kustomization.yaml:1: ../../x.yaml lies outside the repository"},
		{"absolute", "resources: [/etc/passwd]\n", "lies outside the repository"},
		{"missing", "resources:\n- a.yaml\n", "k8s/kustomization.yaml:2: a.yaml: it does not exist in the repository"},
		{"plain directory", "resources: [sub]\n", "the directory k8s/sub holds no kustomization.yaml"},
		{"Helm", "helmCharts: [{name: x, repo: \"https://x\"}]\n", "k8s/kustomization.yaml:1: Helm charts are not rendered"},
		{"plugin", "transformers: [t.yaml]\n", "only builtin plugins run here, this one is example.com/v1"},
		{"plugin with an address", "transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: p}\n  path: https://example.com/p\n", "may not name the address https://example.com/p"},
		{"unknown field", "resorces: [a]\n", "not a kustomization: "},
		{"broken", "resources: [\n", "k8s/kustomization.yaml:"},
		{"cycle", "resources: [../k8s]\n", "cycle"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := checkout(t, "-- k8s/kustomization.yaml --\n"+tt.kustomization+"-- k8s/sub/x.yaml --\n-- k8s/t.yaml --\napiVersion: example.com/v1\nkind: T\nmetadata: {name: t}\n-- k8s/github.com/org/repo/kustomization.yaml --\nresources: []\n", "k8s")
			_, err := Render(src)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestKustomizeErrorNamesTheFile(t *testing.T) {
	_, err := Render(checkout(t, "-- k8s/kustomization.yaml --\nresources: [a.yaml]\n-- k8s/a.yaml --\nkind: X\n", "k8s"))
	if err == nil || !strings.HasPrefix(err.Error(), "k8s/kustomization.yaml: kustomize: ") {
		t.Errorf("error = %v", err)
	}
}
