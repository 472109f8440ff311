package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

// everything says all of what a policy can see.
const everything = `package main

deny contains json.marshal(input)

deny_data contains json.marshal(data.mooring)
`

// secretPlan has the canary wherever Terraform has a place for what is sensitive; what is open is PLAIN.
const secretPlan = `{
  "format_version": "1.2",
  "variables": {
    "password": {"value": "canary-in-variable"},
    "undeclared": {"value": "canary-undeclared"},
    "region": {"value": "PLAIN-region"},
    "copied": {"value": "prefix canary-in-after suffix"}
  },
  "resource_changes": [{
    "address": "aws_db_instance.a", "type": "aws_db_instance",
    "change": {
      "actions": ["update"],
      "before": {"password": "canary-in-before", "name": "PLAIN-name", "tags": {"a": "canary-in-tag", "b": "PLAIN-tag"}, "gone": null},
      "after": {"password": "canary-in-after", "list": ["PLAIN-first", {"x": "canary-in-list"}], "odd": "canary-odd", "all": {"deep": ["canary-deep"]}},
      "before_sensitive": {"password": true, "tags": {"a": true}, "gone": true},
      "after_sensitive": {"password": true, "list": [false, {"x": true}], "odd": {"x": true}, "all": true}
    }
  }, {
    "address": "tls_private_key.k", "type": "tls_private_key",
    "change": {"actions": ["create"], "before": null, "after": {"private_key_pem": "canary-whole"}, "before_sensitive": false, "after_sensitive": true}
  }],
  "resource_drift": [{"address": "a.b", "change": {"actions": ["update"], "before": {"x": "canary-drift"}, "after": {"x": "canary-drift-2"}, "before_sensitive": {"x": true}, "after_sensitive": {"x": true}}}],
  "deferred_changes": [{"reason": "unknown", "resource_change": {"address": "c.d", "change": {"actions": ["create"], "before": null, "after": {"x": "canary-deferred"}, "after_sensitive": {"x": true}}}}],
  "output_changes": {"out": {"actions": ["create"], "before": "canary-out", "after": {"x": "canary-out-2"}, "before_sensitive": true, "after_sensitive": true}, "open": {"actions": ["create"], "before": null, "after": "PLAIN-out", "before_sensitive": false, "after_sensitive": false}},
  "planned_values": {
    "outputs": {"out": {"sensitive": true, "value": {"x": "canary-planned-out"}}, "open": {"sensitive": false, "value": "PLAIN-planned"}},
    "root_module": {
      "resources": [{"address": "a.b", "values": {"x": "canary-planned", "y": "PLAIN-y"}, "sensitive_values": {"x": true}}],
      "child_modules": [{"resources": [{"address": "module.m.a.b", "values": {"x": {"y": "canary-child"}}, "sensitive_values": {"x": true}}]}]
    }
  },
  "prior_state": {"values": {
    "outputs": {"out": {"sensitive": true, "value": "canary-prior-out"}},
    "root_module": {"resources": [{"address": "a.b", "values": {"x": ["canary-prior"]}, "sensitive_values": {"x": [true]}}]}
  }},
  "action_invocations": [{"address": "action.a", "config_values": {"x": "canary-action"}, "config_sensitive": {"x": true}}],
  "configuration": {
    "provider_config": {"aws": {"expressions": {"region": {"constant_value": "PLAIN-eu"}, "token": {"constant_value": "canary-in-variable"}}}},
    "root_module": {
      "variables": {"password": {"sensitive": true, "default": "canary-default"}, "region": {"default": "PLAIN-default"}, "copied": {}},
      "outputs": {"out": {"sensitive": true, "expression": {"constant_value": "canary-out-constant"}}},
      "resources": [{"address": "aws_db_instance.a", "expressions": {"password": {"constant_value": "canary-in-after"}, "url": {"constant_value": "https://u:canary-in-after@db"}, "nested": [{"x": {"constant_value": "canary-in-list"}}], "name": {"constant_value": "PLAIN-constant"}}}],
      "module_calls": {"m": {
        "expressions": {"secret": {"constant_value": "canary-argument"}, "open": {"constant_value": "PLAIN-argument"}},
        "module": {"variables": {"secret": {"sensitive": true, "default": "canary-module-default"}, "open": {}}}
      }}
    }
  }
}`

