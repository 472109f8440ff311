package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
)

// decideAsked carries a yes or a no to what is held.
func (v *reviewer) decideAsked(ctx context.Context, id string, c forge.Comment, cmd comment.Command) error {
	a := answering{v: v, c: c}
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return err
	}
	approve := cmd.Verb == comment.VerbApprove
	by := fmt.Sprintf("%s (user %d, %s)", c.By.Login, c.By.ID, id)
	switch {
	case approve && c.By.ID == p.Seen.Author.ID && !v.repo.cfg.Policies.SelfApproval:
		return v.heard(id, c, a.say("the author's own yes does not count: somebody else has to say it"))
	case p.Applied == "" && approve:
		return v.heard(id, c, a.do(func(tx *bbolt.Tx, p *pull) string { return v.approvePlan(tx, p, c, by, cmd.Units) }))
	case p.Applied == "":
		return v.heard(id, c, a.say("nothing of it waits for a decision: what is planned here is reviewed with the forge's own review"))
	}
	waits, why, err := v.waitingOf(p, c.By, cmd.Units, approve)
	if err != nil || why != "" {
		if err != nil {
			return err
		}
		return v.heard(id, c, a.say(why))
	}
	said := ""
	for run, units := range waits {
		var in func(who string) bool
		if in, err = v.memberOf(ctx, run, c.By); err != nil {
			return err
		}
		_, err = v.r.decide(Decision{Run: run, Units: units, By: by, Login: c.By.Login, In: in}, approve)
		switch {
		case errors.Is(err, ErrNothingWaits), errors.Is(err, ErrNoRun), errors.Is(err, errNoUnit):
			return v.heard(id, c, a.say(err.Error()))
		case err != nil:
			return err
		}
	}
	if approve {
		if said, err = v.stillNeeded(waits); err != nil {
			return err
		}
	}
	// A kill in between lets the same decision be taken twice, which changes nothing.
	return v.heard(id, c, a.do(func(*bbolt.Tx, *pull) string { return said }))
}

// waitingOf are the units that wait for a decision, by the run in which they do: what this
// pull request brought, and nothing that others did, whom the same run may have taken. why
// says what is wrong with the names, or that nothing waits. What a pull request of the one
// who decides changed too waits for the yes of somebody else.
func (v *reviewer) waitingOf(p *pull, by forge.User, named []string, approve bool) (waits map[string][]string, why string, err error) {
	waits, here := map[string][]string{}, map[string]Status{}
	own := ""
	err = v.r.journal.view(func(tx *bbolt.Tx) error {
		theirs, err := v.changedBy(tx, by)
		if err != nil {
			return err
		}
		for _, id := range p.takers() {
			run, err := getRun(tx, id)
			if errors.Is(err, ErrNoRun) {
				continue // collected: nothing of it waits
			}
			if err != nil {
				return err
			}
			for _, u := range run.Units {
				if !p.took(run.ID, u.ID) {
					continue
				}
				here[u.ID] = u.Status
				if (u.Status == Held || u.Status == Interrupted) && (len(named) == 0 || slices.Contains(named, u.ID)) {
					if other := theirs[u.ID]; approve && other != "" && !v.repo.cfg.Policies.SelfApproval {
						own = fmt.Sprintf("%s was changed by %s too, whose author's own yes does not count: somebody else has to say it", u.ID, other)
						continue
					}
					waits[run.ID] = append(waits[run.ID], u.ID)
				}
			}
		}
		return nil
	})
	for _, unit := range named {
		switch s, ok := here[unit]; {
		case !ok:
			return nil, fmt.Sprintf("nothing of %s came with this pull request", unit), err
		case s != Held && s != Interrupted:
			return nil, fmt.Sprintf("%s: %v: it is %s", unit, ErrNothingWaits, s), err
		}
	}
	switch {
	case own != "" && (len(named) > 0 || len(waits) == 0):
		return nil, own, err
	case len(waits) == 0:
		why = ErrNothingWaits.Error()
	}
	return waits, why, err
}

// changedBy are the units that merged pull requests of one author changed and that have not
// converged on that since, with the pull request.
func (v *reviewer) changedBy(tx *bbolt.Tx, author forge.User) (map[string]string, error) {
	repository := v.repo.cfg.Name
	all, err := pulls(tx, repository)
	if err != nil {
		return nil, err
	}
	units := map[string]string{}
	for _, p := range all {
		if p.Seen.Author.ID != author.ID || !p.Ended || p.Seen.State != forge.Merged {
			continue
		}
		run, err := getRun(tx, runOf(p))
		if err != nil {
			continue // so old that nothing is kept of it, or never planned
		}
		for _, u := range run.Units {
			m, err := getMemory(tx, repository, u.ID)
			if err != nil {
				return nil, err
			}
			if u.Status == Unchanged || m.Taken == nil && m.Converged != "" {
				continue
			}
			if had, err := v.repo.mirror.IsAncestor(p.Seen.MergeCommit, m.Converged); err != nil || !had {
				units[u.ID] = p.ID
			}
		}
	}
	return units, nil
}
