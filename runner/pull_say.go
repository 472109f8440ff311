package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/internal/outbox"
	"github.com/mooring-iac/mooring/internal/web"
)

// The contexts of commit statuses.
const (
	planStatus   = "mooring/plan"
	policyStatus = "mooring/policy"
	applyStatus  = "mooring/apply"
)

// note is what waits in the outbox: one thing to tell a forge.
type note struct {
	Pull    string              `json:"pull"`
	Report  bool                `json:"report,omitempty"` // bring the report up to date
	Commit  string              `json:"commit,omitempty"` // set a status of it
	Status  *forge.Status       `json:"status,omitempty"`
	Comment int64               `json:"comment,omitempty"` // react to it
	React   forge.Reaction      `json:"react,omitempty"`
	Answer  string              `json:"answer,omitempty"` // say this once; the marker tells it from others
	Marker  string              `json:"marker,omitempty"`
	Merge   *forge.MergeRequest `json:"merge,omitempty"`
}

func queueOf(repository string) string { return "forge " + repository }

// put has something told. It is told once the transaction is durable, and until it is
// heard; a newer text for the same key takes the place of one that still waits.
func (r *Runner) put(tx *bbolt.Tx, repository, key string, n note) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return outbox.Put(tx, r.opts.Now(), outbox.Item{Queue: queueOf(repository), Key: key, Body: body})
}

// tell wakes whoever posts.
func (v *reviewer) tell() {
	select {
	case v.outgo <- struct{}{}:
	default: // one wish is enough
	}
}

func (v *reviewer) marker(p *pull) string {
	return comment.Marker("report", v.repo.cfg.Name, p.number())
}

// announce has the report and the statuses of a pull request brought up to date with
// what the transaction writes. The caller stores the pull request.
func (v *reviewer) announce(tx *bbolt.Tx, p *pull) error {
	defer tx.OnCommit(v.tell)
	if !v.tellsOf(p) {
		return nil
	}
	if p.number() > 0 {
		if err := v.r.put(tx, p.Repository, "report "+p.ID, note{Pull: p.ID, Report: true}); err != nil {
			return err
		}
	}
	planned, err := v.planReport(tx, p, false)
	if err != nil {
		return err
	}
	all := planStatuses(p, planned)
	if err := v.addApplied(tx, p, &planned, false); err != nil {
		return err
	}
	if s, ok := appliedStatus(p, planned); ok {
		all = append(all, s)
	}
	return v.setStatuses(tx, p, all)
}

// tellsOf tells whether the forge hears of a plan: of a pull request, and of what its
// merge queue tries, by statuses alone.
func (v *reviewer) tellsOf(p *pull) bool {
	return v.forge != nil && (p.number() > 0 || inMergeQueue(p.Seen.HeadRef, p.Seen.Base))
}

// pending says that a plan is under way.
func (v *reviewer) pending(tx *bbolt.Tx, p *pull) error {
	defer tx.OnCommit(v.tell)
	if !v.tellsOf(p) {
		return nil
	}
	return v.setStatuses(tx, p, []forge.Status{{Context: planStatus, Check: forge.Pending, Description: "planning", URL: v.runPage(p.Plan.Run)}})
}

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
			case Failed, Skipped, Interrupted:
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
		all = append(all, policyOf(report))
	}
	return all
}

// waitsForSomebody tells that a person can still make a plan of this head.
func waitsForSomebody(p *pull) bool { return !p.Ended && p.Seen.Fork && p.Allowed != p.Seen.Head }

