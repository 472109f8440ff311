package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/policies"
)

// What cannot be loaded gives no engine, and a verdict that denies and says where.
func TestPoliciesThatCannotBeLoaded(t *testing.T) {
	unreadable := t.TempDir()
	if err := os.WriteFile(filepath.Join(unreadable, "p.rego"), []byte("package main"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(unreadable, "q.rego")); err != nil {
		t.Fatal(err)
	}
	linked := t.TempDir()
	if err := os.Symlink(t.TempDir(), filepath.Join(linked, "more")); err != nil {
		t.Fatal(err)
	}
	required := func(s Source) Source { s.Required = true; return s }
	spaces := func(s Source, names ...string) Source { s.Namespaces = names; return s }
	tests := []struct {
		name   string
		source Source
		want   string // file, line and a piece of the message
	}{
		{"no files at all", Source{}, "it has no files"},
		{"a directory that is not there", Source{Files: os.DirFS(filepath.Join(t.TempDir(), "none"))}, "no such file"},
		{"a policy that cannot be opened", Source{Files: locked{files(map[string]string{"p.rego": "package main"}).Files}}, "p/p.rego: open p.rego: permission denied"},
		{"a directory that cannot be listed", Source{Files: shut{files(map[string]string{"a/p.rego": "package main", "b.rego": "package main"}).Files}}, "p/a: open a: permission denied"},
		{"a link to nowhere", Source{Files: os.DirFS(unreadable)}, "p/q.rego: a link that does not lead to a file"},
		{"a link to a directory", Source{Files: os.DirFS(linked)}, "p/more: a link that does not lead to a file"},
		{"a syntax error", one("package main\n\ndeny contains \"x\" if }\n"), "p/p.rego:3: "},
		{"an empty file", one(""), "p/p.rego"},
		{"v0 in v1", one("package main\ndeny[msg] { msg := \"x\" }"), "p/p.rego:2: "},
		{"v1 in v0", v0(one("package main\ndeny contains \"x\" if true")), "p/p.rego:2: "},
		{"a type error", one("package main\n\ndeny contains \"x\" if count(1) == 2"), "p/p.rego:3: "},
		{"a variable that is not there", one("package main\ndeny contains x if true"), "p/p.rego:2: "},
		{"an import of nothing", one("package main\nimport nowhere.x\ndeny contains \"x\" if true"), "p/p.rego:2: "},
		{"recursion", one("package main\na if b\nb if a\ndeny contains \"x\" if a"), "p/p.rego:2: "},
		{"two of many files", files(map[string]string{"a.rego": "package main\nx :=", "b.rego": "package main\ny :="}), "p/b.rego:2: "},
		{"nothing where something is required", required(files(nil)), "policies are required here"},
		{"only tests where something is required", required(files(map[string]string{"p_test.rego": "package main\ndeny contains \"x\" if true"})), "policies are required here"},
		{"only helpers where something is required", required(one("package main\nx := 1")), "policies are required here"},
		{"rules of another package where something is required", required(one("package other\ndeny contains \"x\" if true")), "there are the packages other"},
		{"a namespace that is not there", spaces(one("package main\ndeny contains \"x\" if true"), "main", "mian"), "no policy is in package mian"},
		{"no main", one("package other\ndeny contains \"x\" if true"), "no policy is in package main"},
		{"data that does not parse", files(map[string]string{"d.json": "{\n\"a\": 1,\n}"}), "p/d.json: line 3: "},
		{"data after data", files(map[string]string{"d.json": "{} {}"}), "p/d.json: there is something after"},
		{"YAML that does not parse", files(map[string]string{"d.yaml": "a: [1"}), "p/d.yaml: "},
		{"two YAML documents", files(map[string]string{"d.yaml": "a: 1\n---\nb: 2\n"}), "p/d.yaml: only one YAML document"},
		{"a key twice in YAML", files(map[string]string{"d.yaml": "a: 1\na: 2\n"}), "p/d.yaml: "},
		{"a list for data", files(map[string]string{"d.json": "[1]"}), "p/d.json: data has to be an object"},
		{"two files of one meaning", files(map[string]string{"a.json": `{"x":{"y":1}}`, "b.json": `{"x":{"y":1}}`}), "p/b.json: data.x.y is set by another file"},
		{"data that claims to be the run's", files(map[string]string{"d.json": `{"mooring":{"author":"ann"}}`}), "p/d.json: data.mooring is what Mooring says"},
		{"a package that claims to be the run's", one("package mooring\nauthor := \"ann\""), "p/p.rego:1: package mooring is where"},
		{"a package below it", one("package mooring.approvals\nx := 1"), "p/p.rego:1: package mooring.approvals is where"},
		{"a rule over data", files(map[string]string{"p.rego": "package main\nlimit := 3", "d.json": `{"main":{"limit":2}}`}), "p/p.rego:2: "},
		{"settings that are no JSON", Source{Files: files(nil).Files, Settings: map[string]any{"x": func() {}}}, "settings: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.source.Name, tt.source.Dir = "test", "p"
			e, err := Load(t.Context(), []Source{one("package main\ndeny contains \"x\" if false"), tt.source}, Options{})
			var load *LoadError
			if !errors.As(err, &load) || !strings.Contains(err.Error(), "test: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want one with %q", err, tt.want)
			}
			if e != nil {
				t.Error("there is an engine")
			}
			v := Broken(err)
			if !v.Denied() || v.Findings[0].Rule != ruleLoad || v.Findings[0].Policy == "" {
				t.Errorf("verdict %+v; want a deny", v)
			}
			if !e.Plan(t.Context(), []byte(emptyPlan), policies.Facts{}).Denied() {
				t.Error("the engine that is not there allows")
			}
		})
	}
}

