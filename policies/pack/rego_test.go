package pack

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
)

// bar is how much of each file the Rego tests have to run, in per cent.
const bar = 98

// modules are the rules, and, if they are asked for, their tests.
func modules(t testing.TB, tests bool) map[string]*ast.Module {
	t.Helper()
	all := map[string]*ast.Module{}
	read := func(from fs.FS, prefix string) {
		err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || path.Ext(name) != ".rego" {
				return err
			}
			src, err := fs.ReadFile(from, name)
			if err != nil {
				return err
			}
			m, err := ast.ParseModuleWithOpts(prefix+name, string(src), ast.ParserOptions{RegoVersion: ast.RegoV1})
			all[prefix+name] = m
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(Files(), "")
	if tests {
		read(os.DirFS("tests"), "tests/")
	}
	return all
}

// TestRegoTestsPass runs them as strictly as the engine runs the rules: an error of a builtin is an error.
func TestRegoTestsPass(t *testing.T) {
	all := modules(t, true)
	covered := cover.New()
	results, err := tester.NewRunner().SetModules(all).RaiseBuiltinErrors(true).SetTimeout(time.Minute).
		SetCoverageQueryTracer(covered).SetCoverageRuns(nil).RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]map[string]int{} // by package, then by how the name begins
	for r := range results {
		if !r.Pass() {
			t.Errorf("%s: %s.%s: %v", r.Location, r.Package, r.Name, r)
			if r.FailedAt != nil {
				t.Logf("failed at %s: %s", r.FailedAt.Location, r.FailedAt)
			}
		}
		word := strings.SplitN(strings.TrimPrefix(r.Name, "test_"), "_", 2)[0]
		if ran[r.Package] == nil {
			ran[r.Package] = map[string]int{}
		}
		ran[r.Package][word]++
	}
	for _, rule := range Rules() {
		words := []string{"hit", "miss", "tuning"}
		if rule.Kind == Terraform {
			words = append(words, "unknown")
		}
		for _, word := range words {
			if pkg := "data.mooring.pack." + rule.ID + "_test"; ran[pkg][word] == 0 {
				t.Errorf("%s: no test in %s is called test_%s", rule.ID, pkg, word)
			}
		}
	}
	report := covered.Report(all)
	for name, file := range report.Files {
		if strings.HasPrefix(name, "tests/") || file.CoveredLines+file.NotCoveredLines == 0 {
			continue
		}
		if file.Coverage < bar {
			t.Errorf("%s: the tests run %.1f %% of it, below %d %%; not %v", name, file.Coverage, bar, file.NotCovered)
		}
	}
	t.Logf("coverage of rules and tests: %.1f %%", report.Coverage)
}
