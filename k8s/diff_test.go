package k8s

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// object reads one object from YAML.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	docs, faults := parse("x.yaml", []byte(text))
	if len(faults) > 0 || len(docs) != 1 {
		t.Fatalf("%d documents, faults %v", len(docs), faults)
	}
	o, faults := docs[0].object(nil)
	if len(faults) > 0 {
		t.Fatal(faults[0])
	}
	return o.Object
}

// shortChanges are the changes without their values: "replace spec.replicas".
func shortChanges(d *Diff) string {
	var b strings.Builder
	for _, c := range d.Changes {
		b.WriteString(string(c.Op) + " " + c.Path + "\n")
	}
	return b.String()
}

const webDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  uid: 8d1f
  resourceVersion: "12"
  generation: 3
  creationTimestamp: "2026-01-01T00:00:00Z"
  managedFields: [{manager: mooring}]
  labels: {mooring.dev/set: infra-apps-1, app: web}
  annotations:
    mooring.dev/set: infra/apps
    kubectl.kubernetes.io/last-applied-configuration: '{"all":"of it"}'
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: log
        image: fluent/fluent-bit:3.0
      - name: web
        image: nginx:1.27
        args: [-g, daemon off;]
        ports: [{containerPort: 80, protocol: TCP}]
        env:
        - {name: MODE, value: production}
        - {name: LEVEL, value: info}
status:
  replicas: 2
`

func TestDiffNamesFieldsAndItems(t *testing.T) {
	live := object(t, webDeployment)
	merged := object(t, strings.NewReplacer(
		"replicas: 2\n  selector", "replicas: 3\n  selector",
		"nginx:1.27", "nginx:1.28",
		"[-g, daemon off;]", "[-g, daemon off;, -q]",
		"- {name: LEVEL, value: info}", "- {name: TRACE, value: \"yes\"}\n        - {name: LEVEL, value: debug}",
		"{containerPort: 80, protocol: TCP}", "{containerPort: 8080, protocol: TCP}",
		"resourceVersion: \"12\"", "resourceVersion: \"13\"",
		"all\":\"of it", "something\":\"else",
		"status:\n  replicas: 2", "status:\n  replicas: 9",
	).Replace(webDeployment))
	d := diffObjects(live, merged, false)
	want := `replace spec.replicas
replace spec.template.spec.containers[name=web].args
add spec.template.spec.containers[name=web].env[name=TRACE]
replace spec.template.spec.containers[name=web].env[name=LEVEL].value
replace spec.template.spec.containers[name=web].image
remove spec.template.spec.containers[name=web].ports[containerPort=80]
add spec.template.spec.containers[name=web].ports[containerPort=8080]
`
	if got := shortChanges(d); got != want {
		t.Errorf("changes:\n%s", cmp.Diff(want, got))
	}
	if d.Adopts {
		t.Error("both carry the same label, and yet it adopts")
	}
	golden(t, "diff-deployment.golden", d.Text)
	golden(t, "diff-created.golden", diffObjects(nil, live, false).Text)
}

func TestDiffOfMultiLineStringsIsByLine(t *testing.T) {
	live := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  nginx.conf: \"server {   \\n\\tlisten 80;\\n\\troot /srv;\\n}\\n\"\n  other: x\n")
	merged := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  nginx.conf: \"server {   \\n\\tlisten 8080;\\n\\troot /srv;\\n}\\n\"\n  other: x\n")
	golden(t, "diff-configmap.golden", diffObjects(live, merged, false).Text)
}

func TestDiffReordersAreSaid(t *testing.T) {
	live := object(t, "apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: {l: [{name: a}, {name: b}, {name: c, v: 1}]}\n")
	merged := object(t, "apiVersion: v1\nkind: X\nmetadata: {name: a}\nspec: {l: [{name: c, v: 2}, {name: d}, {name: b}]}\n")
	want := []FieldChange{
		{Path: "spec.l[name=a]", Op: FieldRemove, Old: map[string]any{"name": "a"}},
		{Path: "spec.l[name=c].v", Op: FieldReplace, Old: int64(1), New: int64(2)},
		{Path: "spec.l[name=d]", Op: FieldAdd, New: map[string]any{"name": "d"}, At: 1},
		{Path: "spec.l", Op: FieldReorder, Old: []string{"name=b", "name=c"}, New: []string{"name=c", "name=d", "name=b"}},
	}
	d := diffObjects(live, merged, false)
	if diff := cmp.Diff(want, d.Changes, cmpopts.IgnoreUnexported(FieldChange{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := apply(withoutNoise(live), d.Changes); !cmp.Equal(got, any(merged)) {
		t.Errorf("applied: %v", got)
	}
}

func TestDiffOfASecretHasKeysOnly(t *testing.T) {
	const live = `