// policyOf is the gate's word: what needs a person besides the review.
func policyOf(report comment.Report) forge.Status {
	var need []string
	for _, u := range report.Units {
		if u.Policy != "" {
			need = append(need, u.ID+" "+u.Policy)
		}
	}
	s := forge.Status{Context: policyStatus, Check: forge.Success, Description: "nothing in it needs more than a review", URL: report.URL}
	if len(need) > 0 {
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

// runPage is where a run is shown; "" where Mooring has no address.
func (v *reviewer) runPage(run string) string {
	if v.r.opts.PublicURL == "" || run == "" {
		return ""
	}
	return strings.TrimRight(v.r.opts.PublicURL, "/") + web.RunPath(run)
}

// unitPage is where the full text of a unit is shown.
func (v *reviewer) unitPage(run, unit string) string {
	if v.runPage(run) == "" {
		return ""
	}
	return strings.TrimRight(v.r.opts.PublicURL, "/") + web.UnitPath(run, unit)
}

// report is everything that is to be said of a pull request now. With texts the plans'
// own words are in it, which are read from disk.
func (v *reviewer) report(tx *bbolt.Tx, p *pull, texts bool) (comment.Report, error) {
	c, err := v.planReport(tx, p, texts)
	if err == nil {
		err = v.addApplied(tx, p, &c, texts)
	}
	c.Next = v.nextOf(tx, p, c.Units)
	return c, err
}

// planReport is what is to be said of the plan alone.
func (v *reviewer) planReport(tx *bbolt.Tx, p *pull, texts bool) (comment.Report, error) {
	c := comment.Report{Marker: v.marker(p), Head: p.Seen.Head, Waits: v.waitsOf(p)}
	if p.Plan == nil {
		c.Failed = "not planned yet"
		return c, nil
	}
	c.Head, c.Base, c.Failed = p.Plan.Head, p.Plan.Base, p.Plan.Failed
	if p.Ended && p.Seen.State != forge.Merged {
		c.Notes = append(c.Notes, endedBecause(p.Seen))
	}
	if p.Plan.Run == "" {
		if len(c.Waits) > 0 {
			c.Title = fmt.Sprintf("No plan of %s yet: it waits for %s", short(p.Plan.Head), standsBehind(p))
		}
		return c, nil
	}
	run, err := getRun(tx, p.Plan.Run)
	if errors.Is(err, ErrNoRun) {
		c.Failed = "its plan was made so long ago that nothing is kept of it: `mooring plan` makes a new one"
		return c, nil
	}
	if err != nil {
		return c, err
	}
	kept, err := reviewedPlans(tx, p.Repository, p.ID)
	if err != nil {
		return c, err
	}
	c.Run, c.URL, c.Seconds, c.Notes = run.ID, v.runPage(run.ID), run.Seconds, append(c.Notes, run.Notes...)
	if run.Cancelled != "" {
		c.Notes = append(c.Notes, run.Cancelled)
	}
	c.Notes = append(c.Notes, appliedBefore(tx, p)...)
	for _, u := range run.Units {
		from, policy := run.ID, ""
		if k := kept[u.ID]; k != nil {
			policy = k.Needs
			if k.Run != "" { // an older plan of the same files stands: what it said lies with its run
				from = k.Run
			}
		}
		unit := v.unitOf(from, u, texts)
		unit.Policy = policy
		c.Units = append(c.Units, unit)
	}
	return c, nil
}

// addApplied lets the run that applies what was reviewed say how its units stand.
func (v *reviewer) addApplied(tx *bbolt.Tx, p *pull, c *comment.Report, texts bool) error {
	var all Run
	for _, id := range p.takers() {
		run, err := getRun(tx, id)
		if errors.Is(err, ErrNoRun) {
			continue
		}
		if err != nil {
			return err
		}
		c.Run, c.URL, c.Seconds = run.ID, v.runPage(run.ID), run.Seconds
		c.Title = short(run.Commit)
		if id == p.Applied {
			c.Notes = append(c.Notes, run.Notes...)
		}
		for _, u := range run.Units {
			if p.took(run.ID, u.ID) {
				all.Units = append(all.Units, u)
				v.putApplied(c, run.ID, u, texts)
			}
		}
	}
	if len(all.Units) == 0 {
		return nil
	}
	all.Settle()
	c.Title = fmt.Sprintf("%s of %s", appliedWord(all.Status), c.Title)
	if c.Failed != "" { // it was merged all the same
		c.Notes = append(c.Notes, "there was no plan to review: "+c.Failed)
		c.Failed = ""
	}
	return nil
}

// putApplied lets the run that took a unit say how it stands, in place of the plan.
func (v *reviewer) putApplied(c *comment.Report, run string, u UnitResult, texts bool) {
	now := v.unitOf(run, u, texts)
	i := slices.IndexFunc(c.Units, func(old comment.Unit) bool { return old.ID == u.ID })
	if i < 0 {
		c.Units = append(c.Units, now)
		return
	}
	if now.Diff == "" && len(now.Objects) == 0 {
		now.Diff, now.Objects = c.Units[i].Diff, c.Units[i].Objects
	}
	c.Units[i] = now
}

// appliedBefore says how an earlier apply of the same pull request went.
func appliedBefore(tx *bbolt.Tx, p *pull) []string {
	if p.Before == "" {
		return nil
	}
	run, err := getRun(tx, p.Before)
	if err != nil {
		return nil // collected
	}
	notes := []string{fmt.Sprintf("the apply before this plan, %s, came to %s", run.ID, run.Status)}
	for _, u := range run.Units {
		if u.Status != Applied && u.Status != Unchanged {
			notes = append(notes, fmt.Sprintf("%s %s: %s", u.ID, u.Status, joined(u.Error, u.Reason)))
		}
	}
	return notes
}

func appliedWord(s Status) string {
	switch s {
	case Running, Queued:
		return "Apply"
	case Applied, Unchanged:
		return "Applied: plan"
	}
	return "Apply " + string(s) + ": plan"
}

// unitOf puts a unit's result into the words of a comment.
func (v *reviewer) unitOf(run string, u UnitResult, texts bool) comment.Unit {
	c := comment.Unit{
		ID: u.ID, Kind: string(u.Kind), Status: string(u.Status), Reason: u.Reason, Error: u.Error, Notes: u.Notes,
		Add: u.Add, Change: u.Change, Destroy: u.Destroy, Removal: u.Removal, Seconds: u.Seconds,
	}
	if u.Kind == KindManifests {
		c.Add, c.Change, c.Destroy = u.Created, u.Configured+u.Recreated, u.Pruned
	}
	c.URL = v.unitPage(run, u.ID)
	if !texts {
		return c
	}
	c.Diff, c.Difference = v.r.planText(run, u.ID, diffSuffix), v.r.planText(run, u.ID, differenceSuffix)
	if c.Diff != "" || u.Error != "" {
		c.Text = v.r.logText(run, u.ID, textLimit)
	}
	for _, o := range u.Objects {
		if o.Action == "unchanged" && o.Message == "" {
			continue
		}
		object := comment.Object{Ref: o.Ref, Action: o.Action, Note: o.Message}
		if o.Diff != nil {
			object.Diff, object.Note = o.Diff.Text, joined(o.Message, o.Diff.Note)
		}
		c.Objects = append(c.Objects, object)
	}
	return c
}

// textLimit is how much of what Terraform printed goes into the making of a comment.
const textLimit = 16 << 20
