package runner

import (
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
)

// The contexts of commit statuses.
const (
	planStatus   = "mooring/plan"
	policyStatus = "mooring/policy"
	applyStatus  = "mooring/apply"
)

func (v *reviewer) setStatuses(tx *bbolt.Tx, p *pull, all []forge.Status) error {
	for _, s := range all {
		commit := p.Seen.Head // how it ended is said of what was merged, or closed, planned or not
		if p.Plan != nil && s.Context != applyStatus {
			commit = p.Plan.Head
		}
		if err := v.r.put(tx, p.Repository, "status "+commit+" "+s.Context, note{Pull: p.ID, Commit: commit, Status: &s}); err != nil {
			return err
		}
	}
	return nil
}

// planStatuses say in one line each how the plan of a pull request stands. Every word is final for
// what it is of: only a plan or an apply under way, and what waits for a lock or for
// somebody to let a fork run, is pending, and ends with the pull request at the latest.
func planStatuses(p *pull, report comment.Report) []forge.Status {
	plan := forge.Status{Context: planStatus, Check: forge.Success, Description: comment.StatusText(report), URL: report.URL}
	switch {
	case p.Plan == nil:
		return nil
	case p.Plan.Failed != "" && waitsForSomebody(p):
		plan.Check = forge.Pending
	case p.Plan.Failed != "" && p.Ended:
		plan.Check, plan.Description = forge.Error, "ended without a plan"
	case p.Plan.Failed != "":
		plan.Check = forge.Failure
	case len(p.Waits) > 0 && !p.Ended:
		plan.Check, plan.Description = forge.Pending, "waits for "+standsBehind(p)
	case !p.Plan.Done && p.Ended:
		plan.Check, plan.Description = forge.Error, "the pull request ended before the plan did"
	case !p.Plan.Done:
		plan.Check, plan.Description = forge.Pending, "planning"
	default:
		for _, u := range report.Units {
			switch Status(u.Status) {
			case Failed, Skipped, Interrupted, Held: // held: it is not planned before somebody lets it run
				plan.Check = forge.Failure
			case Superseded, Cancelled:
				if plan.Check == forge.Success {
					plan.Check, plan.Description = forge.Error, "cancelled"
				}
			}
		}
	}
	all := []forge.Status{plan}
	if p.Plan.Done && p.Plan.Failed == "" {
		all = append(all, policyOf(p, report))
	}
	return all
}

// waitsForSomebody tells that a person can still make a plan of this head.
func waitsForSomebody(p *pull) bool { return !p.Ended && p.Seen.Fork && p.Allowed != p.Seen.Head }

// policyOf is what the rules and the gate say: what is denied, whose yes is missing, and
// what needs a person besides the review.
func policyOf(p *pull, report comment.Report) forge.Status {
	s := forge.Status{Context: policyStatus, Check: forge.Success, Description: "nothing in it needs more than a review", URL: report.URL}
	var deny, need []string
	for _, u := range report.Units {
		if u.Denied {
			deny = append(deny, u.ID)
		}
		if u.Policy != "" && !u.Denied {
			need = append(need, u.ID+" "+u.Policy)
		}
	}
	switch {
	case len(deny) > 0:
		s.Check, s.Description = forge.Failure, "denied: "+strings.Join(deny, ", ")
	case len(p.Left) > 0:
		s.Check, s.Description = forge.Failure, "needs the yes of "+needWords(p.Left)
	case len(need) > 0:
		s.Description = "needs a person's yes: " + strings.Join(need, ", ")
	}
	return s
}

// appliedStatus is how far the apply of what was reviewed has come; false where there
// is none.
func appliedStatus(p *pull, report comment.Report) (forge.Status, bool) {
	s := forge.Status{Context: applyStatus, Check: forge.Success, URL: report.URL}
	if p.Ended && p.Seen.State != forge.Merged && len(p.Trees) > 0 {
		s.Check, s.Description = forge.Error, "closed after an apply and not merged: what was applied is planned from the branch"
		return s, true
	}
	if p.Applied == "" {
		if !p.Ended || p.Seen.State == forge.Merged {
			return s, false
		}
		s.Check, s.Description = forge.Error, endedBecause(p.Seen)+": nothing was applied"
		return s, true
	}
	count := map[Status]int{}
	for _, u := range report.Units {
		count[Status(u.Status)]++
	}
	switch {
	case count[Running]+count[Queued] > 0:
		s.Check, s.Description = forge.Pending, "applying"
	case count[Failed]+count[Interrupted] > 0:
		s.Check, s.Description = forge.Failure, comment.StatusText(report)
	case count[Held] > 0:
		s.Check, s.Description = forge.Failure, "held: "+comment.StatusText(report)
	case count[Skipped]+count[Deferred] > 0:
		s.Check, s.Description = forge.Failure, comment.StatusText(report)
	default:
		s.Description = comment.StatusText(report)
	}
	return s, true
}
