package engine

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

// said is a verdict in short: the messages of each kind, in the order in which they are shown.
type said struct {
	Deny, Ask, Warn, Excepted []string
}

func short(v policies.Verdict) said {
	var s said
	for _, f := range v.Findings {
		switch f.Effect {
		case policies.Ask:
			s.Ask = append(s.Ask, f.Message)
		case policies.Warn:
			s.Warn = append(s.Warn, f.Message)
		default:
			s.Deny = append(s.Deny, f.Message)
		}
	}
	for _, f := range v.Excepted {
		s.Excepted = append(s.Excepted, f.Message)
	}
	return s
}

// files makes a source of files.
func files(all map[string]string) Source {
	m := fstest.MapFS{}
	for name, text := range all {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Source{Name: "test", Files: m}
}

// one makes a source of one policy in the syntax of today.
func one(text string) Source { return files(map[string]string{"p.rego": text}) }

func load(t testing.TB, all ...Source) *Engine {
	t.Helper()
	e, err := Load(t.Context(), all, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

const (
	deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"hello"},"spec":{"replicas":1,"template":{"spec":{"containers":[{"image":"nginx:latest","name":"web"}]}}}}`
	asRoot     = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"can-run-as-root"},"spec":{"template":{"spec":{}}}}`
	nonRoot    = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"hello"},"spec":{"selector":{"matchLabels":{"app":"hello"}},"template":{"spec":{"securityContext":{"runAsNonRoot":true}}}}}`
	service    = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"hello"},"spec":{"type":"LoadBalancer","ports":[{"port":22},{"port":80}]}}`
)

const runAsRoot = `package main

deny_run_as_root contains msg if {
	input.kind == "Deployment"
	not input.spec.template.spec.securityContext.runAsNonRoot
	msg := "Containers must not run as root"
}

exception contains rules if {
	input.kind == "Deployment"
	input.metadata.name == "can-run-as-root"
	rules := ["run_as_root"]
}
`

const rootAndLabels = `package main

deny contains msg if {
	input.kind == "Deployment"
	not input.spec.template.spec.securityContext.runAsNonRoot
	msg := "Containers must not run as root"
}

deny contains msg if {
	input.kind == "Deployment"
	not input.spec.selector.matchLabels.app
	msg := "Containers must provide app label for pod selectors"
}
`

