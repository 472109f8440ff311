package k8s

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n+/=x\n-----END CERTIFICATE-----\n"

var testValues = map[string]Value{
	"host": value("db.example.com"), "port": value(5432), "ha": value(true), "ratio": value(0.5), "nothing": {JSON: []byte("null")},
	"zones": value([]string{"a", "b"}), "limits": value(map[string]any{"cpu": "1", "n": 2}), "pem": value(pem),
	"tricky": value("${host} $${x} \"quoted\": {a: b}\n# no comment"), "password": sensitive("hunter2"), "later": {Unknown: true}, "empty": value(""),
	"b64": sensitive("aHVudGVyMg=="), "db-host": value("dash"),
}

// substituted renders one ConfigMap-like object with v as field spec and returns spec as JSON.
func substituted(t *testing.T, head, v string) (string, error) {
	t.Helper()
	src := checkout(t, "-- k8s/a.yaml --\n"+head+"spec: "+v+"\n", "k8s")
	src.Values = testValues
	objects, err := Render(src)
	if err != nil {
		return "", err
	}
	out, _ := json.Marshal(objects[0].Object["spec"])
	return string(out), nil
}

const plainHead = "apiVersion: x.example.com/v1\nkind: Thing\nmetadata: {name: a}\n"

func TestSubstitute(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"string", `${host}`, `"db.example.com"`},
		{"number", `${port}`, `5432`},
		{"fraction", `${ratio}`, `0.5`},
		{"boolean", `${ha}`, `true`},
		{"list", `${zones}`, `["a","b"]`},
		{"object", `${limits}`, `{"cpu":"1","n":2}`},
		{"list in quotes", `"${zones}"`, `["a","b"]`},
		{"number in quotes is text", `"${port}"`, `"5432"`},
		{"boolean in quotes is text", `'${ha}'`, `"true"`},
		{"embedded string", `postgres://${host}:${port}/x`, `"postgres://db.example.com:5432/x"`},
		{"embedded boolean", `ha=${ha}`, `"ha=true"`},
		{"empty string", `${empty}`, `""`},
		{"name with a dash", `${db-host}`, `"dash"`},
		{"list item", "[\"${host}\", b]", `["db.example.com","b"]`},
		{"multi-line value", `${pem}`, mustJSON(pem)},
		{"multi-line value in a block", "|\n  ${pem}", mustJSON(pem + "\n")},
		{"one pass", `${tricky}`, mustJSON("${host} $${x} \"quoted\": {a: b}\n# no comment")},
		{"one pass, embedded", `a ${tricky}`, mustJSON("a ${host} $${x} \"quoted\": {a: b}\n# no comment")},
		{"escape", `$${host}`, `"${host}"`},
		{"escape inside", `a $${host} ${host}`, `"a ${host} db.example.com"`},
		{"dollar before escape", `$$${host}`, `"$${host}"`},
		{"shell forms", "|\n  $HOME ${HOME:-x} ${1} $(date) ${#a} ${a[0]} $$ ${ } ${}", mustJSON("$HOME ${HOME:-x} ${1} $(date) ${#a} ${a[0]} $$ ${ } ${}\n")},
		{"keys are left alone", "{\"${host}\": 1}", `{"${host}":1}`},
		{"comments are left alone", "1 # ${unknown}", `1`},
		{"anchors", "{a: &x \"${host}\", b: *x}", `{"a":"db.example.com","b":"db.example.com"}`},
		{"merge keys", "{a: &x {h: \"${host}\", i: 1}, b: {<<: *x, i: 2}}", `{"a":{"h":"db.example.com","i":1},"b":{"h":"db.example.com","i":2}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := substituted(t, plainHead, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func mustJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestSubstituteErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"unknown name", `${nope}`, "k8s/a.yaml:4: unknown ${nope}: the set's values do not declare it; declare it, write $${nope} for the text itself"},
		{"in a block", "|\n  one\n  two ${nope}\n", "k8s/a.yaml:6: unknown ${nope}"},
		{"null", `${nothing}`, "k8s/a.yaml:4: ${nothing} is null"},
		{"not known yet", `a ${later}`, "k8s/a.yaml:4: ${later} is known only after apply"},
		{"embedded list", `a ${zones}`, "${zones} is a list and cannot stand inside a longer text"},
		{"embedded object", `a ${limits}`, "${limits} is an object and cannot stand inside a longer text"},
		{"sensitive outside a Secret", `{x: "${password}"}`, "${password} is sensitive and may stand only in data or stringData of a Secret, not at spec.x of a Thing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := substituted(t, plainHead, tt.in)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error repeats a sensitive value")
			}
			if tt.name == "not known yet" && !errors.Is(err, ErrUnknownValue) {
				t.Error("the error does not wrap ErrUnknownValue")
			}
		})
	}
}

func TestSubstituteOff(t *testing.T) {
	for name, head := range map[string]string{
		"CRD":        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n",
		"annotation": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {mooring.dev/substitute: disabled}}\n",
	} {
		got, err := substituted(t, head, `"${host} $${x}"`)
		if err != nil || got != `"${host} $${x}"` {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestSubstituteInTextPlaces(t *testing.T) {
	src := checkout(t, `
-- k8s/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {port: "${port}"}, annotations: {a: !!str "${ha}"}}
data:
  port: ${port}
  ha: ${ha}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData:
  password: ${password}
  url: postgres://x:${password}@${host}
