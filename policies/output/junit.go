package output

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/policies"
)

// The parts of JUnit's XML that are written.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
		Skipped *junitSkipped `xml:"skipped,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// JUnit writes results as JUnit XML: a suite for each unit, a case for each finding. What denies and what asks fails,
// what warns passes and says so in its output, what an exception let pass is skipped. A unit of which nothing is said has
// one case, which passes.
func JUnit(w io.Writer, all []Result) error {
	suites := junitSuites{Name: "mooring policies"}
	for _, r := range all {
		suite := suiteOf(r)
		suites.Tests += suite.Tests
		suites.Failures += suite.Failures
		suites.Skipped += suite.Skipped
		suites.Suites = append(suites.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suites); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suiteOf(r Result) junitSuite {
	s := junitSuite{Name: r.Unit}
	for _, f := range r.Verdict.Findings {
		c := junitCase{Class: r.Unit, Name: nameOf(f)}
		if f.Effect == policies.Warn {
			c.Out = textOf(f)
		} else {
			s.Failures++
			c.Failure = &junitFailure{Message: f.Message, Type: string(cmp.Or(f.Effect, policies.Deny)), Text: textOf(f)}
		}
		s.Cases = append(s.Cases, c)
	}
	for _, f := range r.Verdict.Excepted {
		s.Skipped++
		s.Cases = append(s.Cases, junitCase{Class: r.Unit, Name: nameOf(f), Skipped: &junitSkipped{"an exception of the policy lets it pass: " + f.Message}})
	}
	if len(s.Cases) == 0 {
		s.Cases = []junitCase{{Class: r.Unit, Name: fmt.Sprintf("%d rules have nothing to say", r.Verdict.Rules)}}
	}
	s.Tests = len(s.Cases)
	return s
}

func nameOf(f policies.Finding) string {
	if f.Subject == "" {
		return f.Rule
	}
	return f.Rule + " " + f.Subject
}

// textOf is a finding in lines, for a person.
func textOf(f policies.Finding) string {
	lines := []string{f.Message}
	if place := f.Place(); place != "" {
		lines = append(lines, "at "+place)
	}
	if f.Effect == policies.Ask {
		for _, n := range (policies.Verdict{Findings: []policies.Finding{f}}).Needs() {
			lines = append(lines, "needs "+n.String())
		}
	}
	if f.Remedy != "" {
		lines = append(lines, f.Remedy)
	}
	if f.Policy != "" {
		lines = append(lines, "from "+f.Policy)
	}
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return l == "" }), "\n")
}