// TestConftest: the expectations are worked out from Conftest's documentation; see says from which page.
func TestConftest(t *testing.T) {
	tests := []struct {
		name   string
		see    string
		source Source
		input  string
		want   said
	}{
		{"two denies of one name", "index: evaluating policies", one(rootAndLabels), deployment,
			said{Deny: []string{"Containers must not run as root", "Containers must provide app label for pod selectors"}}},
		{"nothing to deny", "index: evaluating policies", one(rootAndLabels), nonRoot, said{}},
		{"another kind", "index: evaluating policies", one(rootAndLabels), service, said{}},
		{"a rule with a suffix", "index: deny_myrule", one(`package main
deny_myrule contains "mine" if input.kind == "Service"`), service, said{Deny: []string{"mine"}}},
		{"a suffix of several words", "index: deny_myrule", one(`package main
deny_my_rule_2 contains "mine" if input.kind == "Service"`), service, said{Deny: []string{"mine"}}},
		{"a name that only begins so is no rule", "index: rules are suffixed with an underscore", one(`package main
denylist contains "x" if true
deny contains "real" if denylist["x"]`), service, said{Deny: []string{"real"}}},
		{"violation denies", "index: violation", one(`package main
violation contains {"msg": "structured"} if input.kind == "Service"`), service, said{Deny: []string{"structured"}}},
		{"violation with a suffix", "index: violation", one(`package main
violation_ports contains {"msg": msg, "details": {"port": p.port}} if {
	some p in input.spec.ports
	p.port < 80
	msg := sprintf("port %d", [p.port])
}`), service, said{Deny: []string{"port 22"}}},
		{"violation may be a text", "index: violation evaluates the same as deny", one(`package main
violation contains "text" if true`), service, said{Deny: []string{"text"}}},
		{"deny may be an object", "output: metadata", one(`package main
deny contains {"msg": "object", "severity": "high"} if true`), service, said{Deny: []string{"object"}}},
		{"warn does not deny", "options: --fail-on-warn", one(`package main
warn contains msg if {
	input.kind == "Service"
	msg := sprintf("Found service %s but services are not allowed", [input.metadata.name])
}`), service, said{Warn: []string{"Found service hello but services are not allowed"}}},
		{"warn with a suffix", "index: deny_myrule", one(`package main
warn_a contains "a" if true
warn_b contains {"msg": "b"} if true`), service, said{Warn: []string{"a", "b"}}},
		{"deny and warn together", "index", one(`package main
deny contains "d" if true
warn contains "w" if true`), service, said{Deny: []string{"d"}, Warn: []string{"w"}}},
		{"an exception of a rule", "exceptions: examples", one(runAsRoot), asRoot, said{Excepted: []string{"Containers must not run as root"}}},
		{"an exception of another object", "exceptions: examples", one(runAsRoot), deployment, said{Deny: []string{"Containers must not run as root"}}},
		{"an exception of deny_ and violation_ alike", "exceptions", one(`package main
deny_foo contains "deny foo" if true
violation_foo contains {"msg": "violation foo"} if true
deny_bar contains "deny bar" if true
deny_baz contains "deny baz" if true
exception contains rules if rules := ["foo", "bar"]`), service,
			said{Deny: []string{"deny baz"}, Excepted: []string{"deny bar", "deny foo", "violation foo"}}},
		{"the empty name excepts the rules without a suffix", "exceptions: the empty string", one(`package main
deny contains "deny" if true
violation contains {"msg": "violation"} if true
deny_foo contains "deny foo" if true
exception contains [""]`), service, said{Deny: []string{"deny foo"}, Excepted: []string{"deny", "violation"}}},
		{"an exception that does not hold", "exceptions: logic", one(`package main
deny_foo contains "foo" if true
exception contains ["foo"] if input.kind == "Deployment"`), service, said{Deny: []string{"foo"}}},
		{"an exception of what does not speak", "exceptions", one(`package main
deny_foo contains "foo" if input.kind == "Deployment"
exception contains ["foo"]`), service, said{}},
		{"only main is asked", "index: the main namespace", files(map[string]string{
			"a.rego": "package main\ndeny contains \"main\" if true",
			"b.rego": "package other\ndeny contains \"other\" if true",
		}), service, said{Deny: []string{"main"}}},
		{"another namespace", "index: --namespace", Source{Name: "test", Namespaces: []string{"other"}, Files: fstest.MapFS{
			"a.rego": {Data: []byte("package main\ndeny contains \"main\" if true")},
			"b.rego": {Data: []byte("package other\ndeny contains \"other\" if true")},
		}}, service, said{Deny: []string{"other"}}},
		{"two namespaces", "options: --namespace is repeated", Source{Name: "test", Namespaces: []string{"a.b", "c"}, Files: fstest.MapFS{
			"a.rego": {Data: []byte("package a.b\ndeny contains \"a.b\" if true")},
			"b.rego": {Data: []byte("package c\ndeny contains \"c\" if true")},
			"c.rego": {Data: []byte("package a\ndeny contains \"a\" if true")},
		}}, service, said{Deny: []string{"a.b", "c"}}},
		{"all namespaces", "index: --all-namespaces", Source{Name: "test", Namespaces: []string{"*"}, Files: fstest.MapFS{
			"a.rego": {Data: []byte("package main\ndeny contains \"main\" if true")},
			"b.rego": {Data: []byte("package deep.er\ndeny contains \"deeper\" if true")},
		}}, service, said{Deny: []string{"deeper", "main"}}},
		{"an exception holds in its namespace", "exceptions", Source{Name: "test", Namespaces: []string{"*"}, Files: fstest.MapFS{
			"a.rego": {Data: []byte("package a\ndeny_x contains \"a\" if true\nexception contains [\"x\"]")},
			"b.rego": {Data: []byte("package b\ndeny_x contains \"b\" if true")},
		}}, service, said{Deny: []string{"b"}, Excepted: []string{"a"}}},
		{"a namespace over two files", "options: --policy", files(map[string]string{
			"a.rego":     "package main\nimport data.lib.kinds\ndeny contains \"one\" if kinds.is_service",
			"b/b.rego":   "package main\ndeny contains \"two\" if true",
			"lib/l.rego": "package lib.kinds\nis_service if input.kind == \"Service\"",
		}), service, said{Deny: []string{"one", "two"}}},
		{"data from a YAML file", "options: --data", files(map[string]string{
			"p.rego": `package main
import data.services
deny contains msg if {
	some p in input.spec.ports
	p.port in services.ports
	msg := sprintf("port %d is not allowed", [p.port])
}`,
			"exclusions/services.yaml": "services:\n  ports:\n  - 22\n",
		}), service, said{Deny: []string{"port 22 is not allowed"}}},
		{"data of several files is merged", "options: paths are searched recursively", files(map[string]string{
			"p.rego":        `package main` + "\n" + `deny contains sprintf("%v", [[data.a.x, data.a.y, data.z]])`,
			"one.json":      `{"a": {"x": 1}}`,
			"dir/two.yml":   "a:\n  y: 2\n",
			"dir/three.yml": "z: three\n",
		}), service, said{Deny: []string{`[1, 2, "three"]`}}},
		{"a name of data that is not there", "options: --data", one(`package main
deny contains "found" if data.nowhere`), service, said{}},
		{"data.conftest says the file", "index: data.conftest.file", one(`package main
deny contains data.conftest.file.name`), service, said{Deny: []string{"v1/Service//hello"}}},
		{"a set made in one rule", "index", one(`package main
deny := {msg | some p in input.spec.ports; msg := sprintf("port %d", [p.port])}`), service, said{Deny: []string{"port 22", "port 80"}}},
		{"an array is read too", "policy engine: a list of values", one(`package main
deny := ["a", {"msg": "b"}] if input.kind == "Service"`), service, said{Deny: []string{"a", "b"}}},
		{"an undefined rule passes", "index", one(`package main
deny := ["a"] if input.kind == "Deployment"`), service, said{}},
		{"a function that is called deny_image is no rule", "index", one(`package main
deny_image(image) if endswith(image, ":latest")
deny contains "latest" if {
	some c in input.spec.template.spec.containers
	deny_image(c.image)
}`), deployment, said{Deny: []string{"latest"}}},
		{"the same message twice is said once", "rego: sets", one(`package main
deny contains "twice" if input.kind
deny contains "twice" if input.spec`), service, said{Deny: []string{"twice"}}},
		{"tests are not asked", "index: _test.rego", files(map[string]string{
			"p.rego":      "package main\ndeny contains \"real\" if true",
			"p_test.rego": "package main\ndeny contains \"of a test\" if true\ntest_x if true",
		}), service, said{Deny: []string{"real"}}},
		{"an old policy, in v0", "options: --rego-version", v0(one(`package main
deny[msg] {
  input.kind == "Deployment"
  not input.spec.template.spec.securityContext.runAsNonRoot
  msg := "Containers must not run as root"
}`)), deployment, said{Deny: []string{"Containers must not run as root"}}},
		{"old violations with metadata, in v0", "index: violation", v0(one(`package main
violation[{"msg": msg, "details": {}}] {
  input.kind == "Deployment"
  msg := sprintf("Found deployment %s but deployments are not allowed", [input.metadata.name])
}`)), deployment, said{Deny: []string{"Found deployment hello but deployments are not allowed"}}},
		{"an old exception, in v0", "exceptions", v0(one(`package main
deny_run_as_root[msg] {
  not input.spec.template.spec.securityContext.runAsNonRoot
  msg := "Containers must not run as root"
}
exception[rules] {
  input.metadata.name == "can-run-as-root"
  rules := ["run_as_root"]
}`)), asRoot, said{Excepted: []string{"Containers must not run as root"}}},
		{"future keywords, in v0", "rego: future.keywords", v0(one(`package main
import future.keywords
deny contains "future" if { some p in input.spec.ports; p.port == 22 }`)), service, said{Deny: []string{"future"}}},
		{"import rego.v1, in v0", "rego: rego.v1", v0(one(`package main
import rego.v1
deny contains "one" if true`)), service, said{Deny: []string{"one"}}},
		{"a v1 policy with import rego.v1", "rego: rego.v1", one(`package main
import rego.v1
deny contains "one" if true`), service, said{Deny: []string{"one"}}},
	}
	if len(tests) < 30 {
		t.Fatalf("only %d policies", len(tests))
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := load(t, tt.source).Manifests(t.Context(), []map[string]any{object(t, tt.input)}, ChangeSet{Name: "web"}, policies.Facts{})
			if diff := cmp.Diff(tt.want, short(v)); diff != "" {
				t.Errorf("Conftest's documentation, %s (-want +got):\n%s", tt.see, diff)
			}
		})
	}
}

