package report

import (
	"fmt"
	"slices"

	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/runner"
)

// reviewName is what a run is a plan or an apply of, in words.
func reviewName(r *runner.Run) string {
	if r.PullRequest == 0 {
		return "review branch " + CleanLine(r.Branch)
	}
	return fmt.Sprintf("pull request #%d", r.PullRequest)
}

// reviewOf is the same in a table: "#12", or the branch.
func reviewOf(r *runner.Run) string {
	switch {
	case r.Trigger != runner.OnPullRequest:
		return ""
	case r.PullRequest == 0:
		return CleanLine(r.Branch)
	}
	return fmt.Sprintf("#%d", r.PullRequest)
}

func branchOr(branch, other string) string {
	if branch == "" {
		return other
	}
	return CleanLine(branch)
}

// reviewed says where a plan is decided on that was made for a review: not here.
func (p *page) reviewed(r *runner.Run) {
	open := slices.ContainsFunc(r.Units, func(u runner.UnitResult) bool {
		return u.Status == runner.Planned || u.Status == runner.Deferred
	})
	if r.Trigger != runner.OnPullRequest || !open {
		return
	}
	p.line("")
	if r.PullRequest == 0 {
		p.text("", "", fmt.Sprintf("A plan to look at: what is on %s runs when it reaches the branch that is followed.", CleanLine(r.Branch)))
		return
	}
	p.text("", "", fmt.Sprintf("Reviewed in #%d: a yes is said there, and there is nothing to approve here.", r.PullRequest))
}

// Unlocked says whose lock was broken, and what the holder loses with it.
func Unlocked(l locks.Lock) string {
	text := fmt.Sprintf("Unlocked %s of %s: it was held by %s (%s).\n", CleanLine(l.Unit), CleanLine(l.Repository), CleanLine(l.Run), CleanLine(l.Reason))
	if runner.IsPull(l.Run) {
		text += fmt.Sprintf("Pull request %s has lost its plans and all of its locks. `mooring plan` in a comment there makes new ones.\n", CleanLine(l.Run))
	}
	return text
}
