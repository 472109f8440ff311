package k8s

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	sigsyaml "sigs.k8s.io/yaml"
)

// checkout writes a txtar archive to a directory and returns a source for it.
func checkout(t testing.TB, archive, path string) Source {
	t.Helper()
	root := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		p := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Source{Root: root, Path: path}
}

func value(v any) Value {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return Value{JSON: raw}
}

func sensitive(v any) Value {
	s := value(v)
	s.Sensitive = true
	return s
}

// places lists objects as "file:line ref".
func places(objects []Object) string {
	var lines []string
	for _, o := range objects {
		lines = append(lines, o.place()+" "+o.Ref())
	}
	return strings.Join(lines, "\n")
}

func TestRenderPlain(t *testing.T) {
	src := checkout(t, `
-- k8s/b.yaml --
# a comment only
---
apiVersion: v1
kind: Namespace
metadata:
  name: web
---
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: one, namespace: web}
- apiVersion: v1
  kind: ConfigMapList
  items:
  - metadata: {name: two, namespace: web}
-- k8s/a/deploy.json --
{
  "apiVersion": "apps/v1", "kind": "Deployment",
  "metadata": {"name": "api", "namespace": "web", "annotations": {"smile": "\ud83d\ude00"}},
  "spec": {"replicas": 3}
}
-- k8s/a/notes.txt --
not a manifest
-- k8s/.hidden/x.yaml --
nonsense: [
-- k8s/team/own.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: elsewhere}
-- k8s/teamwork.yml --
apiVersion: v1
kind: ConfigMap
metadata: {name: teamwork}
`, "k8s")
	src.Exclude = []string{"k8s/team"}
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	want := `k8s/a/deploy.json:1 apps/v1 Deployment web/api
k8s/b.yaml:3 v1 Namespace web
k8s/b.yaml:12 v1 ConfigMap web/one
k8s/b.yaml:18 v1 ConfigMap web/two
k8s/teamwork.yml:1 v1 ConfigMap teamwork`
	if diff := cmp.Diff(want, places(objects)); diff != "" {
		t.Error(diff)
	}
	if got := objects[0].GetAnnotations()["smile"]; got != "😀" {
		t.Errorf("annotation = %q", got)
	}
	if src.Path = "k8s/b.yaml"; true {
		if one, err := Render(src); err != nil || len(one) != 3 {
			t.Errorf("a single file: %d objects, %v", len(one), err)
		}
	}
}

