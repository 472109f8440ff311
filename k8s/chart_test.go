package k8s

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const webChart = `
-- k8s/web/Chart.yaml --
apiVersion: v2
name: web
version: 1.2.3
appVersion: "9"
-- k8s/web/values.yaml --
replicas: 1
image: {repository: nginx, tag: "1.0"}
extra: kept
-- k8s/web/templates/_helpers.tpl --
{{- define "web.name" -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end }}
-- k8s/web/templates/deploy.yaml --
# the workload
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.name" . }}
  annotations: {ns: {{ .Release.Namespace }}, extra: {{ .Values.extra | quote }}, shell: "${HOME}"}
spec:
  replicas: {{ .Values.replicas }}
  template: {spec: {containers: [{name: web, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}]}}
-- k8s/web/templates/more.yaml --
{{- range $i, $name := list "a" "b" }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ $name }}}
data: {found: {{ (lookup "v1" "Secret" "default" "x") | toJson | quote }}, kube: {{ $.Capabilities.KubeVersion.Version }}}
{{- end }}
-- k8s/web/templates/NOTES.txt --
Thank you for {{ .Chart.Name }}
-- k8s/web/crds/thing.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com, annotations: {note: "{{ not a template }}"}}
-- k8s/web/prod.yaml --
replicas: 3
image:
  tag: "2.0"
`

func TestChart(t *testing.T) {
	src := checkout(t, webChart, "k8s/web")
	src.Values = map[string]Value{"image": value(map[string]any{"tag": "2.1"})}
	src.Chart = Chart{Namespace: "prod", ValuesFiles: []string{"k8s/web/prod.yaml"}}
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	want := `k8s/web/crds/thing.yaml:1 apiextensions.k8s.io/v1 CustomResourceDefinition things.example.com
k8s/web/templates/deploy.yaml:2 apps/v1 Deployment web-web
k8s/web/templates/more.yaml:3 v1 ConfigMap a
k8s/web/templates/more.yaml:3 v1 ConfigMap b`
	if diff := cmp.Diff(want, places(objects)); diff != "" {
		t.Error(diff)
	}
	d := objects[1]
	if diff := cmp.Diff(map[string]string{"ns": "prod", "extra": "kept", "shell": "${HOME}"}, d.GetAnnotations()); diff != "" {
		t.Error(diff)
	}
	spec := d.Object["spec"].(map[string]any)
	if got := spec["replicas"]; got != int64(3) {
		t.Errorf("replicas = %v (%T)", got, got)
	}
	if image := spec["template"].(map[string]any)["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["image"]; image != "nginx:2.1" {
		t.Errorf("image = %v", image)
	}
	if diff := cmp.Diff(map[string]any{"found": "{}", "kube": defaultKubeVersion}, objects[2].Object["data"]); diff != "" {
		t.Error(diff)
	}
	found, err := Placeholders(src)
	if err != nil || len(found) != 0 {
		t.Errorf("placeholders of a chart: %v, %v", found, err)
	}
}

// dependent is a chart with one dependency in its charts directory.
const dependent = `
-- c/Chart.yaml --
apiVersion: v2
name: top
version: 1.0.0
dependencies:
- name: redis
  version: ">= 1"
  alias: cache
  condition: cache.enabled
-- c/values.yaml --
cache: {enabled: true, size: 2}
-- c/charts/redis/Chart.yaml --
apiVersion: v2
name: redis
version: 1.4.0
-- c/charts/redis/values.yaml --
size: 1
-- c/charts/redis/templates/cm.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Chart.Name }}}
data: {size: "{{ .Values.size }}"}
`

func TestChartDependency(t *testing.T) {
	src := checkout(t, dependent, "c")
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	if got := places(objects); got != "c/charts/redis/templates/cm.yaml:1 v1 ConfigMap cache" {
		t.Error(got)
	}
	if got := objects[0].Object["data"].(map[string]any)["size"]; got != "2" {
		t.Errorf("size = %v", got)
	}
	src.Values = map[string]Value{"cache": value(map[string]any{"enabled": false})}
	if objects, err = Render(src); err != nil || len(objects) != 0 {
		t.Errorf("a dependency that is switched off: %v, %v", places(objects), err)
	}
}

// charted renders a chart of one template; files are more of it, as txtar.
func charted(t *testing.T, template, files string, values map[string]Value) ([]Object, error) {
	t.Helper()
	src := checkout(t, "-- c/Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\n"+files+"-- c/templates/x.yaml --\n"+template, "c")
	src.Values = values
	return Render(src)
}

