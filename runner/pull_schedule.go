package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// schedule starts the plans that are due, and ends those that are overtaken.
func (v *reviewer) schedule(ctx context.Context, refs mirror.Refs) error {
	known, err := v.r.pulls(v.repo.cfg.Name)
	if err != nil {
		return err
	}
	failed := v.unsettledApplies(known)
	if known, err = v.r.pulls(v.repo.cfg.Name); err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(p *pull) bool { return !p.Ended && p.Plan != nil && p.Plan.Base != refs.Head.Commit }) {
		// Whether it matters that the branch moved is to be read in its new commit.
		if err := v.repo.mirror.Fetch(ctx, refs.Head.Commit); err != nil {
			return fmt.Errorf("repository %s: %w", v.repo.cfg.Name, err)
		}
	}
	rules := sync.OnceValue(func() string { return v.r.rulesAt(ctx, v.repo, refs.Head.Commit) })
	var turn <-chan struct{}
	for _, p := range known {
		if p.Ended || v.midApply(p) { // what is new of it comes after its apply
			continue
		}
		due, why := v.due(ctx, p, refs.Head.Commit, rules)
		if why != "" {
			failed = errors.Join(failed, v.standBack(p, why))
		}
		if due {
			turn = v.start(ctx, p, refs, turn)
		}
	}
	return failed
}

// due tells whether a pull request wants a plan now, or why it gets none although it
// is open; neither where its plan is there, or under way. rules answers the digest of those
// that judge a plan now.
func (v *reviewer) due(ctx context.Context, p *pull, base string, rules func() string) (bool, string) {
	if why := v.cfg.excludes(p.Seen); why != "" {
		return false, why
	}
	if p.Seen.Fork && p.Allowed != p.Seen.Head {
		if v.cfg.NoForks {
			return false, "it comes from a fork, and nothing of a fork is run here"
		}
		return false, "it comes from a fork: nothing of it is run before somebody with write access has looked at it and typed `mooring plan`; that holds for this head alone"
	}
	under := v.under(p.ID)
	if under != nil && under.head == p.Seen.Head && under.base == base && p.Again == "" {
		return false, ""
	}
	switch {
	case p.Applied != "" && p.Plan != nil && p.Plan.Head == p.Seen.Head && p.Again == "":
		return false, "" // what was reviewed is being applied, or was
	case p.Stop == p.Seen.Head && p.Again == "":
		return false, ""
	case p.Plan == nil || p.Plan.Head != p.Seen.Head || !p.Plan.Done || p.Again != "":
		return true, ""
	case p.Plan.Base != base && v.touched(ctx, p, base):
		return true, ""
	}
	return p.Plan.Failed == "" && p.Plan.Rules != rules() && ctx.Err() == nil, ""
}

// mostMoves is how many moves of the branch are remembered with the units that they
// touch: many pull requests were planned at the same base.
const mostMoves = 100

// touched tells whether what the branch got since matters to a plan: whether it
// touches a unit of the plan, or what that depends on. What cannot be told does.
func (v *reviewer) touched(ctx context.Context, p *pull, base string) bool {
	if p.Plan.Failed != "" || p.Plan.Run == "" {
		return true
	}
	paths, err := v.repo.mirror.Changes(p.Plan.Base, base)
	if err != nil {
		return true
	}
	run, err := v.r.Show(p.Plan.Run)
	if err != nil {
		return true
	}
	graph, err := v.repo.graphAt(ctx, base)
	if err != nil {
		return true // its plan says what is wrong
	}
	key := p.Plan.Base + " " + base
	v.mu.Lock()
	moved, known := v.moved[key]
	v.mu.Unlock()
	if !known {
		before, _ := v.repo.scan(ctx, reading{files: p.Plan.Base}) // without an answer everybody's declaration changed
		moved = graph.Affected(paths, before)
		if ctx.Err() != nil {
			return true // what was read is not all
		}
		v.mu.Lock()
		if len(v.moved) >= mostMoves {
			clear(v.moved)
		}
		v.moved[key] = moved
		v.mu.Unlock()
	}
	return slices.ContainsFunc(run.Units, func(u UnitResult) bool { return slices.Contains(moved, u.ID) })
}

// standBack says in the pull request why nothing is planned, once a head.
func (v *reviewer) standBack(p *pull, why string) error {
	v.stop(p.ID, why)
	if p.Plan != nil && p.Plan.Head == p.Seen.Head && p.Plan.Failed == why {
		return nil
	}
	silent := v.cfg.excludes(p.Seen) != "" && p.Report == 0
	return v.r.changePull(p.Repository, p.ID, func(tx *bbolt.Tx, p *pull) error {
		if err := errors.Join(v.replacePlan(tx, p, &pullPlan{Head: p.Seen.Head, Failed: why, Done: true}, "nobody wants it any more: "+why), yield(tx, p)); err != nil {
			return err // who is not planned stands in nobody's way
		}
		if silent {
			return nil // who says that a draft is none of Mooring's business does not want to hear of it
		}
		return v.announce(tx, p)
	})
}

