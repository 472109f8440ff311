package edit

import (
	"strings"
	"testing"
)

const deployment = `# The settings.
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: web}
data:
  level: info # for now
  a.conf: |
    x = 1
  "on": 'it''s'
  "größe": "20"  # Ä
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  replicas: 2   # two
  paused: false
  template:
    spec:
      containers:
      - name: log
        image: log:1
      - name: web
        image: "web:1" # pinned
        ports: [{containerPort: 80}, {containerPort: 443}]
      extra: &x same
      again: *x
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {a: b}
`

func TestScalarsOfManifestsAreWritten(t *testing.T) {
	const api, settings = "apps/v1 Deployment web/api", "v1 ConfigMap web/settings"
	for _, c := range []struct {
		object, path string
		old, now     any
		from, to     string // in the file
		why          string
	}{
		{object: api, path: "spec.replicas", old: 2.0, now: 5.0, from: "replicas: 2   # two", to: "replicas: 5   # two"},
		{object: api, path: "spec.paused", old: false, now: true, from: "paused: false", to: "paused: true"},
		{object: api, path: "spec.template.spec.containers[name=web].image", old: "web:1", now: "web:2", from: `"web:1" # pinned`, to: `"web:2" # pinned`},
		{object: api, path: "spec.template.spec.containers[name=log].image", old: "log:1", now: "yes", from: "image: log:1", to: `image: "yes"`},
		{object: api, path: "spec.template.spec.containers[1].ports[containerPort=443].containerPort", old: 443.0, now: 8443.0, from: "{containerPort: 443}", to: "{containerPort: 8443}"},
		{object: settings, path: "data.level", old: "info", now: "#: {a}\n---\nb", from: "info # for now", to: `"#: {a}\n---\nb" # for now`},
		{object: settings, path: "data.on", old: "it's", now: "it's 'ours'", from: `'it''s'`, to: `'it''s ''ours'''`},
		{object: settings, path: `data["größe"]`, old: "20", now: "30", from: `"20"  # Ä`, to: `"30"  # Ä`},
		{object: settings, path: "data.level", old: "info", now: "8", from: "info # for now", to: `"8" # for now`},

		{object: settings, path: `data["a.conf"]`, old: "x = 1\n", now: "x = 2\n", why: "it is written as a block of text"},
		{object: settings, path: "data.none", old: "a", now: "b", why: "the file does not set it"},
		{object: settings, path: "data", old: map[string]any{}, now: map[string]any{"a": "b"}, why: "it is no single value in the file"},
		{object: api, path: "spec.replicas", old: "2", now: "5", why: "the file says something else than what was applied"},
		{object: api, path: "spec.replicas", old: 1.0, now: 2.0, why: "the file says so already"},
		{object: api, path: "spec.replicas", old: 2.0, now: nil, why: "live it is no single value"},
		{object: api, path: "spec.template.spec.again", old: "same", now: "other", why: "the file has it in several places, by an alias"},
		{object: api, path: "spec.template.spec.extra", old: "same", now: "other", why: "the file has it in several places, by an alias"},
		{object: "v1 Secret web/key", path: "stringData.a", old: "b", now: "c", why: "the values of a Secret are written into no file"},
		{object: "v1 ConfigMap other/settings", path: "data.level", old: "info", now: "b", why: "no plain manifest holds it"},
		{object: "nonsense", path: "a", old: "info", now: "b", why: "its name cannot be read"},
	} {
		path, err := ParsePath(c.path)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{"apps/all.yaml": []byte(deployment), "apps/broken.yaml": []byte("{{ helm }}: [")}
		edited, done, refused := Manifests(files, []Change{{Address: c.object, Path: path, Old: c.old, New: c.now}})
		if string(files["apps/all.yaml"]) != deployment {
			t.Fatal("the given file was written into")
		}
		if c.why != "" {
			if len(edited) != 0 || len(done) != 0 || len(refused) != 1 || refused[0].Why != c.why {
				t.Errorf("%s %s: %+v, want %q", c.object, c.path, refused, c.why)
			}
			continue
		}
		want := strings.Replace(deployment, c.from, c.to, 1)
		if got := string(edited["apps/all.yaml"]); got != want || len(done) != 1 || want == deployment {
			t.Errorf("%s %s: %+v\n%s", c.object, c.path, refused, got)
		}
	}
}

func TestAManifestThatMayBeOneOfTwoIsLeft(t *testing.T) {
	one := []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: b}\n")
	c := Change{Address: "v1 ConfigMap web/a", Path: []any{"data", "x"}, Old: "b", New: "c"}
	if _, _, refused := Manifests(map[string][]byte{"a.yaml": one, "b.yaml": one}, []Change{c}); len(refused) != 1 || refused[0].Why != "2 manifests may be meant" {
		t.Errorf("%+v", refused)
	}
	c.Deleted = true
	if _, _, refused := Manifests(map[string][]byte{"a.yaml": one}, []Change{c}); len(refused) != 1 || !strings.HasPrefix(refused[0].Why, "it was deleted") {
		t.Errorf("%+v", refused)
	}
}
