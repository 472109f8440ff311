package engine

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

// regoOfDocs are the pieces of Rego that docs/policies.md shows, by the name in their first line.
func regoOfDocs(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```rego\n# (\\S+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		all[m[1]] = m[2]
	}
	if n := strings.Count(string(page), "```rego"); len(all) != n || n < 7 {
		t.Fatalf("%d pieces of Rego, %d with a name", n, len(all))
	}
	return all
}

func below(dir string, all map[string]string) Source {
	some := map[string]string{}
	for name, text := range all {
		if name, ok := strings.CutPrefix(name, dir+"/"); ok {
			some[name] = text
		}
	}
	s := files(some)
	s.Dir, s.Required = dir, true
	return s
}

// What the documents show compiles, and its own tests pass.
func TestPoliciesOfTheDocuments(t *testing.T) {
	s := below("policy", regoOfDocs(t))
	r, err := Test(t.Context(), []Source{s}, Options{})
	if err != nil || r.Failed() || len(r.Tests) != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	plan := `{"format_version":"1.2","resource_changes":[
		{"address":"aws_instance.web","type":"aws_instance","change":{"actions":["create"],"before":null,"after":{"tags":{}}}},
		{"address":"aws_db_instance.main","type":"aws_db_instance","change":{"actions":["delete","create"],"before":{},"after":{}}}]}`
	v := judge(t, s, plan, policies.Facts{Unit: "infra/shop"})
	want := said{Deny: []string{"aws_instance.web has no owner"}, Ask: []string{"aws_db_instance.main is destroyed"}}
	if diff := cmp.Diff(want, short(v)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]policies.Need{{Who: "team:dba", Count: 2}}, v.Needs()); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	v = judge(t, s, plan, policies.Facts{Unit: "infra/sandbox"})
	want = said{Ask: want.Ask, Excepted: want.Deny}
	if diff := cmp.Diff(want, short(v)); diff != "" {
		t.Errorf("in the sandbox (-want +got):\n%s", diff)
	}
	scaled := object(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"replicas":1}}`)
	live := object(t, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"replicas":3}}`)
	v = load(t, s).Manifests(t.Context(), []map[string]any{scaled}, ChangeSet{Name: "web", Live: []map[string]any{live}}, policies.Facts{})
	if diff := cmp.Diff(said{Warn: []string{"from 3 to 1 replicas"}}, short(v)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// A policy set of Atlantis', in v0, whose denials are asked about.
func TestDenialsThatAreAskedAbout(t *testing.T) {
	asked := regoOfDocs(t)["databases/asked.rego"]
	for _, s := range []Source{
		files(map[string]string{"asked.rego": asked, "p.rego": "package main\ndeny contains \"no\" if true"}),
		v0(files(map[string]string{"asked.rego": strings.Replace(asked, "package asked", "package asked\n\nimport rego.v1", 1), "p.rego": "package main\ndeny[msg] { msg := \"no\" }"})),
	} {
		s.Namespaces = []string{"asked"}
		v := judge(t, s, emptyPlan, policies.Facts{})
		if diff := cmp.Diff(said{Ask: []string{"no"}}, short(v)); diff != "" {
			t.Errorf("verdict (-want +got):\n%s", diff)
		}
	}
}
