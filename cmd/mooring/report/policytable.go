package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/runner"
)

// Policies prints what policies said of each unit of a run, in the run's order.
func Policies(w io.Writer, run *runner.Run, s Style) error {
	p := page{Options: Options{Style: s}}
	asked := 0
	for i := range run.Units {
		u := &run.Units[i]
		if u.Policy == nil {
			continue
		}
		if asked++; asked > 1 {
			p.line("")
		}
		p.verdict(u)
	}
	if asked == 0 {
		p.line("No rule was asked about any unit of run %s.", CleanLine(run.ID))
	}
	_, err := io.WriteString(w, p.String())
	return err
}

// verdict prints one unit: its rules, a line for each that said something, and people.
func (p *page) verdict(u *runner.UnitResult) {
	v := u.Policy.Verdict
	digest := v.Digest
	if len(digest) > 12 {
		digest = digest[:12]
	}
	about := plural(v.Rules, "rule") + " asked"
	if digest != "" {
		about += ", policies " + CleanLine(digest)
	}
	p.line("%s  %s", p.paint(bold, CleanLine(u.ID)), p.paint(dim, about))
	if len(v.Findings)+len(v.Excepted) == 0 {
		p.text("  ", "", "nothing to say")
	} else {
		t := table{head: []string{"  EFFECT", "RULE", "WHERE", "NEEDS", "MESSAGE"}}
		for _, f := range v.Findings {
			t.rows = append(t.rows, findingRow(string(f.Effect), f))
		}
		for _, f := range v.Excepted {
			t.rows = append(t.rows, findingRow("excepted", f))
		}
		_ = t.write(&p.Builder, p.Style) // memory takes it
	}
	if len(u.Policy.Needs) > 0 {
		p.text("  ", yellow, "still needs the yes of "+needs(u.Policy.Needs))
	}
	for _, a := range u.Policy.Approvals {
		p.text("  ", green, fmt.Sprintf("approved by %s at %s", CleanLine(a.By), p.moment(a.At)))
	}
}

func findingRow(effect string, f policies.Finding) row {
	c := red
	switch policies.Effect(effect) {
	case policies.Ask, policies.Warn:
		c = yellow
	case "excepted":
		c = dim
	}
	message := f.Message
	if f.Subject != "" && !strings.Contains(message, f.Subject) {
		message = f.Subject + ": " + message
	}
	if f.Remedy != "" {
		message += " (" + strings.TrimSuffix(f.Remedy, ".") + ")"
	}
	dash := func(text string) string {
		if text == "" {
			return "-"
		}
		return CleanLine(text)
	}
	return row{color: c, cells: []string{"  " + CleanLine(effect), dash(f.Rule), dash(f.Place()), dash(needs(f.Needs)), CleanLine(message)}}
}