// start begins a plan; one of the same pull request that is under way is ended first.
// It takes its locks after turn, and the channel that it returns is the next one's.
func (v *reviewer) start(ctx context.Context, p *pull, refs mirror.Refs, turn <-chan struct{}) <-chan struct{} {
	ctx, cancel := context.WithCancelCause(ctx)
	claimed := make(chan struct{})
	mine := &planning{
		head: p.Seen.Head, base: refs.Head.Commit, merged: refs.All[mergeRef(p.Seen)], cancel: cancel, done: make(chan struct{}),
		turn: turn, claimed: sync.OnceFunc(func() { close(claimed) }),
	}
	v.mu.Lock()
	old := v.running[p.ID]
	v.running[p.ID] = mine
	v.mu.Unlock()
	if old != nil {
		old.cancel(&cancelled{by: overtaken(old, mine)})
	}
	v.wg.Go(func() {
		defer close(mine.done)
		defer mine.claimed()
		defer cancel(nil)
		if old != nil {
			<-old.done
		}
		var waits bool
		err := v.room(ctx)
		if err == nil {
			waits, err = v.plan(ctx, p.ID, mine)
			<-v.rooms
		}
		v.ended(p.ID, mine)
		if err != nil && ctx.Err() == nil {
			v.r.opts.Log.Error("a pull request cannot be planned; the next look tries again", "repository", v.repo.cfg.Name, "pull_request", p.ID, "error", err)
			return
		}
		if !waits {
			v.hint() // something may have waited for it
		}
	})
	if old != nil {
		return turn // it may wait for long
	}
	return claimed
}

// mostPlans is how many pull requests of a repository are planned at once: each holds the
// repository's units in memory, and hundreds may be open when the branch moves.
const mostPlans = 16

// room waits until a plan may begin.
func (v *reviewer) room(ctx context.Context) error {
	select {
	case v.rooms <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// mergeRef is where a forge that tries merges keeps the one of a pull request.
func mergeRef(pr forge.PullRequest) string {
	if base, ok := strings.CutSuffix(pr.HeadGitRef, "/head"); ok && pr.Number > 0 {
		return base + "/merge"
	}
	return ""
}

func overtaken(old, now *planning) string {
	if old.head != now.head {
		return "a newer push (" + short(now.head) + ")"
	}
	if old.base != now.base {
		return "a newer commit of the branch (" + short(now.base) + ")"
	}
	return "a newer wish for a plan"
}

// under is what is under way for a pull request; nil is nothing.
func (v *reviewer) under(id string) *planning {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.running[id]
}

// applying tells that a pull request is being applied: a look lets it be until that has
// ended, which asks for another look.
func (v *reviewer) applying(id string) bool {
	under := v.under(id)
	return under != nil && under.apply
}

// stop ends a plan under way and waits until nothing of it runs.
// An apply goes on: that is ended by `mooring cancel`, and by nothing else.
func (v *reviewer) stop(id, why string) {
	under := v.under(id)
	if under == nil || under.apply {
		return
	}
	under.cancel(&cancelled{by: why})
	<-under.done
}

// idle waits until no plan and no apply is under way, and tells whether one was.
func (v *reviewer) idle(ctx context.Context) (busy bool, err error) {
	for {
		v.mu.Lock()
		var under *planning
		for _, p := range v.running {
			under = p
			break
		}
		v.mu.Unlock()
		if under == nil {
			return busy, nil
		}
		busy = true
		select {
		case <-under.done:
		case <-ctx.Done():
			return busy, fmt.Errorf("wait for plans under way: %w", ctx.Err())
		}
	}
}

// endedBecause says how a pull request came to its end.
func endedBecause(now forge.PullRequest) string {
	switch now.State {
	case forge.Merged:
		return "it was merged"
	case forge.Open:
		return "it goes to another branch now"
	}
	return "it was closed without a merge"
}

// end settles a pull request that is merged, closed, deleted or no longer aimed at
// the branch: nothing of it runs or is locked, and every status is a final one.
func (v *reviewer) end(id string, now forge.PullRequest) error {
	v.stop(id, endedBecause(now))
	err := v.r.changePull(v.repo.cfg.Name, id, func(tx *bbolt.Tx, p *pull) error {
		p.Seen, p.Ended, p.Again = now, true, ""
		p.leaveQueue()
		if err := forgetEnded(tx, p.Repository); err != nil {
			return err
		}
		if err := releasePull(tx, p); err != nil {
			return err
		}
		if now.State != forge.Merged {
			if err := dropReviewed(tx, p.Repository, p.ID, nil); err != nil {
				return err
			}
			some, err := v.r.abandon(tx, p)
			if err != nil {
				return err
			}
			if some {
				tx.OnCommit(func() { v.repo.undone.Store(true) })
			}
		}
		return v.announce(tx, p)
	})
	v.repo.wish()
	v.hint()
	return err
}
