package runner

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/policies"
)

// ErrDenied is returned for what policies forbid, whoever says yes.
var ErrDenied = errors.New("policies deny it")

// PolicyResult is what policies say of a unit in a run, and who has said yes to it: a
// record that stays with the run for good.
type PolicyResult struct {
	Verdict   policies.Verdict    `json:"verdict"`
	Needs     []policies.Need     `json:"needs,omitempty"`     // whose yes is still missing
	Approvals []policies.Approval `json:"approvals,omitempty"` // every yes that was said in the run, and when
	Counted   []string            `json:"counted,omitempty"`   // the logins that Needs has counted: nobody is two people
}

// policyResult is the record of a verdict; nil where there is nothing to record.
func policyResult(v *policies.Verdict) *PolicyResult {
	if v == nil || v.Rules == 0 && len(v.Findings) == 0 {
		return nil
	}
	return &PolicyResult{Verdict: *v, Needs: v.Needs()}
}

// denied tells whether a verdict forbids; no verdict forbids nothing.
func denied(v *policies.Verdict) bool { return v != nil && v.Denied() }

// mostWords is how many findings one line holds; all of them are in the record.
const mostWords = 10

// words are the findings of one effect in one line.
func words(all []policies.Finding, effect policies.Effect) string {
	var said []string
	for _, f := range all {
		if f.Effect != effect {
			continue
		}
		s := f.Message
		if f.Subject != "" && !strings.Contains(s, f.Subject) {
			s = f.Subject + ": " + s
		}
		if place := f.Place(); place != "" {
			s += " (" + f.Rule + " at " + place + ")"
		} else {
			s += " (" + f.Rule + ")"
		}
		if f.Remedy != "" {
			s += ": " + f.Remedy
		}
		said = append(said, s)
	}
	if n := len(said) - mostWords; n > 0 {
		said = append(said[:mostWords], fmt.Sprintf("and %d more", n))
	}
	return strings.Join(said, "; ")
}

// asksFor says whose yes is missing and why, or "".
func asksFor(v *policies.Verdict, missing []policies.Need) string {
	if v == nil || len(missing) == 0 {
		return ""
	}
	return "needs the yes of " + needWords(missing) + ": " + words(v.Findings, policies.Ask)
}

func needWords(all []policies.Need) string {
	var said []string
	for _, n := range all {
		said = append(said, n.String())
	}
	return strings.Join(said, ", ")
}

// missing are the needs that those who said yes do not meet. in tells whether somebody
// belongs to a group; one person counts once for each.
func missing(needs []policies.Need, yes []string, in func(who, login string) bool) (left []policies.Need) {
	for _, n := range needs {
		var counted []string
		for _, login := range yes {
			if !slices.Contains(counted, login) && in(n.Who, login) {
				counted = append(counted, login)
			}
		}
		if n.Count > len(counted) {
			left = append(left, policies.Need{Who: n.Who, Count: n.Count - len(counted)})
		}
	}
	return left
}

// hideFindings takes secrets out of what rules said: the rules see none that is marked as
// one, and a policy may still print what it was given.
func hideFindings(v *policies.Verdict, hide *redact.Redactor) *policies.Verdict {
	if v == nil {
		return nil
	}
	for _, all := range [][]policies.Finding{v.Findings, v.Excepted} {
		for i := range all {
			all[i].Message, all[i].Remedy = hide.Text(all[i].Message), hide.Text(all[i].Remedy)
			all[i].Details = hideDetails(all[i].Details, hide)
		}
	}
	return v
}

// hideDetails hides in texts at any depth.
func hideDetails(details map[string]any, hide *redact.Redactor) map[string]any {
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case string:
			return hide.Text(v)
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k])
			}
		}
		return v
	}
	for k, v := range details {
		details[k] = walk(v)
	}
	return details
}

// deniedError is the end of a unit that rules forbid.
func deniedError(v policies.Verdict) error {
	return fmt.Errorf("%w: %s", ErrDenied, words(v.Findings, policies.Deny))
}

// approvals are the yeses that were said to a task's plan in review.
func (t task) approvals() (all []policies.Approval) {
	for _, y := range t.yes {
		all = append(all, policies.Approval{By: y.Login + " in " + t.brought, At: y.At})
	}
	return all
}

// approvedBy are the logins of those who said yes to it in review.
func (t task) approvedBy() string {
	var logins []string
	for _, y := range t.yes {
		logins = append(logins, y.Login)
	}
	return strings.Join(logins, ", ")
}

// then is the record after a later word of the same run: who approved before stays in it.
func (p *PolicyResult) then(later *PolicyResult) *PolicyResult {
	if later == nil || p == nil || later == p {
		return cmp.Or(later, p)
	}
	both := *later
	both.Approvals = slices.Clone(p.Approvals)
	for _, a := range later.Approvals {
		if !slices.ContainsFunc(both.Approvals, func(b policies.Approval) bool { return a.By == b.By }) {
			both.Approvals = append(both.Approvals, a)
		}
	}
	return &both
}
