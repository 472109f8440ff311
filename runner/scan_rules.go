package runner

import (
	"time"

	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// ruled takes out of what was found what the repository's rules leave out, and grades the rest by them.
func ruled(u *workspace.Unit, found []drift.Finding, now time.Time) (kept []drift.Finding, left []drift.LeftOut) {
	var ignore []drift.Ignore
	for _, i := range u.Drift.Ignore {
		ignore = append(ignore, drift.Ignore{
			Units: i.Units, Addresses: i.Addresses, Fields: i.Fields, Classes: inClasses(i.Classes), Reason: i.Reason, Until: i.Until, File: i.File, Line: i.Line,
		})
	}
	kept, ignored := drift.Leave(u.ID, found, ignore, now)
	for _, i := range ignored {
		if i.Whole {
			left = append(left, drift.LeftOut{Address: i.Finding.Address, Class: i.Finding.Class, Reason: i.Rule.Reason})
		}
	}
	var severity []drift.SeverityRule
	for _, s := range u.Drift.Severity {
		rule := drift.SeverityRule{Kinds: s.Kinds, Classes: inClasses(s.Classes), Level: drift.Severity(s.Level)}
		for _, c := range s.Changes {
			rule.Changes = append(rule.Changes, drift.Change(c))
		}
		severity = append(severity, rule)
	}
	drift.Grade(kept, severity)
	return kept, left
}

func inClasses(names []string) (all []drift.Class) {
	for _, n := range names {
		all = append(all, drift.Class(n))
	}
	return all
}
