package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/cmd/mooring/serverconfig"
	"github.com/mooring-iac/mooring/workspace"
)

// Validation is the JSON of `mooring validate`.
type Validation struct {
	Valid       bool         `json:"valid"`
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// Diagnostic is one problem of it.
type Diagnostic struct {
	Severity string `json:"severity"` // error or warning
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
}

// NewValidation is what was found, as it is printed.
func NewValidation(diags hcl.Diagnostics) Validation {
	v := Validation{Valid: !diags.HasErrors(), Diagnostics: []Diagnostic{}}
	for _, d := range diags {
		out := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			out.Severity = "warning"
		}
		if d.Subject != nil {
			out.File, out.Line, out.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		v.Diagnostics = append(v.Diagnostics, out)
	}
	return v
}

// ValidationSum is the one line that ends a validation. The configuration and
// the graph are nil where they were not looked at.
func ValidationSum(w io.Writer, diags hcl.Diagnostics, cfg *serverconfig.Config, g *workspace.Graph, s Style) error {
	faults, warnings := 0, 0
	for _, d := range diags {
		if d.Severity == hcl.DiagWarning {
			warnings++
		} else {
			faults++
		}
	}
	line := s.paint(green, "Valid")
	if faults > 0 {
		line = s.paint(red, "Invalid") + ": " + plural(faults, "error")
	}
	var looked []string
	if g != nil {
		looked = append(looked, plural(len(g.Units), "unit"))
	}
	if cfg != nil {
		looked = append(looked, strings.Replace(plural(len(cfg.Repositories), "repository"), "repositorys", "repositories", 1), plural(len(cfg.Clusters), "cluster"))
	}
	if faults == 0 && len(looked) > 0 {
		line += ": " + strings.Join(looked, ", ")
	}
	if warnings > 0 {
		line += ", " + plural(warnings, "warning")
	}
	_, err := fmt.Fprintln(w, line+".")
	return err
}
