package runner

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/policies"
)

func (v *reviewer) marker(p *pull) string {
	return comment.Marker("report", v.repo.cfg.Name, p.number())
}

// runPage is where a run is shown; "" where Mooring has no address.
func (v *reviewer) runPage(run string) string {
	return v.r.page(run, "")
}

// unitPage is where the full text of a unit is shown.
func (v *reviewer) unitPage(run, unit string) string {
	return v.r.page(run, unit)
}

// reportOf is a report in the making. The plans' own words lie on disk, and are read when
// the journal has been: no transaction waits for them.
type reportOf struct {
	comment.Report
	runs map[string][]string // by unit: the runs that kept words of it, the last one first
}

// report is everything that is to be said of a pull request now, but for its plans' words.
func (v *reviewer) report(tx *bbolt.Tx, p *pull) (*reportOf, error) {
	c, err := v.planReport(tx, p)
	if err == nil {
		err = v.addApplied(tx, p, c)
	}
	c.Next = v.nextOf(tx, p, c.Units)
	return c, err
}

// planReport is what is to be said of the plan alone.
func (v *reviewer) planReport(tx *bbolt.Tx, p *pull) (*reportOf, error) {
	c := &reportOf{comment.Report{Marker: v.marker(p), Head: p.Seen.Head, Waits: v.waitsOf(p)}, map[string][]string{}}
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
		var verdict *policies.Verdict
		if k := kept[u.ID]; k != nil {
			policy = k.Needs
			verdict = k.Verdict
			if k.Adds != nil && verdict == nil {
				verdict = k.Adds
			}
			if k.Run != "" { // an older plan of the same files stands: what it said lies with its run
				from = k.Run
			}
		}
		unit := v.unitOf(from, u)
		unit.Policy = policy
		addRules(&unit, verdict)
		c.Units, c.runs[u.ID] = append(c.Units, unit), []string{from}
	}
	return c, nil
}

// addApplied lets the run that applies what was reviewed say how its units stand.
func (v *reviewer) addApplied(tx *bbolt.Tx, p *pull, c *reportOf) error {
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
				v.putApplied(c, run.ID, u)
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
func (v *reviewer) putApplied(c *reportOf, run string, u UnitResult) {
	now := v.unitOf(run, u)
	c.runs[u.ID] = append([]string{run}, c.runs[u.ID]...)
	i := slices.IndexFunc(c.Units, func(old comment.Unit) bool { return old.ID == u.ID })
	if i < 0 {
		c.Units = append(c.Units, now)
		return
	}
	if len(now.Objects) == 0 {
		now.Objects = c.Units[i].Objects
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
func (v *reviewer) unitOf(run string, u UnitResult) comment.Unit {
	c := comment.Unit{
		ID: u.ID, Kind: string(u.Kind), Status: string(u.Status), Reason: u.Reason, Error: u.Error, Notes: u.Notes,
		Add: u.Add, Change: u.Change, Destroy: u.Destroy, Removal: u.Removal, Seconds: u.Seconds,
	}
	if u.Kind == KindManifests {
		c.Add, c.Change, c.Destroy = u.Created, u.Configured+u.Recreated, u.Pruned
	}
	c.URL = v.unitPage(run, u.ID)
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

// addTexts reads the words that the runs have kept: the readable plan of the last one that
// has any, and Terraform's own of the last one.
func (v *reviewer) addTexts(c *reportOf) {
	for i := range c.Units {
		u := &c.Units[i]
		for n, run := range c.runs[u.ID] {
			said := v.r.planText(run, u.ID, diffSuffix)
			if n == 0 {
				u.Difference = v.r.planText(run, u.ID, differenceSuffix)
				if said != "" || u.Error != "" {
					u.Text = v.r.logText(run, u.ID, textLimit)
				}
			}
			if u.Diff = said; said != "" || len(u.Objects) > 0 {
				break
			}
		}
	}
}

// addRules fills in what policies say of a unit.
func addRules(u *comment.Unit, v *policies.Verdict) {
	if v == nil {
		return
	}
	u.Denied = v.Denied()
	for _, f := range v.Findings {
		u.Rules = append(u.Rules, comment.Rule{Effect: string(f.Effect), Text: words([]policies.Finding{f}, f.Effect)})
	}
	switch needs := v.Needs(); {
	case u.Denied:
		u.Policy = "denied"
	case len(needs) > 0 && u.Policy != "":
		u.Policy += ", needs " + needWords(needs)
	case len(needs) > 0:
		u.Policy = "needs " + needWords(needs)
	}
}