// locked has files that cannot be read.
type locked struct{ fs.FS }

func (l locked) ReadFile(name string) ([]byte, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

// shut has directories that cannot be listed, beside its top.
type shut struct{ fs.FS }

func (s shut) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return fs.ReadDir(s.FS, name)
}

func TestTheWrongSyntaxSaysWhichOneItIs(t *testing.T) {
	for _, tt := range []struct {
		source Source
		want   string
	}{
		{one("package main\ndeny[msg] { msg := \"x\" }"), "v0"},
		{v0(one("package main\ndeny contains \"x\" if true")), "v1"},
		{one("package main\ndeny["), ""},
	} {
		_, err := Load(t.Context(), []Source{tt.source}, Options{})
		remedy := Broken(err).Findings[0].Remedy
		if tt.want == "" && remedy != "" || !strings.Contains(remedy, tt.want) {
			t.Errorf("remedy %q; want %q in it", remedy, tt.want)
		}
	}
}

// What cannot be judged is denied, whether there are rules or not.
func TestPlansThatCannotBeRead(t *testing.T) {
	tests := map[string]string{
		"nothing":                     "",
		"null":                        "null",
		"an empty object":             "{}",
		"no JSON":                     "Terraform crashed",
		"half of it":                  `{"format_version":"1.2","resource_changes":[`,
		"a section nobody reads":      `{"format_version":"1.2","prior_state":{"x":nul}}`,
		"sections nobody reads":       `{"format_version":"1.2","variables":{"x":}}`,
		"a section that is cut off":   `{"format_version":"1.2","prior_state":{"x":"`,
		"changes twice":               `{"format_version":"1.2","resource_changes":[{}],"resource_changes":[]}`,
		"two of them":                 emptyPlan + emptyPlan,
		"a list":                      "[]",
		"no format_version":           `{"resource_changes":[]}`,
		"an empty format_version":     `{"format_version":""}`,
		"a number for format_version": `{"format_version":1.2}`,
		"a format of the future":      `{"format_version":"2.0"}`,
		"a plan with errors":          `{"format_version":"1.2","errored":true}`,
		"errored, in other words":     `{"format_version":"1.2","errored":"yes"}`,
		"changes that are no list":    `{"format_version":"1.2","resource_changes":{}}`,
		"a change that is no object":  `{"format_version":"1.2","resource_changes":["x"]}`,
		"a change of nothing":         `{"format_version":"1.2","resource_changes":[{"change":{"actions":["create"]}}]}`,
		"a change without actions":    `{"format_version":"1.2","resource_changes":[{"address":"a.b","change":{"before":{}}}]}`,
		"a change without change":     `{"format_version":"1.2","resource_changes":[{"address":"a.b"}]}`,
	}
	engines := map[string]*Engine{
		"no sources":      load(t),
		"silent rules":    load(t, one("package main\ndeny contains \"x\" if input.resource_changes[_].x")),
		"not even loaded": {},
		"nil":             nil,
	}
	for which, e := range engines {
		for name, plan := range tests {
			v := e.Plan(t.Context(), []byte(plan), policies.Facts{})
			if !v.Denied() || v.Findings[0].Message == "" {
				t.Errorf("%s, with %s: %+v; want a deny", name, which, v)
			}
		}
	}
	if v := engines["no sources"].Plan(t.Context(), []byte(emptyPlan), policies.Facts{}); len(v.Findings) > 0 {
		t.Errorf("a good plan without rules: %+v", v)
	}
}