func v0(s Source) Source {
	s.V0 = true
	return s
}

// A plan of Terraform's is read as Conftest reads one.
func TestConftestOnAPlan(t *testing.T) {
	policy := one(`package main

protected := {"aws_db_instance", "aws_iam_role"}

changes contains rc if {
	some rc in input.resource_changes
	rc.change.actions[_] != "no-op"
}

deny contains msg if {
	some rc in changes
	rc.type in protected
	"delete" in rc.change.actions
	msg := sprintf("%s may not be destroyed", [rc.address])
}

warn contains msg if {
	count(changes) > 1
	msg := sprintf("%d changes at once", [count(changes)])
}

deny_version contains msg if {
	not startswith(input.terraform_version, "1.")
	msg := "old Terraform"
}
`)
	plan := `{"format_version":"1.2","terraform_version":"1.9.0","resource_changes":[
		{"address":"aws_db_instance.a","type":"aws_db_instance","change":{"actions":["delete"],"before":{},"after":null}},
		{"address":"aws_db_instance.b","type":"aws_db_instance","change":{"actions":["no-op"],"before":{},"after":{}}},
		{"address":"aws_iam_role.c","type":"aws_iam_role","change":{"actions":["delete","create"],"before":{},"after":{}}}]}`
	got := short(load(t, policy).Plan(t.Context(), []byte(plan), policies.Facts{}))
	want := said{
		Deny: []string{"aws_db_instance.a may not be destroyed", "aws_iam_role.c may not be destroyed"},
		Warn: []string{"2 changes at once"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}
