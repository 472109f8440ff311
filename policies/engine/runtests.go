package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/mooring-iac/mooring/policies"
)

// TestReport is what the Rego tests of sources said, in the order of sources, files and lines.
type TestReport struct {
	Tests   []TestResult   `json:"tests"`
	Files   []FileCoverage `json:"files"`   // of policies; not of tests
	Percent float64        `json:"percent"` // of the lines of all files
}

// Failed tells whether any test failed, or there was none: what was not tested has not passed.
func (r TestReport) Failed() bool {
	return len(r.Tests) == 0 || slices.ContainsFunc(r.Tests, func(t TestResult) bool { return !t.Passed && !t.Skipped })
}

// TestResult is one test. Neither passed nor skipped: it failed.
type TestResult struct {
	Source  string        `json:"source"`
	Package string        `json:"package"`
	Name    string        `json:"name"`
	File    string        `json:"file"`
	Line    int           `json:"line"`
	Passed  bool          `json:"passed"`
	Skipped bool          `json:"skipped,omitempty"` // its name begins with todo_
	Error   string        `json:"error,omitempty"`   // why it could not be run
	Output  string        `json:"output,omitempty"`  // what it printed
	Took    time.Duration `json:"took"`
}

// FileCoverage is how much of a policy the tests went through.
type FileCoverage struct {
	Source  string  `json:"source"`
	File    string  `json:"file"`
	Covered int     `json:"covered"` // lines
	Missed  []Lines `json:"missed"`  // in order
	Percent float64 `json:"percent"`
}

// Lines are lines of a file, from the first to the last of them.
type Lines struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Test runs the Rego tests of sources: rules whose names begin with test_, each within the time of the options. The error
// is a *LoadError where policies or tests cannot be compiled; tests that fail are in the report.
func Test(ctx context.Context, sources []Source, o Options) (TestReport, error) {
	report := TestReport{Tests: []TestResult{}, Files: []FileCoverage{}}
	var problems []Problem
	for _, s := range sources {
		problems = append(problems, s.test(ctx, o.usual(), &report)...)
	}
	if len(problems) > 0 {
		return report, &LoadError{problems}
	}
	covered, missed := 0, 0
	for _, f := range report.Files {
		covered += f.Covered
		missed += count(f.Missed)
	}
	report.Percent = percent(covered, missed)
	return report, nil
}

func (s Source) test(ctx context.Context, o Options, report *TestReport) []Problem {
	files, problems := s.read()
	data, more := s.merge(slices.Concat(files.data, files.dataTests))
	problems = append(problems, more...)
	own, more := s.parse(files.rego)
	problems = append(problems, more...)
	tests, more := s.parse(files.regoTests)
	if problems = append(problems, more...); len(problems) > 0 {
		return problems
	}
	known, err := factsTerm(policies.Facts{})
	if err != nil {
		return []Problem{{Source: s.Name, Message: err.Error()}}
	}
	base := view{newTerms().of(data).Value.(ast.Object)}
	st := &store{base: *base.with(map[string]*ast.Term{"mooring": known, "conftest": conftest("", "")})}
	modules := maps.Clone(own)
	maps.Copy(modules, tests)

	lines := cover.New()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results, err := tester.NewRunner().
		SetCompiler(s.compiler(st).WithEnablePrintStatements(true)).
		SetStore(st).
		SetModules(modules).
		CapturePrintOutput(true).
		RaiseBuiltinErrors(true).
		SetTimeout(o.Timeout).
		SetCoverageQueryTracer(lines).
		SetCoverageRuns(nil).
		AddCustomBuiltins([]*tester.Builtin{{Decl: needsDecl(), Func: func(r *rego.Rego) { withNeeds(r) }}}).
		RunTests(ctx, &st.base)
	if err != nil {
		return s.problemsOf(err, s.Dir)
	}
	var mine []TestResult
	for r := range results {
		mine = append(mine, s.result(r))
	}
	slices.SortFunc(mine, func(a, b TestResult) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Name, b.Name))
	})
	report.Tests = append(report.Tests, mine...)
	coverage := lines.Report(own)
	for _, name := range sorted(own) {
		report.Files = append(report.Files, s.covered(name, coverage.Files[name]))
	}
	return nil
}

func (s Source) result(r *tester.Result) TestResult {
	t := TestResult{
		Source: s.Name, Package: strings.TrimPrefix(r.Package, "data."), Name: r.Name,
		Passed: r.Pass(), Skipped: r.Skip, Output: string(r.Output), Took: r.Duration,
	}
	if r.Location != nil {
		t.File, t.Line = r.Location.File, r.Location.Row
	}
	if r.Error != nil {
		t.Passed, t.Error = false, r.Error.Error()
	}
	if r.Skip {
		t.Passed = false
	}
	return t
}

func (s Source) covered(name string, r *cover.FileReport) FileCoverage {
	f := FileCoverage{Source: s.Name, File: name, Missed: []Lines{}, Percent: 100}
	if r == nil {
		return f
	}
	f.Covered = r.CoveredLines
	for _, missed := range r.NotCovered {
		f.Missed = append(f.Missed, Lines{missed.Start.Row, missed.End.Row})
	}
	f.Percent = percent(f.Covered, r.NotCoveredLines)
	return f
}

func count(all []Lines) int {
	n := 0
	for _, l := range all {
		n += l.To - l.From + 1
	}
	return n
}

// percent is the share of lines that were covered; of no lines it is all.
func percent(covered, missed int) float64 {
	if covered+missed == 0 {
		return 100
	}
	return 100 * float64(covered) / float64(covered+missed)
}
