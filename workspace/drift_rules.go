package workspace

import (
	"fmt"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
)

var (
	driftClasses = []string{"out_of_band", "churn", "unhealthy"}
	driftChanges = []string{"changed", "deleted", "added", "broken"}
	driftLevels  = []string{"info", "warning", "critical"}
)

// rules reads ignore and severity blocks. Those of a unit come before those of the top.
func (r *driftReader) rules(ignores, severities hcl.Blocks) {
	var ignore []DriftIgnore
	for _, hb := range ignores {
		in := r.block(hb, ignoreSchema)
		ignore = append(ignore, in.ignore(hb))
		r.diags = append(r.diags, in.diags...)
	}
	var severity []DriftSeverity
	for _, hb := range severities {
		in := r.block(hb, severitySchema)
		severity = append(severity, in.severity(hb))
		r.diags = append(r.diags, in.diags...)
	}
	// Appended to new slices: those of the top belong to all units.
	r.Ignore, r.Severity = append(ignore, r.Ignore...), append(severity, r.Severity...)
}

func (r *driftReader) block(hb *hcl.Block, schema *hcl.BodySchema) *driftReader {
	content, diags := hb.Body.Content(schema)
	return &driftReader{DriftSettings: DriftSettings{Timezone: r.Timezone}, unit: r.unit, attrs: content.Attributes, diags: diags}
}

func (r *driftReader) ignore(hb *hcl.Block) DriftIgnore {
	i := DriftIgnore{File: hb.DefRange.Filename, Line: hb.DefRange.Start.Line}
	if attr := r.attrs["units"]; attr != nil && r.unit != nil {
		r.fail(attr.NameRange, "Not here", "A rule in the block of a unit is for that unit; one with units stands in the drift block at the top.")
	}
	i.Units = r.globs("units", plainGlob)
	i.Addresses = r.globs("addresses", addressGlob)
	i.Fields = r.globs("fields", addressGlob)
	i.Classes = r.words("classes", driftClasses)
	if r.attrs["addresses"] == nil && r.attrs["fields"] == nil && r.attrs["classes"] == nil {
		r.fail(hb.DefRange, "Rule without a subject", "An ignore rule names addresses, fields or classes; scans of a whole unit are turned off by enabled = false in its block.")
	}
	if r.attrs["reason"] == nil {
		r.fail(hb.DefRange, "Missing reason", "An ignore rule says why: reason = \"the autoscaler sets it\".")
	}
	value(r, "reason", stringValue, func(attr *hcl.Attribute, s string) {
		if i.Reason = strings.TrimSpace(s); i.Reason == "" {
			r.fail(attr.Expr.Range(), "Missing reason", "The reason is empty.")
		}
	})
	if r.attrs["until"] == nil {
		r.fail(hb.DefRange, "Missing until", "An ignore rule ends some day: until = \"2027-01-31\", at most a year ahead.")
	}
	value(r, "until", stringValue, func(attr *hcl.Attribute, s string) {
		day, err := time.ParseInLocation(time.DateOnly, s, r.Timezone)
		if err != nil {
			day, err = time.Parse(time.RFC3339, s)
		}
		if err != nil {
			r.fail(attr.Expr.Range(), "Bad until", fmt.Sprintf("%q is no day such as \"2027-01-31\".", s))
		}
		i.Until = day
	})
	return i
}

func (r *driftReader) severity(hb *hcl.Block) DriftSeverity {
	s := DriftSeverity{File: hb.DefRange.Filename, Line: hb.DefRange.Start.Line}
	s.Kinds = r.globs("kinds", plainGlob)
	s.Changes = r.words("changes", driftChanges)
	s.Classes = r.words("classes", driftClasses)
	if r.attrs["kinds"] == nil && r.attrs["changes"] == nil {
		r.fail(hb.DefRange, "Rule without a subject", "A severity rule names kinds, changes or both.")
	}
	if r.attrs["level"] == nil {
		r.fail(hb.DefRange, "Missing level", "A severity rule says level = \"critical\", \"warning\" or \"info\".")
	}
	value(r, "level", func(attr *hcl.Attribute, match []string) (string, hcl.Diagnostics) {
		return choiceValue(attr, match, driftLevels...)
	}, func(_ *hcl.Attribute, level string) { s.Level = level })
	return s
}

// list reads a list that names something: of an empty one nobody can say whether it means all or nothing.
func (r *driftReader) list(name string, check func(*hcl.Attribute, string)) []string {
	var out []string
	value(r, name, stringsValue, func(attr *hcl.Attribute, all []string) {
		if len(all) == 0 {
			r.fail(attr.Expr.Range(), "Empty list", fmt.Sprintf("%s names nothing. Leave it out for all, or say which.", name))
		}
		for _, s := range all {
			check(attr, s)
		}
		out = all
	})
	return out
}

func (r *driftReader) words(name string, choices []string) []string {
	return r.list(name, func(attr *hcl.Attribute, s string) {
		for _, c := range choices {
			if s == c {
				return
			}
		}
		r.fail(attr.Expr.Range(), "Bad "+name, fmt.Sprintf("%q is none of %s.%s", s, strings.Join(choices, ", "), didYouMean(s, choices)))
	})
}

func (r *driftReader) globs(name string, plain func(string) string) []string {
	return r.list(name, func(attr *hcl.Attribute, s string) {
		if s == "" || !doublestar.ValidatePattern(plain(s)) {
			r.fail(attr.Expr.Range(), "Bad pattern", fmt.Sprintf("%q in %s is no pattern: * and ? stand for text, {a,b} for a or b.", s, name))
		}
	})
}

func plainGlob(s string) string { return s }

// addressGlob takes brackets as what they are in addresses: an index, no class of characters.
func addressGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(s)
}
