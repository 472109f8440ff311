package runner

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
)

// lend gives a task what is known of the review of its unit.
func (o *origin) lend(t task) task {
	id := o.of[t.unit.ID]
	t.brought = id
	if k := o.plans[id][t.unit.ID]; id != "" && k != nil && k.Removal == t.removal {
		t.reviewed, t.agreed, t.yes, t.met = k, len(o.yes[id]) > 0, o.yes[id], o.met[id][t.unit.ID]
	}
	return t
}

// fits tells whether a reviewed plan may be applied as it was saved, without another
// word of a person.
func (t task) fits() bool {
	k := t.reviewed
	return k != nil && k.Status == Planned && !k.Volatile && k.File != "" && (t.agreed || k.Needs == "" && !t.removal) && !denied(k.Verdict) && (t.met || k.asksNobody())
}

// asksNobody tells that no rule wants a person for the plan.
func (k *reviewed) asksNobody() bool { return k.Verdict == nil || len(k.Verdict.Needs()) == 0 }

// adopt makes the reviewed plans that may be applied those of the run, and lets the
// pull requests know which run takes what they brought.
func (x *execution) adopt(tx *bbolt.Tx, o *origin, v *reviewer) error {
	for id, t := range x.tasks {
		if !t.fits() {
			continue
		}
		if m := x.memory(id); m.Unseen || m.Intent != nil {
			continue // how its last apply ended nobody saw: a person looks first
		}
		if err := x.promote(tx, id, t); err != nil {
			return err
		}
		t.approved = true
		t.decision = verdict{Repository: x.run.Repository, Run: x.run.ID, Unit: id, Approve: true, By: "the review of " + t.brought, At: x.r.opts.Now()}
		u := x.run.Unit(id)
		if shown, err := getRun(tx, t.reviewed.Run); err == nil && shown.Unit(id) != nil {
			u.foretold(shown.Unit(id))
		}
		if u.Policy = policyResult(t.reviewed.Verdict); u.Policy != nil && t.met {
			u.Policy.Needs, u.Policy.Approvals = nil, t.approvals()
		}
		if t.agreed {
			u.Notes = withNotes(u.Notes, fmt.Sprintf("approved by %s in %s", t.approvedBy(), t.brought))
		}
		u.Notes = withNotes(u.Notes, reviewedNote(t.brought))
		if err := putResult(tx, x.run.ID, *u); err != nil {
			return err
		}
		x.tasks[id] = t
	}
	for _, id := range o.pulls {
		p, err := getPull(tx, x.run.Repository, id)
		if err != nil {
			return err
		}
		took := false
		for unit, t := range x.tasks {
			if t.brought != id {
				continue
			}
			if p.Took == nil {
				p.Took = map[string]string{}
			}
			took, p.Took[unit] = true, x.run.ID
		}
		if !took {
			continue
		}
		p.Applied = x.run.ID
		if err := errors.Join(v.announce(tx, p), putPull(tx, p)); err != nil {
			return err
		}
	}
	return nil
}

func reviewedNote(pull string) string { return "the plan that was reviewed in " + pull }

// foretold fills a result with what its plan said in review.
func (u *UnitResult) foretold(shown *UnitResult) {
	u.Add, u.Change, u.Destroy, u.Outputs, u.Changes = shown.Add, shown.Change, shown.Destroy, shown.Outputs, shown.Changes
}

// takers are the runs that took, or apply, what a pull request brings, oldest first.
func (p *pull) takers() []string {
	all := slices.Collect(maps.Values(p.Took))
	if p.Applied != "" {
		all = append(all, p.Applied)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return slices.Compact(all)
}

// took tells that a run's word on a unit is the last one of this pull request. Before a
// merge it is of every unit that the run has.
func (p *pull) took(run, unit string) bool {
	return p.Took[unit] == run || p.Took == nil && p.Applied == run
}

// tellPulls has the pull requests of a run say what it came to.
func (r *Runner) tellPulls(tx *bbolt.Tx, repo *repository, run *Run) error {
	v := repo.reviews
	if v == nil {
		return nil
	}
	all, err := pulls(tx, run.Repository)
	if err != nil {
		return err
	}
	for _, p := range all {
		if !slices.Contains(p.takers(), run.ID) {
			continue
		}
		if err := errors.Join(v.announce(tx, p), putPull(tx, p)); err != nil {
			return err
		}
	}
	return nil
}

// mergedHere are the merged pull requests that the head holds and of which plans are kept.
func (p *pass) mergedHere() (ids []string, err error) {
	if p.repo.reviews == nil {
		return nil, nil
	}
	var kept []*pull
	err = p.r.journal.view(func(tx *bbolt.Tx) error {
		all, err := pulls(tx, p.repo.cfg.Name)
		for _, pr := range all {
			if !pr.Ended || pr.Seen.State != forge.Merged {
				continue
			}
			left, unread := reviewedPlans(tx, pr.Repository, pr.ID)
			if err = errors.Join(err, unread); len(left) > 0 {
				kept = append(kept, pr)
			}
		}
		return err
	})
	for _, pr := range kept {
		// What the head does not hold, or nobody can tell, is the next head's to take.
		if here, unknown := p.repo.mirror.IsAncestor(pr.Seen.MergeCommit, p.head); unknown == nil && here {
			ids = append(ids, pr.ID)
		}
	}
	return ids, err
}

// dropTaken forgets the reviewed plans of pull requests that the head holds, but for those
// of units that have yet to be taken.
func (p *pass) dropTaken(tx *bbolt.Tx, ids []string) error {
	for _, id := range ids {
		err := dropReviewed(tx, p.repo.cfg.Name, id, func(v *reviewed) bool {
			m := p.known[v.Unit]
			return m != nil && m.Taken != nil && retryable(m.Taken.Status) && !m.Taken.Began
		})
		if err != nil {
			return err
		}
	}
	return nil
}
