package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/policies"
)

// unmet are the needs of a verdict that those who said yes do not meet.
func (v *reviewer) unmet(ctx context.Context, needs []policies.Need, yes []yes) ([]policies.Need, error) {
	var failed error
	ids := map[string]forge.User{}
	var logins []string
	for _, y := range yes {
		ids[y.Login] = y.User
		logins = append(logins, y.Login)
	}
	left := missing(needs, logins, func(who, login string) bool {
		in, err := v.in(ctx, who, ids[login])
		failed = errors.Join(failed, err)
		return in
	})
	return left, failed
}

// in tells whether a person belongs to a group that a rule may name. A group that nobody
// knows has no members.
func (v *reviewer) in(ctx context.Context, who string, u forge.User) (bool, error) {
	if in, known := v.r.opts.inGroup(who, u.Login); known {
		return in, nil
	}
	team, ok := strings.CutPrefix(who, "team:")
	if !ok {
		return false, nil
	}
	return v.inOneOf(ctx, []string{team}, u)
}

// inGroup tells whether a login belongs to a group, as far as the operator's own
// configuration knows it.
func (o *Options) inGroup(who, login string) (in, known bool) {
	same := func(name string) bool { return strings.EqualFold(name, login) && login != "" }
	if who == "anyone" {
		return login != "", true
	}
	if name, ok := strings.CutPrefix(who, "user:"); ok {
		return same(name), true
	}
	name, _ := strings.CutPrefix(who, "team:")
	members, known := o.Teams[name]
	return slices.ContainsFunc(members, same), known
}

// policiesHold says what the gate wants a person's yes for and has none, or "".
func (v *reviewer) policiesHold(ctx context.Context, p *pull) (string, error) {
	kept, err := v.keptPlans(p)
	if err != nil {
		return "", err
	}
	var gate []string
	for _, k := range kept {
		if k.Needs != "" {
			gate = append(gate, k.Unit+" "+k.Needs)
		}
	}
	if len(gate) == 0 {
		return "", nil
	}
	by, why, err := v.agreed(ctx, p)
	if err != nil || by != "" {
		return "", err
	}
	return strings.Join(gate, ", ") + ": " + why, nil
}

// rulesHold says what the rules deny in a pull request's plan, or whose yes they still
// want, or "".
func (v *reviewer) rulesHold(ctx context.Context, p *pull) (string, error) {
	kept, err := v.keptPlans(p)
	if err != nil {
		return "", err
	}
	var all policies.Verdict
	for _, k := range kept {
		if denied(k.Verdict) {
			return fmt.Sprintf("%s: %v", k.Unit, deniedError(*k.Verdict)), nil
		}
		if k.Verdict != nil {
			all.Findings = append(all.Findings, k.Verdict.Findings...)
		}
	}
	if len(all.Needs()) == 0 {
		return "", nil
	}
	yes, why, err := v.approvers(ctx, p)
	if err != nil {
		return "", err
	}
	left, err := v.unmet(ctx, all.Needs(), yes)
	if err != nil || len(left) == 0 {
		return "", err
	}
	return joined(asksFor(&all, left), why), nil
}

// countNeeds finds out whose yes the rules still want, and says so where that has changed.
func (v *reviewer) countNeeds(ctx context.Context, id string) error {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil || !p.planned() || p.Plan.Run == "" {
		return err
	}
	kept, err := v.keptPlans(p)
	if err != nil {
		return err
	}
	var left []policies.Need
	if needs := needsOf(kept); len(needs) > 0 {
		yes, _, err := v.approvers(ctx, p)
		if err != nil {
			return err
		}
		if left, err = v.unmet(ctx, needs, yes); err != nil {
			return err
		}
	}
	if slices.Equal(left, p.Left) {
		return nil
	}
	return v.r.changePull(p.Repository, p.ID, func(tx *bbolt.Tx, now *pull) error {
		if now.Plan == nil || now.Plan.Run != p.Plan.Run {
			return nil
		}
		now.Left = left
		return v.announce(tx, now)
	})
}