const configMapHead = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"

func TestChartFaults(t *testing.T) {
	schema := "-- c/values.schema.json --\n" + `{"type": "object", "required": ["host"], "properties": {"port": {"type": "integer"}, "host": {"type": "string", "pattern": "^x"}}}` + "\n"
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x, annotations: {helm.sh/hook: "
	for _, tt := range []struct{ name, template, files, want string }{
		{"template does not parse", "a: {{ .Values.x\n", "", "c/templates/x.yaml:2: unclosed action started at top/templates/x.yaml:1"},
		{"no such function", "a: 1\nb: {{ frobnicate 1 }}\n", "", `c/templates/x.yaml:2: function "frobnicate" not defined`},
		{"nil pointer", "a: 1\nb: {{ .Values.a.b.c }}\n", "", "c/templates/x.yaml:2: "},
		{"required", "a: {{ required \"say the image\" .Values.image }}\n", "", "c/templates/x.yaml:1: say the image"},
		{"fail in a helper", "a: {{ include \"h\" . }}\n", "-- c/templates/_h.tpl --\n\n{{ define \"h\" }}{{ fail \"no good\" }}{{ end }}\n", "no good"},
		{"not YAML", "a: b: c\n", "", "c/templates/x.yaml: renders what is not YAML"},
		{"no manifest", "a: b\n", "", "c/templates/x.yaml: not a manifest: apiVersion is missing"},
		{"schema: missing", configMapHead, schema, "c/values.schema.json: the value values does not fit the chart's schema: missing property 'host'"},
		{"schema: wrong, in values.yaml", configMapHead, schema + "-- c/values.yaml --\nhost: xa\nport: \"a\"\n", "the value port does not fit the chart's schema: got string, want integer"},
		{"schema: fetched", configMapHead, "-- c/values.schema.json --\n{\"$ref\": \"http://127.0.0.1:1/x.json\"}\n", "nothing is fetched while rendering"},
		{"schema: a file of the machine", configMapHead, "-- c/values.schema.json --\n{\"$ref\": \"file:///etc/passwd\"}\n", "nothing is fetched while rendering"},
		{"values are not YAML", configMapHead, "-- c/values.yaml --\na: 1\nb: [\n", "c/values.yaml:"},
		{"random text", configMapHead + "data: {a: {{ randAlphaNum 8 }}}\n", "", "c/templates/x.yaml: the template renders another text each time"},
		{"the clock", configMapHead + "data: {a: {{ now | date \"2006-01-02\" }}}\n", "", "c/templates/x.yaml: the template renders another text each time"},
		{"name server", configMapHead + "data: {a: {{ getHostByName \"example.com\" }}}\n", "", "nothing is asked while rendering"},
		{"a billion items", configMapHead + "data: {a: \"{{ until 1000000000 | len }}\"}\n", "", "until 1000000000 is too many"},
		{"delete hook", job + "pre-delete}}\n", "", "c/templates/x.yaml:1: the hook pre-delete of Job x has no counterpart here"},
		{"rollback hook", job + "\"post-install,post-rollback\"}}\n", "", "the hook post-rollback of Job x"},
		{"two sides", job + "\"pre-install,post-upgrade\"}}\n", "", "would run before and after the set"},
		{"Helm 2 hook", job + "crd-install}}\n", "", "move the definition to the chart's crds/ directory"},
		{"duplicate key", configMapHead + "data: {a: x, a: y}\n", "", `key "a" appears twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := charted(t, tt.template, tt.files, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if len(objects) > 0 {
				t.Error("objects beside an error")
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one error: %v", err)
			}
		})
	}
}

func TestChartOfBadFiles(t *testing.T) {
	for _, tt := range []struct{ name, archive, want string }{
		{"missing dependency", "-- c/Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- name: redis\n  version: 1.0.0\n  repository: https://charts.example.com\n",
			"c/Chart.yaml:5: the dependency redis is not in c/charts, and nothing is fetched while rendering: run `helm dependency build c`"},
		{"old dependency", strings.Replace(dependent, ">= 1", ">= 2", 1), "c/Chart.yaml:5: the dependency redis is wanted in version >= 2, and c/charts holds 1.4.0"},
		{"no name", "-- c/Chart.yaml --\napiVersion: v2\nversion: 1.0.0\n", "c/Chart.yaml: chart.metadata.name is required"},
		{"broken Chart.yaml", "-- c/Chart.yaml --\nname: [\n", "c/Chart.yaml:"},
		{"library", "-- c/Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\ntype: library\n", "c/Chart.yaml:4: a library chart renders nothing by itself"},
		{"Kubernetes too old", "-- c/Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\nkubeVersion: \">= 1.99\"\n", "c/Chart.yaml:4: the chart wants Kubernetes >= 1.99"},
		{"a kustomization, too", "-- c/Chart.yaml --\nname: top\n-- c/kustomization.yaml --\n", "c/Chart.yaml: the directory is a Helm chart and a kustomization at once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Render(checkout(t, tt.archive, "c"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("options without a chart", func(t *testing.T) {
		src := checkout(t, "-- c/a.yaml --\n"+configMapHead, "c")
		src.Chart.ValuesFiles = []string{"c/v.yaml"}
		if _, err := Render(src); err == nil || !strings.Contains(err.Error(), "c holds no Chart.yaml") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("in a plain set", func(t *testing.T) {
		_, err := Render(checkout(t, webChart, "k8s"))
		if err == nil || !strings.Contains(err.Error(), `make it a set of its own in mooring.hcl: manifests "web" { path = "k8s/web" }`) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("a link out of the repository", func(t *testing.T) {
		src := checkout(t, webChart, "k8s/web")
		outside := filepath.Join(t.TempDir(), "secret.yaml")
		if err := os.WriteFile(outside, []byte(configMapHead), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(src.Root, "k8s/web/templates/linked.yaml")); err != nil {
			t.Fatal(err)
		}
		if _, err := Render(src); err == nil || !strings.Contains(err.Error(), "k8s/web/templates/linked.yaml: read: the path leaves the repository") {
			t.Errorf("error = %v", err)
		}
	})
}

func TestChartHooks(t *testing.T) {
	hooked := func(kind, name, annotations string) string {
		return "---\napiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + ", annotations: {" + annotations + "}}\n"
	}
	src := checkout(t, "-- c/Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\n-- c/templates/x.yaml --\n"+
		hooked("Job", "migrate", `helm.sh/hook: "pre-install, pre-upgrade", helm.sh/hook-weight: "-5"`)+
		hooked("Job", "announce", `helm.sh/hook: post-upgrade`)+
		hooked("Namespace", "early", `helm.sh/hook: pre-install`)+
		hooked("Pod", "try", `helm.sh/hook: test`)+
		hooked("Job", "bye", `helm.sh/hook: pre-delete`)+
		hooked("PersistentVolumeClaim", "data", `helm.sh/resource-policy: keep`), "c")
	src.Chart.IgnoreHooks = []string{"pre-delete"}
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	for _, o := range objects {
		got[o.GetName()] = o.GetAnnotations()
	}
	want := map[string]map[string]string{
		"migrate":  {helmHook: "pre-install, pre-upgrade", helmWeight: "-5", hookAnnotation: "before", waveAnnotation: "-5"},
		"early":    {helmHook: "pre-install"},
		"announce": {helmHook: "post-upgrade", hookAnnotation: "after"},
		"data":     {helmPolicy: "keep", pruneAnnotation: "disabled"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestChartSensitiveValues(t *testing.T) {
	const password = "hunter2 \"quoted\"&more"
	values := map[string]Value{"db": sensitive(map[string]any{"password": password, "port": 54321}), "pem": sensitive(pem)}
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
	for _, tt := range []struct{ name, template, want string }{
		{"stringData", secret + "stringData: {p: {{ .Values.db.password | toJson }}, pem: {{ .Values.pem | toJson }}}\n", ""},
		{"data", secret + "data: {p: {{ .Values.db.password | b64enc }}}\n", ""},
		{"amid a URL in data", secret + "data: {p: {{ printf \"pg://u:%s@h\" .Values.db.password | b64enc }}}\n", ""},
		{"checksum", configMapHead + "data: {sum: {{ .Values.db.password | sha256sum }}}\n", ""},
		{"plain", configMapHead + "data: {p: {{ .Values.db.password | toJson }}}\n", "db.password is sensitive and may stand only in data or stringData of a Secret, not at data.p of a ConfigMap"},
		{"number", configMapHead + "data: {p: \"{{ .Values.db.port }}\"}\n", "db.port is sensitive"},
		{"base64", configMapHead + "data: {p: {{ .Values.db.password | b64enc }}}\n", "db.password is sensitive"},
		{"base64 amid other text", configMapHead + "data: {p: {{ printf \"user:%s@host\" .Values.db.password | b64enc }}}\n", "db.password is sensitive"},
		{"JSON in text", configMapHead + "data: {p: {{ .Values.db | toJson | quote }}}\n", "is sensitive"},
		{"URL", configMapHead + "data: {p: {{ .Values.db.password | urlquery }}}\n", "db.password is sensitive"},
		{"indented file", configMapHead + "data:\n  c: |\n    cert: |\n{{ .Values.pem | indent 6 }}\n", ""},
		{"name of a Secret", "apiVersion: v1\nkind: Secret\nmetadata: {name: \"p{{ .Values.db.port }}\"}\n", "not at metadata.name of a Secret"},
		{"key", configMapHead + "data: {\"k{{ .Values.db.port }}\": x}\n", "db.port is sensitive"},
		{"in an error", "a: {{ fail .Values.db.password }}\n", "(sensitive)"},
		{"in the error of tpl", "a: {{ tpl (printf \"{{ %s\" .Values.db.password) . }}\n", "(sensitive)"},
		{"in a YAML error", "a: b: {{ .Values.db.password }}\n", "is not YAML"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := charted(t, tt.template, "", values)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want == "":
				if isSecret := objects[0].GetKind() == "Secret"; objects[0].sensitive != isSecret {
					t.Errorf("sensitive = %v", objects[0].sensitive)
				}
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "54321")) {
				t.Errorf("the error repeats a sensitive value: %v", err)
			}
		})
	}
	if _, err := charted(t, configMapHead, "", map[string]Value{"flag": sensitive(true), "n": sensitive(""), "short": sensitive("abc")}); err == nil || !strings.Contains(err.Error(), "the value short is sensitive and shorter than 4 characters") {
		t.Errorf("a short one: %v", err)
	}
	if _, err := charted(t, configMapHead, "-- c/values.schema.json --\n{\"properties\": {\"db\": {\"properties\": {\"password\": {\"const\": \"x\"}, \"port\": {\"pattern\": \"^x\", \"maximum\": 1}}}}}\n", values); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "54321") {
		t.Errorf("schema: %v", err)
	}
}

func TestHiddenInBase64AtAnyOffset(t *testing.T) {
	for _, text := range []string{"secret", "s3cr3t-value", "0123456789abcdef0"} {
		h := &hidden{}
		h.add("x", text)
		for _, before := range []string{"", "a", "ab", "abc", "user:"} {
			for _, after := range []string{"", "z", "zz", "@host"} {
				if encoded := base64.StdEncoding.EncodeToString([]byte(before + text + after)); h.in(encoded) == "" {
					t.Errorf("%q with %q and %q around it is not found in %s", text, before, after, encoded)
				}
			}
		}
	}
}

func TestChartUnknownValue(t *testing.T) {
	_, err := charted(t, configMapHead, "", map[string]Value{"a": value("x"), "later": {Unknown: true}})
	if !errors.Is(err, ErrUnknownValue) || !strings.Contains(err.Error(), "c/Chart.yaml: the value later is known only after apply") {
		t.Errorf("error = %v", err)
	}
	src := checkout(t, dependent, "c")
	src.Unknown = true
	if _, err := Render(src); !errors.Is(err, ErrUnknownValue) {
		t.Errorf("error = %v", err)
	}
}

// TestChartValuesWin tells which of two values a chart sees, and that null takes a default away.
func TestChartValuesWin(t *testing.T) {
	src := checkout(t, "-- c/Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\n-- c/values.yaml --\na: {one: 1, two: 1, three: 1, gone: 1}\n"+
		"-- c/v1.yaml --\na: {two: 2, three: 2}\n-- c/v2.yaml --\na: {three: 3, list: [1, yes, 0x10]}\n-- c/templates/x.yaml --\n"+configMapHead+"data: {a: {{ .Values.a | toJson | quote }}}\n", "c")
	src.Chart.ValuesFiles = []string{"c/v1.yaml", "c/v2.yaml"}
	src.Values = map[string]Value{"a": value(map[string]any{"four": 4, "big": 12345678, "gone": nil})}
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	if got := objects[0].Object["data"].(map[string]any)["a"]; got != `{"big":12345678,"four":4,"list":[1,true,16],"one":1,"three":3,"two":2}` {
		t.Error(got)
	}
}

// TestDefaultKubeVersion holds the version that templates see to the client library's.
func TestDefaultKubeVersion(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	minor := strings.TrimSuffix(strings.TrimPrefix(defaultKubeVersion, "v1."), ".0")
	if !strings.Contains(string(mod), "k8s.io/client-go v0."+minor+".") {
		t.Errorf("defaultKubeVersion = %s does not match client-go in go.mod", defaultKubeVersion)
	}
}