data:
  b64: ${b64}
-- k8s/b.json --
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": "${port}"}}
`, "k8s")
	src.Values = testValues
	objects, err := Render(src)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"port": "5432", "ha": "true"}, objects[0].Object["data"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"password": "hunter2", "url": "postgres://x:hunter2@db.example.com"}, objects[1].Object["stringData"]); diff != "" {
		t.Error(diff)
	}
	if !objects[1].sensitive || objects[0].sensitive {
		t.Error("which object is sensitive was not noted")
	}
	if got := objects[2].Object["spec"].(map[string]any)["replicas"]; got != int64(5432) {
		t.Errorf("JSON: replicas = %v (%T)", got, got)
	}
}

func TestPlaceholders(t *testing.T) {
	found, err := Placeholders(checkout(t, `
-- k8s/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  a: ${one} and ${two}
  b: |
    text
    ${three} $${four} ${VAR:-x}
`, "k8s"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Placeholder{{"one", "k8s/a.yaml", 5}, {"two", "k8s/a.yaml", 5}, {"three", "k8s/a.yaml", 8}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
}

func FuzzSubstitute(f *testing.F) {
	for _, s := range []string{"${host}", "$${host}", "a ${port} $$${ha}", "${", "$", "${a b}", "${zones}", "x${limits}", "${tricky}", "$$$$${host}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		docs, _ := parse("a.json", []byte(`{"apiVersion":"v1","kind":"Thing","metadata":{"name":"a"},"spec":`+mustJSON(s)+`}`))
		o, faults := docs[0].object(testValues)
		var clean string
		_ = json.Unmarshal([]byte(mustJSON(s)), &clean) // what JSON can carry of s
		if !placeholder.MatchString(clean) {
			if len(faults) > 0 || o.Object["spec"] != clean {
				t.Fatalf("%q has no placeholder and became %v (%v)", clean, o.Object["spec"], faults)
			}
		}
		for _, fault := range faults {
			if strings.Contains(fault.Message, "hunter2") {
				t.Fatalf("a fault repeats a sensitive value: %s", fault)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "kind: List\nitems: []\n", "a: &a [*a]\n", "? [x]\n: y\n", "<<: {a: 1}\n", "---\n---\n", "{\"a\": 1}", "!!binary x", "- a\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"a.yaml", "a.json"} {
			docs, _ := parse(name, data)
			for _, d := range docs {
				o, faults := d.object(nil)
				if (o.Unstructured == nil) != (len(faults) > 0) {
					t.Fatalf("object %v beside faults %v", o.Unstructured, faults)
				}
				if o.Unstructured != nil {
					if _, err := json.Marshal(o.Object); err != nil {
						t.Fatalf("cannot be sent: %v", err)
					}
					o.DeepCopy() // panics on a type that JSON has not
				}
			}
		}
	})
}