// needsOf are all whom the rules ask for.
func needsOf(kept []*reviewed) []policies.Need {
	var all policies.Verdict
	for _, k := range kept {
		if k.Verdict != nil {
			all.Findings = append(all.Findings, k.Verdict.Findings...)
		}
	}
	return all.Needs()
}

func (v *reviewer) keptPlans(p *pull) (all []*reviewed, err error) {
	err = v.r.journal.view(func(tx *bbolt.Tx) error {
		kept, err := reviewedPlans(tx, p.Repository, p.ID)
		for _, k := range kept {
			all = append(all, k)
		}
		return err
	})
	slices.SortFunc(all, func(a, b *reviewed) int { return strings.Compare(a.Unit, b.Unit) })
	return all, err
}

// approvePlan is a typed yes before anything is applied: it lets run what waits for that,
// else it is one to the plan that is shown.
func (v *reviewer) approvePlan(tx *bbolt.Tx, p *pull, c forge.Comment, by string, units []string) string {
	if p.Plan == nil || !p.Plan.Done || !p.Plan.Shown || p.Plan.Head != p.Seen.Head {
		return "there is no plan of this head that you could have seen: look at it when it is here, and type it again"
	}
	run, err := getRun(tx, p.Plan.Run)
	if err != nil {
		return v.sayYes(tx, p, c)
	}
	held := heldUnits(run)
	for _, id := range units {
		if !slices.Contains(held, id) && len(held) > 0 {
			return fmt.Sprintf("%s does not wait: these do: %s", id, strings.Join(held, ", "))
		}
	}
	if len(held) == 0 {
		return v.sayYes(tx, p, c)
	}
	if len(units) == 0 {
		units = held
	}
	if err := v.r.letRun(tx, run, units, by); err != nil {
		return err.Error()
	}
	now, err := getPull(tx, p.Repository, p.ID)
	if err != nil {
		return err.Error()
	}
	now.Heard = p.Heard
	*p = *now
	return ""
}

// memberOf answers which of the groups that a run's rules ask for a person belongs to: it
// is asked of the forge before the decision is recorded, which no transaction waits for.
func (v *reviewer) memberOf(ctx context.Context, run string, u forge.User) (func(who string) bool, error) {
	r, err := v.r.Show(run)
	if err != nil {
		return nil, err
	}
	is := map[string]bool{}
	for _, unit := range r.Units {
		if unit.Policy == nil {
			continue
		}
		for _, n := range unit.Policy.Needs {
			if is[n.Who], err = v.in(ctx, n.Who, u); err != nil {
				return nil, err
			}
		}
	}
	return func(who string) bool { return is[who] }, nil
}

// stillNeeded says of units that somebody has just approved whose yes is missing still.
func (v *reviewer) stillNeeded(waits map[string][]string) (string, error) {
	var said []string
	for id, units := range waits {
		run, err := v.r.Show(id)
		if err != nil {
			return "", err
		}
		for _, unit := range units {
			if u := run.Unit(unit); u != nil && u.Policy != nil && len(u.Policy.Needs) > 0 {
				said = append(said, stillNeeds(unit, u.Policy.Needs))
			}
		}
	}
	slices.Sort(said)
	return strings.Join(said, "; "), nil
}

// sayYes records a yes that was typed, to the plan that is shown.
func (v *reviewer) sayYes(tx *bbolt.Tx, p *pull, c forge.Comment) string {
	switch {
	case p.Plan == nil || !p.Plan.Done || !p.Plan.Shown || p.Plan.Head != p.Seen.Head:
		return "there is no plan of this head that you could have seen: look at it when it is here, and type it again"
	case p.Plan.Failed != "":
		return "there is no plan to say yes to"
	}
	y := review{By: c.By, Verdict: forge.Approved, Commit: p.Plan.Head, At: v.r.opts.Now(), Content: p.Plan.Content}
	p.Yeses = slices.DeleteFunc(p.Yeses, func(old review) bool { return old.By.ID == c.By.ID })
	p.Yeses = append(p.Yeses, y)
	return ""
}