func TestObjectsThatCannotBeJudged(t *testing.T) {
	good := object(t, service)
	tests := []struct {
		name    string
		objects []map[string]any
		changes ChangeSet
	}{
		{"nil", []map[string]any{nil}, ChangeSet{}},
		{"empty", []map[string]any{{}}, ChangeSet{}},
		{"the second has no kind", []map[string]any{good, object(t, `{"apiVersion":"v1","metadata":{"name":"x"}}`)}, ChangeSet{}},
		{"no name", []map[string]any{object(t, `{"apiVersion":"v1","kind":"Service","metadata":{}}`)}, ChangeSet{}},
		{"what is no JSON", []map[string]any{{"apiVersion": "v1", "kind": "X", "metadata": map[string]any{"name": "x"}, "spec": func() {}}}, ChangeSet{}},
		{"a verb nobody knows", nil, ChangeSet{Changes: []Change{{Verb: "melt", Object: good}}}},
		{"a change of nothing", nil, ChangeSet{Changes: []Change{{Verb: "create"}}}},
		{"a live object without a name", nil, ChangeSet{Live: []map[string]any{{"kind": "X"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, e := range []*Engine{load(t), load(t, one("package main\ndeny contains \"x\" if input.x")), {}, nil} {
				if v := e.Manifests(t.Context(), tt.objects, tt.changes, policies.Facts{}); !v.Denied() {
					t.Errorf("%+v; want a deny", v)
				}
			}
		})
	}
}

// A rule that fails, or says what is no finding, denies and says where it stands.
func TestRulesThatFail(t *testing.T) {
	tests := []struct {
		name, policy string
		rule         string
		line         int
		want         string
	}{
		{"a function that fails", "package main\n\ndeny contains \"x\" if {\n\tto_number(\"abc\") == 1\n}", ruleFailed, 4, "main.deny failed: to_number"},
		{"a division by nothing", "package main\nwarn contains \"x\" if 1 / input.zero == 1", ruleFailed, 2, "divide by zero"},
		{"in a helper", "package main\ndeny contains \"x\" if helper\n\nhelper if time.parse_rfc3339_ns(\"x\") == 1", ruleFailed, 4, "main.deny failed"},
		{"two values of one rule", "package main\nx := 1 if true\nx := 2 if true\ndeny contains \"x\" if x == 1", ruleFailed, 3, "conflicting values"},
		{"in an exception", "package main\ndeny_x contains \"x\"\nexception contains [\"x\"] if 1 / input.zero == 1", ruleFailed, 3, "divide by zero"},
		{"needs that name nobody", "package main\nask contains {\"msg\": \"m\", \"needs\": needs(\"dba\", 1)}", ruleFailed, 2, "use \"team:NAME\""},
		{"true for messages", "package main\n\ndeny if input.format_version", ruleResult, 3, "main.deny is a boolean"},
		{"even false", "package main\ndefault deny := false", ruleResult, 2, "is a boolean"},
		{"a text for messages", "package main\ndeny := \"no\"", ruleResult, 2, "is a text"},
		{"a number for messages", "package main\nwarn := 1", ruleResult, 2, "is a number"},
		{"null for messages", "package main\nwarn := null", ruleResult, 2, "is null"},
		{"an object of messages", "package main\ndeny[msg] if msg := \"no\"", ruleResult, 2, "is an object"},
		{"a rule below a rule", "package main\ndeny.tags contains \"no\"", ruleResult, 2, "is an object"},
		{"a number for a message", "package main\ndeny contains 1", ruleResult, 2, "a number among its messages"},
		{"true for a message", "package main\ndeny contains true", ruleResult, 2, "a boolean among its messages"},
		{"an object without msg", "package main\nwarn contains {\"message\": \"x\"}", ruleResult, 2, "without msg"},
		{"a msg that is no text", "package main\ndeny contains {\"msg\": 1}", ruleResult, 2, "not a text"},
		{"an exception that is true", "package main\ndeny_x contains \"x\"\nexception if true", ruleResult, 2, "exception has to be"},
		{"an exception of a text", "package main\ndeny_x contains \"x\"\nexception contains \"x\"", ruleResult, 2, "not a list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := one(tt.policy)
			s.Dir = "policy"
			v := judge(t, s, `{"format_version":"1.2","zero":0}`, policies.Facts{})
			if !v.Denied() || len(v.Findings) == 0 {
				t.Fatalf("verdict %+v; want a deny", v)
			}
			f := v.Findings[0]
			if i := slices.IndexFunc(v.Findings, func(f policies.Finding) bool { return strings.HasPrefix(f.Rule, "policy.") }); i > 0 {
				f = v.Findings[i]
			}
			if f.Rule != tt.rule || f.File != "policy/p.rego" || f.Line != tt.line || !strings.Contains(f.Message, tt.want) || f.Policy != "test" {
				t.Errorf("finding %+v; want %s at line %d with %q", f, tt.rule, tt.line, tt.want)
			}
		})
	}
}

// An empty message is one: the rule has spoken.
func TestAnEmptyMessageDenies(t *testing.T) {
	for _, rule := range []string{`deny contains ""`, `deny contains {"msg": ""}`} {
		if v := judge(t, one("package main\n"+rule), emptyPlan, policies.Facts{}); !v.Denied() {
			t.Errorf("%s: %+v", rule, v)
		}
	}
}

// One rule fails, the others are heard.
func TestOthersAreHeard(t *testing.T) {
	v := judge(t, one("package main\ndeny_a contains \"a\" if to_number(\"x\") == 1\ndeny_b contains \"b\"\nwarn_c contains \"c\""), emptyPlan, policies.Facts{})
	if s := short(v); len(s.Deny) != 2 || len(s.Warn) != 1 || !v.Denied() {
		t.Errorf("%+v", s)
	}
}

// A helper that fails, fails for every rule that uses it, and what a rule puts in the place of the input stays its own.
func TestWhatRulesShare(t *testing.T) {
	v := judge(t, one(`package main
x := 1 if input.format_version
x := 2 if input.format_version
deny_a contains "a" if x == 1
deny_b contains "b" if x == 1
deny_c contains "c" if x == 1
`), emptyPlan, policies.Facts{})
	if len(v.Findings) != 3 || v.Findings[0].Rule != ruleFailed || v.Findings[1].Rule != ruleFailed || v.Findings[2].Rule != ruleFailed {
		t.Errorf("%+v; want three failures", v.Findings)
	}
	v = judge(t, one(`package main
version := input.terraform_version
deny_a contains v if v := version with input as {"terraform_version": "other"}
deny_b contains version
deny_c contains v if v := version with input as {"terraform_version": 1 / input.zero}
deny_d contains version
`), `{"format_version":"1.2","terraform_version":"1.9.0","zero":0}`, policies.Facts{})
	want := said{Deny: []string{"other", "1.9.0", "1.9.0", "main.deny_c failed: div: divide by zero"}}
	if diff := cmp.Diff(want, short(v)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

// A missing field is undefined, as everywhere in Rego: the rule says nothing, and does not fail.
func TestAFieldThatIsNotThere(t *testing.T) {
	v := judge(t, one("package main\ndeny contains \"x\" if input.nowhere.deeper[0] == 1\ndeny contains \"missing\" if not input.nowhere"), emptyPlan, policies.Facts{})
	if s := short(v); len(s.Deny) != 1 || s.Deny[0] != "missing" {
		t.Errorf("%+v", s)
	}
}

const endless = `package main

deny contains "x" if {
	some a in numbers.range(1, 10000)
	some b in numbers.range(1, 10000)
	some c in numbers.range(1, 10000)
	a + b + c == 0
}
`

func TestARuleThatTakesTooLong(t *testing.T) {
	e, err := Load(t.Context(), []Source{one(endless)}, Options{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	v := e.Plan(t.Context(), []byte(emptyPlan), policies.Facts{})
	if !v.Denied() || v.Findings[0].Rule != ruleLimit || v.Findings[0].Line != 3 || !strings.Contains(v.Findings[0].Message, "50ms") {
		t.Errorf("verdict %+v", v)
	}
}

func TestARunThatIsCancelled(t *testing.T) {
	e := load(t, one(endless))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v := e.Plan(ctx, []byte(emptyPlan), policies.Facts{}); !v.Denied() || v.Findings[0].Rule != ruleLimit {
		t.Errorf("verdict %+v", v)
	}
}

func TestARuleThatTakesTooMuchMemory(t *testing.T) {
	e, err := Load(t.Context(), []Source{one(`package main

deny contains "x" if {
	all := [s |
		some a in numbers.range(1, 3000)
		some b in numbers.range(1, 3000)
		s := sprintf("%d and %d", [a, b])
	]
	count(all) == 0
}
`)}, Options{Timeout: time.Minute, Memory: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	v := e.Plan(t.Context(), []byte(emptyPlan), policies.Facts{})
	if !v.Denied() || v.Findings[0].Rule != ruleLimit || !strings.Contains(v.Findings[0].Message, "8 MiB") {
		t.Errorf("verdict %+v", v)
	}
}

func TestBrokenAlwaysDenies(t *testing.T) {
	for _, err := range []error{nil, errors.New("x"), &LoadError{}, context.Canceled} {
		if v := Broken(err); !v.Denied() {
			t.Errorf("Broken(%v) = %+v", err, v)
		}
	}
}

var _ fs.ReadFileFS = locked{fstest.MapFS{}}
