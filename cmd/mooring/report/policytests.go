package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/policies/engine"
)

// PolicyTests prints tests that did not pass in full, the others in a line, and which
// lines of the policies no test went through.
func PolicyTests(w io.Writer, r engine.TestReport, s Style) error {
	p := page{Options: Options{Style: s}}
	counts := map[string]int{}
	for _, t := range r.Tests {
		word, c := outcome(t)
		counts[word]++
		p.line("%s  %s  %s", p.paint(c, pad(word, 7)), CleanLine(t.Package+"."+t.Name), p.paint(dim, fmt.Sprintf("%s:%d", CleanLine(t.File), t.Line)))
		if t.Error != "" {
			p.quote("  ", t.Error)
		}
		if word != "passed" && t.Output != "" {
			p.quote("  ", t.Output)
		}
	}
	if len(r.Tests) == 0 {
		p.line("There is no test: rules whose names begin with test_, in files that end in _test.rego.")
	} else {
		p.line("")
	}
	t := table{head: []string{"FILE", "COVERED", "NOT COVERED"}}
	for _, f := range r.Files {
		t.rows = append(t.rows, row{paint: -1, cells: []string{CleanLine(f.File), fmt.Sprintf("%.0f %%", f.Percent), missed(f.Missed)}})
	}
	if len(t.rows) > 0 {
		_ = t.write(&p.Builder, s) // memory takes it
		p.line("")
	}
	sum := fmt.Sprintf("%d passed, %d failed", counts["passed"], counts["failed"])
	if n := counts["skipped"]; n > 0 {
		sum += fmt.Sprintf(", %d skipped", n)
	}
	p.line("%s; %.1f %% of the lines covered", sum, r.Percent)
	_, err := io.WriteString(w, p.String())
	return err
}

func outcome(t engine.TestResult) (word string, c color) {
	switch {
	case t.Skipped:
		return "skipped", yellow
	case t.Passed:
		return "passed", green
	}
	return "failed", red
}

// missed are lines, those that follow each other as one piece.
func missed(all []engine.Lines) string {
	var pieces []engine.Lines
	for _, l := range all {
		if n := len(pieces); n > 0 && pieces[n-1].To+1 == l.From {
			pieces[n-1].To = l.To
		} else {
			pieces = append(pieces, l)
		}
	}
	var said []string
	for _, l := range pieces {
		if l.From == l.To {
			said = append(said, fmt.Sprint(l.From))
		} else {
			said = append(said, fmt.Sprintf("%d-%d", l.From, l.To))
		}
	}
	return strings.Join(said, ", ")
}

type (
	testSuites struct {
		XMLName  xml.Name    `xml:"testsuites"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Suites   []testSuite `xml:"testsuite"`
	}
	testSuite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Class   string    `xml:"classname,attr"`
		Name    string    `xml:"name,attr"`
		File    string    `xml:"file,attr"`
		Line    int       `xml:"line,attr"`
		Seconds string    `xml:"time,attr"`
		Failure *testWord `xml:"failure,omitempty"`
		Skipped *testWord `xml:"skipped,omitempty"`
		Out     string    `xml:"system-out,omitempty"`
	}
	testWord struct {
		Message string `xml:"message,attr"`
	}
)

// PolicyTestsJUnit writes tests as JUnit XML: a suite for each package. Where there is no
// test, one that failed says so.
func PolicyTestsJUnit(w io.Writer, r engine.TestReport) error {
	all := testSuites{Name: "mooring policy test"}
	if len(r.Tests) == 0 {
		r.Tests = []engine.TestResult{{Package: "policy", Name: "tests", Error: "there is no test"}}
	}
	for _, t := range r.Tests {
		i := slices.IndexFunc(all.Suites, func(s testSuite) bool { return s.Name == t.Package })
		if i < 0 {
			i = len(all.Suites)
			all.Suites = append(all.Suites, testSuite{Name: t.Package})
		}
		suite := &all.Suites[i]
		c := testCase{Class: t.Package, Name: t.Name, File: t.File, Line: t.Line, Seconds: fmt.Sprintf("%.3f", t.Took.Seconds()), Out: Clean(t.Output)}
		switch word, _ := outcome(t); word {
		case "failed":
			c.Failure = &testWord{Clean(t.Error)}
			if t.Error == "" {
				c.Failure.Message = "the test is not true"
			}
			suite.Failures, all.Failures = suite.Failures+1, all.Failures+1
		case "skipped":
			c.Skipped = &testWord{"its name begins with todo_"}
			suite.Skipped, all.Skipped = suite.Skipped+1, all.Skipped+1
		}
		suite.Cases = append(suite.Cases, c)
		suite.Tests, all.Tests = suite.Tests+1, all.Tests+1
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
