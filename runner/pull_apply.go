package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/workspace"
)

// applyAsked applies what was reviewed of a pull request, before its merge.
func (v *reviewer) applyAsked(ctx context.Context, id string, c forge.Comment, units []string) error {
	a := answering{v: v, c: c}
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return err
	}
	why, err := v.mayApply(ctx, p, units)
	if err != nil {
		return err
	}
	if why != "" {
		return v.heard(id, c, a.say("not applied: "+why))
	}
	yes, _, err := v.approvers(ctx, p)
	if err != nil {
		return err
	}
	graph, err := v.repo.scan(ctx, reading{p.Plan.Commit, p.Plan.Base})
	if err != nil {
		return err
	}
	before, err := v.repo.graphAt(ctx, p.Plan.Base)
	if err != nil {
		return err
	}
	var x *execution
	err = v.heard(id, c, func(tx *bbolt.Tx, now *pull) error {
		if now.Plan == nil || now.Plan.Run != p.Plan.Run || now.Seen.Head != p.Plan.Head || now.Ended {
			return v.answer(tx, now, c, "not applied: it moved while it was looked at")
		}
		if why, err := v.holdsAll(tx, now, graph, before); err != nil || why != "" {
			return errors.Join(err, v.answer(tx, now, c, "not applied: "+why))
		}
		apply := &pullApply{v: v, tx: tx, p: now, by: c.By, yes: yes, units: units}
		if x, err = apply.begin(graph, before.Unit); err != nil {
			return err
		}
		now.Applied = x.run.ID
		now.Ahead = append(now.Ahead, x.run.ID)
		return v.announce(tx, now)
	})
	if err != nil || x == nil {
		return err
	}
	v.carry(ctx, id, x)
	return nil
}

// askAgain asks for a pull request until the forge knows whether it could merge it, for
// a few seconds: after a push it has to find out.
func (v *reviewer) askAgain(ctx context.Context, number int) (now forge.PullRequest, err error) {
	for range 10 {
		now, err = v.forge.PullRequest(ctx, number)
		if err != nil || now.Mergeable != forge.Unknown || !slices.Contains(v.cfg.Require, RequireMergeable) {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, context.Cause(ctx)
		case <-time.After(300 * time.Millisecond):
		}
	}
	return now, nil
}

// holdsAll says which lock of what it is about to apply a pull request does not have.
func (v *reviewer) holdsAll(tx *bbolt.Tx, p *pull, graph, before *workspace.Graph) (string, error) {
	run, err := getRun(tx, p.Plan.Run)
	if err != nil {
		return "", err
	}
	for _, u := range run.Units {
		unit := graph.Unit(u.ID)
		if u.Removal {
			unit = before.Unit(u.ID)
		}
		if unit == nil {
			return "", fmt.Errorf("%s is not in what was planned", u.ID)
		}
		if h, held, err := locks.Get(tx, v.r.lockKey(v.repo, unit)); err != nil {
			return "", err
		} else if !held || h.Run != p.ID || h.Repository != p.Repository {
			return fmt.Sprintf("it has no lock of %s any more: `mooring plan` takes it again", u.ID), nil
		}
	}
	return "", nil
}

// mayApply says why a pull request may not be applied now, or "". Everything that can
// have moved is asked for now.
func (v *reviewer) mayApply(ctx context.Context, p *pull, units []string) (string, error) {
	switch {
	case !v.beforeMerge():
		return "this repository applies after the merge", nil
	case len(p.Waits) > 0:
		return "it waits for " + standsBehind(p), nil
	case v.midApply(p):
		return "it is being applied", nil
	case v.under(p.ID) != nil || p.Again != "":
		return "a new plan is under way: look at it first", nil
	case !p.planned():
		return "there is no plan of its head yet", nil
	case p.Plan.Failed != "":
		return p.Plan.Failed, nil
	case p.Seen.Fork && p.Allowed != p.Plan.Head:
		return "nobody with write access has let this head of a fork run", nil
	}
	if !p.Plan.Shown {
		return "its plan has yet to be shown here: look at it first", nil
	}
	if p.Applied != "" {
		return "it was applied already, by " + p.Applied, nil
	}
	now, err := v.askAgain(ctx, p.number())
	if err != nil {
		return "", err
	}
	if now.State != forge.Open || now.Head != p.Plan.Head || now.Base != p.Seen.Base {
		return fmt.Sprintf("the plan is of %s, and the pull request has moved on", short(p.Plan.Head)), nil
	}
	refs, err := v.repo.mirror.Refs(ctx)
	if err != nil {
		return "", err
	}
	if err := v.repo.mirror.Fetch(ctx, refs.Head.Commit); err != nil {
		return "", err
	}
	if refs.Head.Commit != p.Plan.Base && v.touched(ctx, p, refs.Head.Commit) {
		return "the branch has moved in what this plan is about: a new plan is made", nil
	}
	if why, err := v.missingUnits(ctx, p, units); why != "" || err != nil {
		return why, err
	}
	for _, r := range v.cfg.Require {
		if why, err := v.requirement(ctx, r, p, now, refs.Head.Commit); why != "" || err != nil {
			return why, err
		}
	}
	return v.rulesHold(ctx, p) // whatever is required: who wrote the rules meant them
}

