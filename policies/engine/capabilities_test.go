package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/mooring-iac/mooring/policies"
)

// What reaches out of the engine is refused when policies are loaded, with the line.
func TestFunctionsThatAreRefused(t *testing.T) {
	tests := []struct{ call, why string }{
		{`http.send({"method": "get", "url": "https://example.com"}).status_code == 200`, "network"},
		{`net.lookup_ip_addr("example.com")[_]`, "network"},
		{`opa.runtime().env.HOME`, "environment"},
		{`json.match_schema({}, {"$ref": "file:///etc/passwd"})[0]`, "files of the server"},
		{`json.verify_schema({"$ref": "file:///etc/passwd"})[0]`, "files of the server"},
		{`parse_config("hcl2", "")`, "Conftest's tests"},
		{`some.thing.other()`, "undefined function some.thing.other"},
	}
	for _, tt := range tests {
		for _, text := range []string{
			"package main\n\ndeny contains \"x\" if {\n\t" + tt.call + "\n}\n",
			"package main\n\nhidden := x if {\n\tx := [1 | " + tt.call + "]\n}\n",
		} {
			s := one(text)
			s.Dir = "policy"
			_, err := Load(t.Context(), []Source{s}, Options{})
			if err == nil || !strings.Contains(err.Error(), "policy/p.rego:4: ") || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%s: error %v; want line 4 and %q", tt.call, err, tt.why)
			}
		}
	}
	// Not by another name either.
	for _, text := range []string{
		"package main\ndeny contains \"x\" if { f with count as http.send }\nf if count([1])",
		"package main\ndeny contains \"x\" if { f with count as opa.runtime }\nf if count([1])",
	} {
		if _, err := Load(t.Context(), []Source{one(text)}, Options{}); err == nil {
			t.Errorf("loaded: %s", text)
		}
	}
}

// Every function that OPA has is either allowed or refused by name. A new OPA fails here until somebody has read what
// its new functions reach.
func TestEveryFunctionOfOPAWasRead(t *testing.T) {
	allowed := strings.Fields(builtins)
	if !slices.IsSorted(allowed) {
		t.Error("builtins.txt is not sorted")
	}
	for _, b := range ast.Builtins {
		_, no := refused[b.Name]
		if yes := slices.Contains(allowed, b.Name); yes == no {
			t.Errorf("%s: allowed %v, refused %v", b.Name, yes, no)
		}
	}
	for _, name := range []string{"http.send", "net.lookup_ip_addr", "opa.runtime"} {
		if refused[name] == "" {
			t.Errorf("%s is not refused", name)
		}
	}
	for _, c := range []*ast.Capabilities{capabilities(ast.RegoV0), capabilities(ast.RegoV1)} {
		if c.AllowNet == nil || len(c.AllowNet) > 0 {
			t.Errorf("hosts %v are allowed; want none", c.AllowNet)
		}
	}
}

// Annotations with schemas may name files and hosts; they are not followed.
func TestSchemasOfAnnotationsAreNotRead(t *testing.T) {
	s := one("package main\n\n# METADATA\n# schemas:\n#   - input: {\"$ref\": \"file:///etc/passwd\"}\ndeny contains \"x\" if input.root")
	if v := judge(t, s, emptyPlan, policies.Facts{}); len(v.Findings) > 0 {
		t.Errorf("%+v", v.Findings)
	}
}

// What a policy prints goes nowhere.
func TestPrintingIsSilent(t *testing.T) {
	v := judge(t, one("package main\ndeny contains \"x\" if { print(input); print(data.mooring); false }"), emptyPlan, policies.Facts{})
	if len(v.Findings) > 0 {
		t.Errorf("%+v", v.Findings)
	}
}
