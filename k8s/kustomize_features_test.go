package k8s

import (
	"encoding/json"
	"strings"
	"testing"
)

// everyFeature uses what a kustomization can do with files of the repository alone.
const everyFeature = `
-- k8s/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: prod
nameSuffix: -x
commonAnnotations: {team: web}
labels:
- pairs: {app: shop}
  includeSelectors: true
resources: [app, extra.yaml]
components: [parts/cache]
replicas: [{name: api, count: 4}]
images: [{name: api, newName: registry.example.com/api, digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}]
configMapGenerator:
- name: settings
  files: [app.properties, renamed=app.properties]
  envs: [app.env]
secretGenerator:
- name: login
  type: Opaque
  literals: [user=admin]
patches:
- target: {kind: Deployment, name: api}
  patch: |-
    - {op: add, path: /metadata/labels, value: {patched: "json"}}
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: api}
    spec: {paused: true}
patchesStrategicMerge: [old.yaml]
patchesJson6902:
- target: {group: apps, version: v1, kind: Deployment, name: api}
  path: old.json
replacements:
- source: {kind: Service, name: api, fieldPath: spec.ports.0.port}
  targets:
  - select: {kind: Deployment, name: api}
    fieldPaths: ["spec.template.spec.containers.[name=api].env.[name=PORT].value"]
- path: replacement.yaml
transformers: [transformer.yaml]
generators: [generator.yaml]
configurations: [configuration.yaml]
crds: [crd.json]
sortOptions: {order: fifo}
-- k8s/app/kustomization.yaml --
resources: [all.yaml]
-- k8s/app/all.yaml --
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {ports: [{port: 8443}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: api
        image: api:1
        env: [{name: PORT, value: "0"}, {name: HOST, value: nowhere}]
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: login}}]
-- k8s/extra.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {host: db.example.com}
-- k8s/parts/cache/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [cache.yaml]
patches: [{path: env.yaml}]
-- k8s/parts/cache/cache.yaml --
apiVersion: v1
kind: Service
metadata: {name: cache}
-- k8s/parts/cache/env.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec: {minReadySeconds: 5}
-- k8s/app.properties --
a=b
-- k8s/app.env --
LEVEL=debug
-- k8s/old.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec: {revisionHistoryLimit: 3}
-- k8s/old.json --
[{"op": "add", "path": "/spec/progressDeadlineSeconds", "value": 60}]
-- k8s/replacement.yaml --
source: {kind: ConfigMap, name: extra, fieldPath: data.host}
targets:
- select: {kind: Deployment, name: api}
  fieldPaths: ["spec.template.spec.containers.[name=api].env.[name=HOST].value"]
-- k8s/transformer.yaml --
apiVersion: builtin
kind: AnnotationsTransformer
metadata: {name: t}
annotations: {transformed: "yes"}
fieldSpecs: [{path: metadata/annotations, create: true}]
-- k8s/generator.yaml --
apiVersion: builtin
kind: ConfigMapGenerator
metadata: {name: made}
literals: [x=y]
-- k8s/configuration.yaml --
namePrefix: []
-- k8s/crd.json --
{}
`

func TestEveryLocalFeatureOfAKustomization(t *testing.T) {
	objects, err := Render(checkout(t, everyFeature, "k8s"))
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, o := range objects {
		b, _ := json.Marshal(o.Object)
		text[o.GetKind()+" "+strings.SplitN(o.GetName(), "-x", 2)[0]] = string(b)
		if o.GetNamespace() != "prod" || o.GetAnnotations()["team"] != "web" || o.GetAnnotations()["transformed"] != "yes" {
			t.Errorf("%s: %v", o.Ref(), o.Object["metadata"])
		}
	}
	if len(objects) != 7 {
		t.Errorf("objects:\n%s", places(objects))
	}
	for object, wants := range map[string][]string{
		"Deployment api": {
			`"replicas":4`, `registry.example.com/api@sha256:0000`, `"paused":true`, `"patched":"json"`, `"revisionHistoryLimit":3`,
			`"progressDeadlineSeconds":60`, `"minReadySeconds":5`, `{"name":"PORT","value":"8443"}`, `{"name":"HOST","value":"db.example.com"}`,
			`"configMapRef":{"name":"settings-x-`, `"secretRef":{"name":"login-x-`, `"matchLabels":{"app":"shop"}`,
		},
		"ConfigMap settings": {`"app.properties":"a=b\n"`, `"renamed":"a=b\n"`, `"LEVEL":"debug"`},
		"Secret login":       {`"user":"YWRtaW4="`},
		"Service cache":      {`"app":"shop"`},
		"ConfigMap made":     {`"x":"y"`},
	} {
		for _, want := range wants {
			if !strings.Contains(text[object], want) {
				t.Errorf("%s lacks %s: %s", object, want, text[object])
			}
		}
	}
}

func TestHelmInAKustomizationIsRefused(t *testing.T) {
	for _, k := range []string{
		"helmCharts: [{name: web, version: 1.0.0, repo: https://charts.example.com}]\n",
		"helmGlobals: {chartHome: charts}\nresources: []\n",
		"helmChartInflationGenerator: [{chartName: web}]\n",
	} {
		_, err := Render(checkout(t, "-- k8s/kustomization.yaml --\n"+k, "k8s"))
		if err == nil || !strings.HasPrefix(err.Error(), "k8s/kustomization.yaml:1: Helm charts are not rendered inside a kustomization") {
			t.Errorf("error = %v", err)
		}
	}
}