func TestRenderErrors(t *testing.T) {
	for _, tt := range []struct{ name, files, want string }{
		{"broken YAML", "-- k8s/x.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n data: b\n", "k8s/x.yaml:5: not YAML: "},
		{"broken JSON", "-- k8s/x.json --\n{\n \"apiVersion\": \"v1\",\n \"kind\" \"ConfigMap\"\n}\n", "k8s/x.json:3: not JSON: "},
		{"cut JSON", "-- k8s/x.json --\n{\n \"apiVersion\": \"v1\",\n", "not JSON: the file ends too early"},
		{"a list", "-- k8s/x.yaml --\n- a\n- b\n", "k8s/x.yaml:1: not a manifest: a mapping with apiVersion and kind is expected, this is a list"},
		{"no kind", "-- k8s/x.yaml --\n\napiVersion: v1\nmetadata: {name: a}\n", "k8s/x.yaml:2: not a manifest: kind is missing"},
		{"no apiVersion", "-- k8s/x.yaml --\nkind: ConfigMap\nmetadata: {name: a}\n", "k8s/x.yaml:1: not a manifest: apiVersion is missing"},
		{"no name", "-- k8s/x.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {}\n", "k8s/x.yaml:1: not a manifest: metadata.name is missing"},
		{"generateName", "-- k8s/x.yaml --\nkind: Job\napiVersion: batch/v1\nmetadata: {generateName: a-}\n", "cannot be reconciled; use metadata.name"},
		{"duplicate key", "-- k8s/x.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata:\n  a: b\n  c: d\n  a: e\n", `k8s/x.yaml:7: key "a" appears twice, first on line 5`},
		{"duplicate key in JSON", "-- k8s/x.json --\n{\"kind\": \"ConfigMap\",\n\"kind\": \"Secret\"}", `k8s/x.json:2: key "kind" appears twice, first on line 1`},
		{"same object twice", "-- k8s/a.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n-- k8s/b.yaml --\n---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n",
			"k8s/b.yaml:2: v1 ConfigMap a is already defined at k8s/a.yaml:1"},
		{"same object in two versions", "-- k8s/a.yaml --\nkind: HorizontalPodAutoscaler\napiVersion: autoscaling/v1\nmetadata: {name: a}\n---\nkind: HorizontalPodAutoscaler\napiVersion: autoscaling/v2\nmetadata: {name: a}\n",
			"k8s/a.yaml:5: autoscaling/v2 HorizontalPodAutoscaler a is already defined at k8s/a.yaml:1"},
		{"list without items", "-- k8s/a.yaml --\nkind: List\napiVersion: v1\n", "k8s/a.yaml:1: a List needs items"},
		{"missing directory", "-- other/a.yaml --\nkind: List\n", "k8s: read the manifest set: it does not exist in the repository"},
		{"a chart", "-- k8s/web/Chart.yaml --\nname: web\n-- k8s/web/templates/x.yaml --\n{{ if }}\n", "k8s/web/Chart.yaml: a Helm chart inside a set of plain manifests is not rendered; make it a set of its own"},
		{"data that is not base64", "-- k8s/x.yaml --\nkind: Secret\napiVersion: v1\nmetadata: {name: a}\ndata:\n  p: hunter2!\n", "k8s/x.yaml:5: v1 Secret a: data.p is not base64; plain text belongs in stringData"},
		{"label that is not text", "-- k8s/x.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    tier: 3\n", "k8s/x.yaml:6: v1 ConfigMap a: metadata.labels.tier must be a string; quote it"},
		{"endless alias", "-- k8s/x.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: &d\n  x: *d\n", "contains itself"},
		{"laughs", "-- k8s/x.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "expands to more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := Render(checkout(t, tt.files, "k8s"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			var fault *SourceError
			if !errors.As(err, &fault) {
				t.Errorf("error is a %T, want *SourceError", err)
			}
			if objects != nil {
				t.Errorf("%d objects beside an error", len(objects))
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error repeats a Secret's value")
			}
		})
	}
}

func TestRenderReportsAllFaults(t *testing.T) {
	_, err := Render(checkout(t, `
-- k8s/a.yaml --
kind: ConfigMap
-- k8s/b.yaml --
x: [
-- k8s/c.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {one: "${one}", two: "${two}"}
`, "k8s"))
	if got := strings.Count(err.Error(), "\n") + 1; got != 4 {
		t.Errorf("%d faults, want 4:\n%v", got, err)
	}
}

func TestRenderStaysInside(t *testing.T) {
	src := checkout(t, "-- k8s/a.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", "k8s")
	outside := filepath.Join(t.TempDir(), "out.yaml")
	if err := os.WriteFile(outside, []byte("kind: ConfigMap\napiVersion: v1\nmetadata: {name: out}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(src.Root, "k8s", "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := Render(src); err == nil || !strings.Contains(err.Error(), "k8s/link.yaml: read: the path leaves the repository") {
		t.Errorf("error = %v", err)
	}
	src.Path = "../etc"
	if _, err := Render(src); err == nil || !strings.Contains(err.Error(), "may not contain ..") {
		t.Errorf("error = %v", err)
	}
}

// kubectl's own reading of YAML, sigs.k8s.io/yaml, is the oracle for scalars.
func TestScalarsReadAsKubectlDoes(t *testing.T) {
	for _, s := range []string{
		"yes", "no", "on", "Off", "y", "N", "true", "True", "null", "~", "", "0644", "0o644", "0x1F", "1_000", "1.0", "1.50", "1e3", ".5", "-7",
		"12345678901234567890", "2024-01-01", "2024-01-01T00:00:00Z", "'yes'", `"1"`, "1:30", "!!str 5", "!!binary aGVsbG8=", "|\n  a\n  b\n", ">-\n  a\n  b\n", "@at", "0b11", "1.2.3",
	} {
		if s == "@at" {
			continue // no plain scalar may begin so
		}
		text := "apiVersion: v1\nkind: X\nmetadata: {name: a}\nv: " + s + "\n"
		var want map[string]any
		if err := sigsyaml.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		docs, _ := parse("x.yaml", []byte(text))
		o, faults := docs[0].object(nil)
		if len(faults) > 0 {
			t.Errorf("%s: %v", s, faults[0])
			continue
		}
		got, _ := json.Marshal(o.Object["v"])
		wanted, _ := json.Marshal(want["v"])
		if string(got) != string(wanted) {
			t.Errorf("%s reads as %s, want %s", s, got, wanted)
		}
	}
}