func TestNoCanaryReachesAPolicy(t *testing.T) {
	v := judge(t, one(everything), secretPlan, policies.Facts{Unit: "infra/db"})
	said := fmt.Sprintf("%+v", v)
	for _, word := range strings.FieldsFunc(said, func(r rune) bool { return strings.ContainsRune(`"\{}[]:, @`, r) }) {
		if strings.HasPrefix(word, "canary") {
			t.Errorf("%s got through", word)
		}
	}
	for _, open := range []string{
		"region", "name", "tag", "first", "out", "planned", "y", "eu", "default", "constant", "argument",
	} {
		if !strings.Contains(said, "PLAIN-"+open) {
			t.Errorf("PLAIN-%s was masked", open)
		}
	}
	if !strings.Contains(said, `\"gone\":null`) && !strings.Contains(said, `"gone":null`) {
		t.Error("that there is no value was masked")
	}
}

// Policies that read little get little, and no more of what is sensitive.
func TestOnlyWhatIsReadIsThere(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{`deny contains sprintf("%v", [input.variables])`, "PLAIN-region"},
		{`deny contains sprintf("%v", [input.configuration.root_module])`, "PLAIN-constant"},
		{`deny contains sprintf("%v", [input["resource_changes"]])`, "PLAIN-name"},
		{`section := "planned_values"` + "\n" + `deny contains sprintf("%v", [input[section]])`, "PLAIN-planned"},
		{`deny contains sprintf("%v", [object.get(input, "output_changes", "")])`, "PLAIN-out"},
		{`deny contains sprintf("%v", [[v | walk(input, [_, v]); is_string(v)]])`, "PLAIN-tag"},
		{`deny contains sprintf("%v", [f(input)])` + "\n" + `f(x) := x.output_changes`, "PLAIN-out"},
		{`deny contains sprintf("%v", [x]) if { x := input.output_changes with input.terraform_version as "9" }`, "PLAIN-out"},
	} {
		v := judge(t, one("package main\n"+tt.rule), secretPlan, policies.Facts{})
		said := fmt.Sprintf("%+v", v.Findings)
		if !strings.Contains(said, tt.want) || strings.Contains(said, "canary") {
			t.Errorf("%s said\n%s\nwant %s in it, and no canary", tt.rule, said, tt.want)
		}
	}
}

func TestMarks(t *testing.T) {
	tests := []struct {
		name              string
		value, mark, want any
	}{
		{"true", "x", true, Sensitive},
		{"false", "x", false, "x"},
		{"none", "x", nil, "x"},
		{"of nothing", nil, true, nil},
		{"an empty object", map[string]any{"a": "x"}, map[string]any{}, map[string]any{"a": "x"}},
		{"an object for a text", "x", map[string]any{"a": true}, Sensitive},
		{"an object that marks nothing, for a text", "x", map[string]any{"a": false}, "x"},
		{"more marks than members", []any{"x"}, []any{false, true}, Sensitive},
		{"fewer marks than members", []any{"x", "y"}, []any{true}, []any{Sensitive, "y"}},
		{"a list for an object", map[string]any{"a": "x"}, []any{true}, Sensitive},
		{"what is no mark", "x", "true", Sensitive},
		{"a member that is not there", map[string]any{"a": "x"}, map[string]any{"b": true}, map[string]any{"a": "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &masker{secrets: map[string]bool{}}
			if diff := cmp.Diff(tt.want, m.mask(tt.value, tt.mark)); diff != "" {
				t.Errorf("masked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoSecretReachesAPolicy(t *testing.T) {
	secret := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"n","labels":{"l":"PLAIN-label"},"annotations":{
		"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"k\":\"canary-annotation\"}}"}},
		"type":"PLAIN-type","data":{"PLAIN-key":"canary-data"},"stringData":{"k":"canary-string"}}`
	list := `{"apiVersion":"v1","kind":"SecretList","metadata":{"name":"l"},"items":[` + secret + `]}`
	strange := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"strange"},"data":"canary-text"}`
	all := []map[string]any{object(t, secret), object(t, list), object(t, strange)}
	changes := ChangeSet{
		Name: "web", Live: all,
		Changes: []Change{{Verb: "configure", Ref: "r", Object: object(t, secret), Live: object(t, secret)}, {Verb: "prune", Ref: "q", Live: object(t, strange)}},
	}
	e := load(t, one(everything+"\ndeny_set contains json.marshal(input) if input.kind == \"ChangeSet\""))
	said := fmt.Sprintf("%+v", e.Manifests(t.Context(), all, changes, policies.Facts{}))
	if strings.Contains(said, "canary") {
		t.Errorf("a canary got through:\n%s", said)
	}
	for _, open := range []string{"PLAIN-label", "PLAIN-type", "PLAIN-key", `prune`} {
		if !strings.Contains(said, open) {
			t.Errorf("%s was masked", open)
		}
	}
	if data := all[0]["data"].(map[string]any); data["PLAIN-key"] != "canary-data" {
		t.Error("the object itself was changed")
	}
}
