package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRegoTests(t *testing.T) {
	s := files(map[string]string{
		"p.rego": `package main

deny contains "closed" if {
	input.x == 1
}

deny contains "never tested" if {
	input.y == 1
	input.z == 2
}

ask contains {"msg": "m", "needs": needs("team:dba", 1)} if data.mooring.author == "ann"
`,
		"p_test.rego": `package main

test_closed if "closed" in deny with input as {"x": 1}

test_fails if {
	print("seen")
	"closed" in deny with input as {"x": 2}
}

todo_test_later if false

test_fixture if "closed" in deny with input as data.fixture

test_facts if count(ask) == 1 with data.mooring as {"author": "ann"}

test_breaks if 1 / data.zero == 1
`,
		"fixtures_test.json": `{"fixture": {"x": 1}, "zero": 0}`,
	})
	s.Dir = "policy"
	r, err := Test(t.Context(), []Source{s}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []TestResult{
		{Source: "test", Package: "main", Name: "test_closed", File: "policy/p_test.rego", Line: 3, Passed: true},
		{Source: "test", Package: "main", Name: "test_fails", File: "policy/p_test.rego", Line: 5, Output: "seen\n"},
		{Source: "test", Package: "main", Name: "todo_test_later", File: "policy/p_test.rego", Line: 10, Skipped: true},
		{Source: "test", Package: "main", Name: "test_fixture", File: "policy/p_test.rego", Line: 12, Passed: true},
		{Source: "test", Package: "main", Name: "test_facts", File: "policy/p_test.rego", Line: 14, Passed: true},
		{Source: "test", Package: "main", Name: "test_breaks", File: "policy/p_test.rego", Line: 16, Error: "policy/p_test.rego:16: eval_builtin_error: div: divide by zero"},
	}
	if diff := cmp.Diff(want, r.Tests, cmpopts.IgnoreFields(TestResult{}, "Took")); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
	if !r.Failed() {
		t.Error("it has not failed")
	}
	files := []FileCoverage{{Source: "test", File: "policy/p.rego", Covered: 4, Missed: []Lines{{7, 7}, {8, 8}, {9, 9}}}}
	if diff := cmp.Diff(files, r.Files, cmpopts.IgnoreFields(FileCoverage{}, "Percent", "Covered")); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if r.Percent < 50 || r.Percent >= 100 {
		t.Errorf("%v per cent", r.Percent)
	}
}

func TestNoRegoTests(t *testing.T) {
	r, err := Test(t.Context(), []Source{one("package main\ndeny contains \"x\" if input.x")}, Options{})
	if err != nil || !r.Failed() || r.Percent != 0 {
		t.Errorf("%+v, %v; want a report that failed, with nothing covered", r, err)
	}
}

func TestRegoTestsThatDoNotCompile(t *testing.T) {
	s := files(map[string]string{"p.rego": "package main", "p_test.rego": "package main\ntest_x if http.send({})"})
	_, err := Test(t.Context(), []Source{s}, Options{})
	var load *LoadError
	if !errors.As(err, &load) || !strings.Contains(err.Error(), "p_test.rego:2: http.send is not there") {
		t.Errorf("error %v", err)
	}
}
