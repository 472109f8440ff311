package workspace

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func outputsOf(units map[string]map[string]Output) Outputs {
	return func(id string) (map[string]Output, bool) {
		o, ok := units[id]
		return o, ok
	}
}

func plain(raw string) Output  { return Output{JSON: json.RawMessage(raw)} }
func secret(raw string) Output { return Output{JSON: json.RawMessage(raw), Sensitive: true} }

// inputs writes inputs as "name=json" with (sensitive) and (unknown) behind, sorted.
func inputs(in map[string]Value) string {
	var out []string
	for name, v := range in {
		s := name + "=" + string(v.JSON)
		if v.Unknown {
			s += "(unknown)"
		}
		if v.Sensitive {
			s += "(sensitive)"
		}
		out = append(out, s)
	}
	return strings.Join(sortedUnique(out), " ")
}

func TestInputsFromOutputs(t *testing.T) {
	known := map[string]map[string]Output{
		"up": {"host": plain(`"db.local"`), "port": plain(`5432`), "password": secret(`"s3cr3t"`),
			"zones":  {JSON: json.RawMessage(`["a","b"]`), Type: json.RawMessage(`["list","string"]`)},
			"tags":   {JSON: json.RawMessage(`{"a":"1"}`), Type: json.RawMessage(`["map","string"]`)},
			"secret": {JSON: json.RawMessage(`{"user":"u"}`), Type: json.RawMessage(`["object",{"user":"string"}]`), Sensitive: true},
			"none":   {JSON: json.RawMessage(`null`), Type: json.RawMessage(`"string"`)},
			"big":    plain(`12345678901234567890`)},
	}
	cases := []struct {
		name, values string
		outputs      map[string]map[string]Output
		want         string
	}{
		{"constants", `{ a = "x", n = 2, list = ["a"] }`, nil, `a="x" list=["a"] n=2`},
		{"a reference", `{ a = workspace.up.outputs.host }`, known, `a="db.local"`},
		{"types stay", `{ p = workspace.up.outputs.port, z = workspace.up.outputs.zones, t = workspace.up.outputs.tags }`, known, `p=5432 t={"a":"1"} z=["a","b"]`},
		{"large numbers stay exact", `{ n = workspace.up.outputs.big }`, known, `n=12345678901234567890`},
		{"a template", `{ url = "postgres://${workspace.up.outputs.host}:${workspace.up.outputs.port}" }`, known, `url="postgres://db.local:5432"`},
		{"null", `{ n = workspace.up.outputs.none }`, known, `n=null`},
		{"sensitive", `{ p = workspace.up.outputs.password, h = workspace.up.outputs.host }`, known, `h="db.local" p="s3cr3t"(sensitive)`},
		{"sensitive through a template", `{ url = "x:${workspace.up.outputs.password}@y" }`, known, `url="x:s3cr3t@y"(sensitive)`},
		{"sensitive through functions", `{ a = upper(workspace.up.outputs.password), b = base64encode(workspace.up.outputs.password), c = jsonencode({ p = workspace.up.outputs.password }) }`, known,
			`a="S3CR3T"(sensitive) b="czNjcjN0"(sensitive) c="{\"p\":\"s3cr3t\"}"(sensitive)`},
		{"sensitive through a condition", `{ a = workspace.up.outputs.password == "x" ? 1 : 2 }`, known, `a=2(sensitive)`},
		{"sensitive through an attribute", `{ a = workspace.up.outputs.secret.user }`, known, `a="u"(sensitive)`},
		{"sensitive inside a list", `{ a = [1, workspace.up.outputs.password] }`, known, `a=[1,"s3cr3t"](sensitive)`},
		{"sensitive through length", `{ a = length(workspace.up.outputs.secret) }`, known, `a=1(sensitive)`},
		{"sensitive by merge", `merge({ a = 1 }, workspace.up.outputs.secret)`, known, `a=1(sensitive) user="u"(sensitive)`},
		{"sensitive by hand", `{ a = sensitive(workspace.up.outputs.host) }`, known, `a="db.local"(sensitive)`},
		{"not applied yet", `{ a = workspace.up.outputs.host, b = 1, c = "x-${workspace.up.outputs.host}" }`, nil, `a=(unknown) b=1 c=(unknown)`},
		{"a fallback", `{ a = try(workspace.up.outputs.later, "none") }`, known, `a="none"`},
		{"all outputs", `{ n = workspace.up.outputs.tags["a"], k = length(keys(workspace.up.outputs)) }`, known, `k=8 n="1"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := scanArchive(t, `
-- mooring.hcl --
workspace "up" { dir = "up" }
manifests "m" {
  path   = "k8s"
  values = `+c.values+`
}
-- up/main.tf --
output "host" { value = 1 }
output "port" { value = 1 }
output "password" { value = 1 }
output "zones" { value = 1 }
output "tags" { value = 1 }
output "secret" { value = 1 }
output "none" { value = 1 }
output "big" { value = 1 }
output "later" { value = 1 }
-- k8s/x.yaml --
x: 1
`)
			got, err := g.Unit("m").Inputs(outputsOf(c.outputs))
			if err != nil {
				t.Fatal(err)
			}
			if inputs(got) != c.want {
				t.Errorf("\n got %s\nwant %s", inputs(got), c.want)
			}
		})
	}
}

const downstream = `
-- mooring.hcl --
workspace "up" { dir = "up" }
workspace "down" {
  dir = "down"
  variables = {
    host = workspace.up.outputs.host
  }
}
workspace "whole" {
  dir = "whole"
  variables = workspace.up.outputs
}
workspace "wrong" {
  dir = "wrong"
  variables = [workspace.up.outputs.host]
}
manifests "k" {
  path       = "k"
  kubeconfig = workspace.up.outputs.host
}
-- up/main.tf --
output "host" { value = 1 }
-- down/main.tf --
-- whole/main.tf --
-- wrong/main.tf --
-- k/x.yaml --
x: 1
`

func TestAMissingOutputIsNamed(t *testing.T) {
	g := scanArchive(t, downstream)
	_, err := g.Unit("down").Inputs(outputsOf(map[string]map[string]Output{"up": {"other": plain(`1`)}}))
	var missing *MissingOutputError
	if !errors.As(err, &missing) || *missing != (MissingOutputError{"up", "host", "mooring.hcl", 5}) {
		t.Errorf("got %v", err)
	}
}

func TestInputsThatAreNotKnownAsAWhole(t *testing.T) {
	g := scanArchive(t, downstream)
	if _, err := g.Unit("whole").Inputs(outputsOf(nil)); !errors.Is(err, ErrInputsUnknown) {
		t.Errorf("got %v", err)
	}
	got, err := g.Unit("whole").Inputs(outputsOf(map[string]map[string]Output{"up": {"a": plain(`1`), "b": secret(`2`)}}))
	if err != nil || inputs(got) != "a=1 b=2(sensitive)" {
		t.Errorf("%s, %v", inputs(got), err)
	}
}

func TestErrorsOfInputsNeverShowValues(t *testing.T) {
	g := scanArchive(t, downstream)
	_, err := g.Unit("wrong").Inputs(outputsOf(map[string]map[string]Output{"up": {"host": secret(`"hunter2"`)}}))
	var broken *ConfigError
	if !errors.As(err, &broken) {
		t.Fatalf("got %v", err)
	}
	var b strings.Builder
	_ = broken.Print(&b, 0, false)
	if strings.Contains(b.String()+err.Error(), "hunter2") || !strings.Contains(err.Error(), "variables must be a map") {
		t.Errorf("%v\n%s", err, b.String())
	}
	_, err = g.Unit("down").Inputs(outputsOf(map[string]map[string]Output{"up": {"host": {JSON: json.RawMessage(`"hunter2"`), Type: json.RawMessage(`"number"`)}}}))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestAKubeconfigIsAlwaysSensitive(t *testing.T) {
	g := scanArchive(t, downstream)
	v, err := g.Unit("k").KubeconfigFrom(outputsOf(map[string]map[string]Output{"up": {"host": plain(`"kind: Config"`)}}))
	if err != nil || string(v.JSON) != `"kind: Config"` || !v.Sensitive || v.Unknown {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := g.Unit("k").KubeconfigFrom(outputsOf(nil)); err != nil || !v.Unknown {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := g.Unit("k").KubeconfigFrom(outputsOf(map[string]map[string]Output{"up": {"host": plain(`3`)}})); err == nil {
		t.Error("a number passed as a kubeconfig")
	}
	if _, err := g.Unit("up").KubeconfigFrom(outputsOf(nil)); err == nil {
		t.Error("a workspace has a kubeconfig")
	}
}

func TestUnitsWithoutInputs(t *testing.T) {
	g := scanArchive(t, "-- a/main.tf --\n-- k8s/x.yaml --\nx: 1\n")
	for _, u := range g.Units {
		if in, err := u.Inputs(outputsOf(nil)); err != nil || len(in) != 0 {
			t.Errorf("%s: %v, %v", u.ID, in, err)
		}
	}
}
