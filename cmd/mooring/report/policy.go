package report

import (
	"strings"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/runner"
)

// policy prints what policies said of a unit, whose yes is missing, and who gave theirs.
func (p *page) policy(u *runner.UnitResult) {
	if u.Policy == nil {
		return
	}
	for _, f := range u.Policy.Verdict.Findings {
		word, c := "denied", red
		switch f.Effect {
		case policies.Ask:
			word, c = "asks", yellow
		case policies.Warn:
			word, c = "warns", yellow
		}
		p.text(under, c, Finding(word, f))
	}
	if len(u.Policy.Needs) > 0 {
		p.text(under, yellow, "needs the yes of "+needs(u.Policy.Needs))
	}
	for _, a := range u.Policy.Approvals {
		p.text(under, dim, "approved by "+CleanLine(a.By))
	}
}

// Finding is one word of one rule in one line.
func Finding(word string, f policies.Finding) string {
	s := word + " " + f.Rule + ": "
	if f.Subject != "" && !strings.Contains(f.Message, f.Subject) {
		s += f.Subject + ": "
	}
	s += f.Message
	if place := f.Place(); place != "" {
		s += " (" + place + ")"
	}
	if f.Remedy != "" {
		s += ": " + f.Remedy
	}
	return CleanLine(s)
}

func needs(all []policies.Need) string {
	var said []string
	for _, n := range all {
		said = append(said, n.String())
	}
	return CleanLine(strings.Join(said, ", "))
}