// missingUnits says why the units that a person named, or all where none is named,
// cannot be applied.
func (v *reviewer) missingUnits(ctx context.Context, p *pull, units []string) (string, error) {
	run, err := v.r.Show(p.Plan.Run)
	if err != nil {
		return "its plan is gone: `mooring plan` makes a new one", nil
	}
	for _, id := range units {
		if u := run.Unit(id); u == nil {
			return fmt.Sprintf("the plan has no unit %q", id), nil
		} else if u.Status != Planned {
			return fmt.Sprintf("%s is %s: there is nothing to apply", id, u.Status), nil
		}
	}
	if !slices.ContainsFunc(run.Units, func(u UnitResult) bool { return u.Status == Planned }) {
		return "the plan has nothing to apply", nil
	}
	if len(units) == 0 {
		return "", nil
	}
	graph, err := v.repo.scan(ctx, reading{p.Plan.Commit, p.Plan.Base})
	if err != nil {
		return "", err
	}
	for _, s := range graphSteps(graph, planned(run)) {
		if !slices.Contains(units, s.id) {
			continue
		}
		for _, up := range s.after {
			if !slices.Contains(units, up) {
				return fmt.Sprintf("%s comes after %s: apply that too, or first", s.id, up), nil
			}
		}
	}
	return "", nil
}

// planned are the units of a run that have something to apply, but for those that go.
func planned(run Run) (ids []string) {
	for _, u := range run.Units {
		if u.Status == Planned && !u.Removal {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

func (v *reviewer) requirement(ctx context.Context, r Requirement, p *pull, now forge.PullRequest, base string) (string, error) {
	switch r {
	case RequireApproved:
		_, why, err := v.agreed(ctx, p)
		return why, err
	case RequireMergeable:
		switch now.Mergeable {
		case forge.Yes:
			return "", nil
		case forge.No:
			return "the forge would not merge it now", nil
		}
		return "the forge does not say yet whether it could be merged: ask again in a moment", nil
	case RequireUpToDate:
		has, err := v.repo.mirror.IsAncestor(base, p.Plan.Head)
		if err == nil && !has {
			return "it does not hold everything that the branch has: update it first", nil
		}
		return "", err
	case RequirePolicies:
		return v.policiesHold(ctx, p)
	}
	return fmt.Sprintf("the server asks for %q, which nobody here knows", r), nil
}

// nextOf says what may be typed now.
func (v *reviewer) nextOf(tx *bbolt.Tx, p *pull, units []comment.Unit) []comment.Next {
	if p.Ended && p.Seen.State != forge.Merged {
		return nil
	}
	has := func(s ...Status) bool {
		return slices.ContainsFunc(units, func(u comment.Unit) bool { return slices.Contains(s, Status(u.Status)) })
	}
	var all []comment.Next
	add := func(command, does string) { all = append(all, comment.Next{Command: command, Does: does}) }
	if p.Applied != "" && has(Held, Interrupted) {
		add("mooring approve", "applies what is held; somebody else than the author has to say it")
		add("mooring discard", "drops it")
	}
	if p.Ended {
		return all
	}
	if p.Applied == "" && has(Held) {
		add("mooring approve", "lets run what it adds, and plans it; somebody else than the author has to say it")
	} else if p.Applied == "" && len(p.Left) > 0 {
		add("mooring approve", "says yes to this plan, as an approving review does")
	}
	if v.beforeMerge() && p.Applied == "" && has(Planned) {
		does := "applies this plan"
		if len(v.cfg.Require) > 0 {
			var words []string
			for _, r := range v.cfg.Require {
				words = append(words, string(r))
			}
			does += ", once it is " + strings.Join(words, ", ")
		}
		add("mooring apply", does)
		add("mooring unlock", "drops it, and lets go of its locks")
	}
	if p.Applied == "" {
		add("mooring plan", "plans again")
	}
	return all
}

// pullApply is the beginning of an apply before a merge: one transaction.
type pullApply struct {
	v     *reviewer
	tx    *bbolt.Tx
	p     *pull
	by    forge.User
	yes   []yes // of those who approved it
	units []string
}

// mergeNow merges what was applied whole. The forge refuses where the head has moved.
func (v *reviewer) mergeNow(ctx context.Context, p *pull, m forge.MergeRequest) error {
	if p.Ended || p.Seen.Head != m.Head {
		return nil
	}
	err := v.forge.Merge(ctx, m)
	if !errors.Is(err, forge.ErrRefused) && !errors.Is(err, forge.ErrDenied) {
		v.hint()
		return err
	}
	words := err.Error()
	return v.r.changePull(p.Repository, p.ID, func(tx *bbolt.Tx, p *pull) error {
		marker := comment.Marker("merge", p.Repository, p.number(), m.Head)
		return v.r.put(tx, p.Repository, "merge refused "+p.ID, note{Pull: p.ID, Answer: "it is applied, and could not be merged: " + words + ". Merge it by hand, or push again.", Marker: marker})
	})
}
