package k8s

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const schemaOfThing = `{"components": {"schemas": {
 "thing": {"type": "object", "required": ["spec"], "x-kubernetes-group-version-kind": [{"group": "x", "version": "v1", "kind": "Thing"}],
  "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
   "spec": {"default": {}, "allOf": [{"$ref": "#/components/schemas/spec"}]}}},
 "spec": {"type": "object", "required": ["name", "mode"], "properties": {
   "name": {"type": "string"}, "mode": {"type": "string", "enum": ["a", "b"], "default": "a"}, "count": {"type": "integer"}, "ratio": {"type": "number"},
   "live": {"type": "boolean"}, "port": {"oneOf": [{"type": "string"}, {"type": "integer"}]}, "size": {"x-kubernetes-int-or-string": true},
   "labels": {"type": "object", "additionalProperties": {"type": "string"}}, "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
   "list": {"type": "array", "items": {"$ref": "#/components/schemas/spec"}}}}}}}`

func TestValidate(t *testing.T) {
	doc, err := parseSchemas([]byte(schemaOfThing), "x", "v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, spec, want string }{
		{"good", "{name: x, count: 1, ratio: 1, live: true, port: 80, size: 1Gi, labels: {a: b}, free: {any: [1]}, list: [{name: q}]}", ""},
		{"null is absent", "{name: x, count: null}", ""},
		{"whole fraction", "{name: x, count: 2.0}", ""},
		{"missing", "{}", "spec.name: required, and missing"},
		{"wrong type", "{name: 5}", "spec.name: must be of type string, not integer 5"},
		{"fraction for integer", "{name: x, count: 1.5}", "spec.count: must be of type integer, not number 1.5"},
		{"text for boolean", "{name: x, live: 'true'}", `spec.live: must be of type boolean, not string "true"`},
		{"list for either", "{name: x, port: [80]}", "spec.port: must be of type integer or string, not array"},
		{"enum", "{name: x, mode: c}", `spec.mode: must be one of a, b, not "c"`},
		{"map values", "{name: x, labels: {a: 1}}", "spec.labels.a: must be of type string, not integer 1"},
		{"unknown", "{name: x, Count: 1}", "spec.Count: unknown field; is count meant?"},
		{"in a list", "{name: x, list: [{name: q}, {nam: z}]}", "spec.list[1].nam: unknown field; is name meant?\nspec.list[1].name: required, and missing"},
		{"mapping for list", "{name: x, list: {a: b}}", "spec.list: must be of type array, not object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			docs, _ := parse("a.yaml", []byte("apiVersion: x/v1\nkind: Thing\nmetadata: {name: a}\nspec: "+tt.spec+"\n"))
			o, faults := docs[0].object(nil)
			if len(faults) > 0 {
				t.Fatal(faults[0])
			}
			var got []string
			for _, f := range doc.validate(o, false) {
				got = append(got, f.Path+": "+f.Message)
				if f.Line != 4 {
					t.Errorf("line %d, want 4", f.Line)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