apiVersion: v1
kind: Secret
metadata:
  name: db
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"data":{"password":"b2xkLXBhc3N3b3Jk"}}'
    tool.example.com/copy: old-password
    mooring.dev/prune: disabled
type: Opaque
data: {password: b2xkLXBhc3N3b3Jk, user: YWRtaW4tdXNlcg==, gone: Z29uZS12YWx1ZQ==}
`
	const merged = `
apiVersion: v1
kind: Secret
metadata:
  name: db
  annotations: {tool.example.com/copy: new-password, mooring.dev/prune: disabled}
type: Opaque
data: {password: bmV3LXBhc3N3b3Jk, user: YWRtaW4tdXNlcg==, token: KGtub3duIGFmdGVyIGFwcGx5KQ==}
`
	d := diffObjects(object(t, live), object(t, merged), false)
	golden(t, "diff-secret.golden", d.Text)
	want := []FieldChange{
		{Path: "data.gone", Op: FieldRemove, Old: maskSame},
		{Path: "data.password", Op: FieldReplace, Old: maskOld, New: maskNew},
		{Path: "data.token", Op: FieldAdd, New: afterApply},
		{Path: `metadata.annotations["tool.example.com/copy"]`, Op: FieldReplace, Old: maskOld, New: maskNew},
	}
	if diff := cmp.Diff(want, d.Changes, cmpopts.IgnoreUnexported(FieldChange{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	golden(t, "diff-secret-created.golden", diffObjects(nil, object(t, merged), false).Text)
}

func TestDiffOfASensitiveObjectHasKeysOnly(t *testing.T) {
	live := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {x: hush}}\ndata: {a: hush, b: hush}\nlist: [hush]\n")
	merged := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {x: hush}}\ndata: {a: hush-hush, b: hush}\nlist: [hush, hush]\n")
	d := diffObjects(live, merged, true)
	if got, want := shortChanges(d), "replace data.a\nreplace list\n"; got != want {
		t.Errorf("changes:\n%s", got)
	}
	if strings.Contains(d.Text, "hush") {
		t.Errorf("a value shows:\n%s", d.Text)
	}
}

func TestOwnPartFollowsTheServersRecord(t *testing.T) {
	live := object(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  paused: true
  replicas: 4
  template:
    spec:
      restartPolicy: Always
      containers:
      - {name: web, image: old, imagePullPolicy: Always}
      - {name: gone, image: x, tty: false}
      - {name: injected, image: y}
      tolerations: [{key: a}, {key: b}]
`)
	live["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{"manager": "mooring", "operation": "Apply", "fieldsV1": object(t, `
apiVersion: v1
kind: F
metadata: {name: x}
f:spec:
  f:paused: {}
  f:template:
    f:spec:
      f:tolerations: {}
      f:containers:
        'k:{"name":"web"}': {".": {}, f:name: {}, f:image: {}}
        'k:{"name":"gone"}': {".": {}, f:name: {}, f:image: {}}
`)}}
	desired := object(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  replicas: 2
  template:
    spec:
      containers: [{name: web, image: "(known after apply)"}]
      tolerations: [{key: a}]
`)
	d := diffObjects(ownPart(live, desired), desired, false)
	want := `remove spec.paused
replace spec.replicas
remove spec.template.spec.containers[name=gone]
replace spec.template.spec.containers[name=web].image
remove spec.template.spec.tolerations[key=b]
`
	if got := shortChanges(d); got != want {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
}
