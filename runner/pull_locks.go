package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/locks"
)

// beforeMerge tells that pull requests are applied before they are merged, and hold
// their units from the plan on.
func (v *reviewer) beforeMerge() bool {
	return v.forge != nil && v.repo.cfg.Apply == BeforeMerge
}

// IsPull tells a holder of locks that is a pull request, or a review branch, from one
// that is a run.
func IsPull(holder string) bool {
	return strings.HasPrefix(holder, "#") || strings.HasPrefix(holder, branchID(""))
}

// takeLocks takes the locks of all units that a pull request changes, where it is
// applied before the merge: all of them, or none. Who stands behind somebody waits in
// the order in which they came, and is told for whom.
func (v *reviewer) takeLocks(ctx context.Context, p *pull, x *reviewRun, mine *planning) (waits []waitFor, err error) {
	defer mine.claimed()
	if !v.beforeMerge() || p.number() == 0 {
		return nil, nil
	}
	if mine.turn != nil {
		select {
		case <-mine.turn:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	x.locked = p.ID
	var wants []want
	for _, u := range x.run.Units {
		unit := x.graph.Unit(u.ID)
		if t, ok := x.tasks[u.ID]; ok {
			unit = t.unit
		}
		wants = append(wants, want{u.ID, v.r.lockKey(v.repo, unit)})
	}
	err = v.r.changePull(p.Repository, p.ID, func(tx *bbolt.Tx, p *pull) error {
		if p.Ended || p.Seen.Head != x.plan.Head {
			waits = []waitFor{{By: "the next look"}}
			return nil
		}
		said := p.Waits
		if waits, err = claim(tx, p, wants, v.r.opts.Now()); err != nil || len(waits) == 0 {
			return err
		}
		if slices.Equal(said, waits) && p.Plan != nil && p.Plan.Head == x.plan.Head && p.Plan.Base == x.plan.Base {
			return nil // said already
		}
		if err := v.replacePlan(tx, p, &pullPlan{Head: x.plan.Head, Base: x.plan.Base}, "it waits for "+standsBehind(p)); err != nil {
			return err
		}
		return v.announce(tx, p)
	})
	return waits, err
}

// want is a unit that a pull request needs, and the lock that guards it.
type want struct {
	unit string
	key  locks.Key
}

// claim gives a pull request all the locks that it wants and no others, or none: then
// it stands in the queue, and is told behind whom. What it has it need not queue for;
// what somebody further ahead in the queue wants is theirs first. One that has applied
// something keeps the locks that it has while it waits, so that nobody plans what is
// half done; but never for somebody who waits too, or two could wait for each other.
// The caller stores the pull request.
func claim(tx *bbolt.Tx, p *pull, wants []want, now time.Time) ([]waitFor, error) {
	held, err := locks.List(tx)
	if err != nil {
		return nil, err
	}
	holders := map[locks.Key]locks.Holder{}
	for _, l := range held {
		holders[l.Key] = l.Holder
	}
	all, err := pulls(tx, p.Repository)
	if err != nil {
		return nil, err
	}
	ahead, inLine := wantedBefore(all, p)
	var waits []waitFor
	keeps := len(p.Trees) > 0
	units := make([]string, 0, len(wants))
	for _, w := range wants {
		units = append(units, w.unit)
		by := ahead[w.unit]
		if h, ok := holders[w.key]; ok {
			if by = h.Run; h.Repository != p.Repository {
				by = h.Repository + " " + h.Run
			} else if by == p.ID {
				continue
			}
		}
		if by != "" {
			waits = append(waits, waitFor{w.unit, by})
			keeps = keeps && !inLine[by]
		}
	}
	if len(waits) > 0 {
		if p.Waits, p.Wants = waits, units; p.Queued == 0 {
			if p.Queued, err = tx.Bucket(pullsBucket).NextSequence(); err != nil {
				return nil, err
			}
		}
		if keeps {
			return waits, nil
		}
		return waits, releasePull(tx, p)
	}
	p.leaveQueue()
	if err := releasePull(tx, p); err != nil {
		return nil, err
	}
	for _, w := range wants {
		h := locks.Holder{Unit: w.unit, Repository: p.Repository, Run: p.ID, Reason: fmt.Sprintf("%s by %s", p.Seen.Title, p.Seen.Author.Login), Since: now}
		if mine, ok := holders[w.key]; ok {
			h.Since = mine.Since
		}
		if err := locks.Acquire(tx, w.key, h); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// wantedBefore are the units that pull requests further ahead in the queue wait for,
// and all that stand in it.
func wantedBefore(all []*pull, p *pull) (ahead map[string]string, inLine map[string]bool) {
	var line []*pull
	inLine = map[string]bool{}
	for _, other := range all {
		if other.ID == p.ID || other.Ended || other.Queued == 0 {
			continue
		}
		inLine[other.ID] = true
		if p.Queued == 0 || other.Queued < p.Queued {
			line = append(line, other)
		}
	}
	slices.SortFunc(line, func(a, b *pull) int { return cmp.Compare(a.Queued, b.Queued) })
	ahead = map[string]string{}
	for _, other := range line {
		for _, unit := range other.Wants {
			if ahead[unit] == "" {
				ahead[unit] = other.ID
			}
		}
	}
	return ahead, inLine
}

// leaveQueue takes a pull request out of the queue: it has what it wants, or wants
// nothing any more.
func (p *pull) leaveQueue() { p.Waits, p.Wants, p.Queued = nil, nil, 0 }

// yield lets others go on where there will be no plan of a pull request. What it has
// applied stays locked until it is merged, closed or unlocked.
func yield(tx *bbolt.Tx, p *pull) error {
	p.leaveQueue()
	if len(p.Trees) > 0 {
		return nil
	}
	return releasePull(tx, p)
}

// heldByPull tells that a lock is an open pull request's, which holds it from one start
// of Mooring to the next.
func (r *Runner) heldByPull(tx *bbolt.Tx, l locks.Lock) bool {
	if !IsPull(l.Run) {
		return false
	}
	repo, err := r.repository(l.Repository)
	if err != nil || repo.reviews == nil || !repo.reviews.beforeMerge() {
		return false
	}
	p, err := getPull(tx, l.Repository, l.Run)
	return err == nil && !p.Ended
}

// standsBehind names whom a pull request waits for.
func standsBehind(p *pull) string {
	var by []string
	for _, w := range p.Waits {
		if !slices.Contains(by, w.By) {
			by = append(by, w.By)
		}
	}
	return strings.Join(by, ", ")
}

// releasePull lets go of every lock of a pull request.
func releasePull(tx *bbolt.Tx, p *pull) error {
	all, err := locks.List(tx)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Run != p.ID || l.Repository != p.Repository {
			continue
		}
		if err := locks.Release(tx, l.Key, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// unlockPull drops the plans of a pull request and lets go of its locks.
func (v *reviewer) unlockPull(tx *bbolt.Tx, p *pull, by string) error {
	some, err := v.r.abandon(tx, p)
	if err := errors.Join(err, releasePull(tx, p), dropReviewed(tx, p.Repository, p.ID, nil), v.r.settlePlan(tx, p, "unlocked by "+by)); err != nil {
		return err
	}
	if some {
		tx.OnCommit(func() {
			v.repo.undone.Store(true)
			v.repo.wish()
		})
	}
	p.leaveQueue()
	p.apart()
	p.Stop, p.Again, p.Trees, p.Ahead = p.Seen.Head, "", nil, nil
	p.Plan = &pullPlan{Head: p.Seen.Head, Failed: fmt.Sprintf("unlocked by %s: its plans are dropped; `mooring plan` makes new ones", by), Done: true}
	tx.OnCommit(v.hint)
	return v.announce(tx, p)
}

// beingApplied tells that an apply of a pull request has not ended, whoever watches it.
func beingApplied(tx *bbolt.Tx, p *pull) bool {
	if p.Applied == "" {
		return false
	}
	run, err := getRun(tx, p.Applied)
	return err == nil && run.Finished == nil
}

// lent are the units that open pull requests have applied before their merge, or try to:
// what the branch says of them counts when those are merged or closed.
func (r *Runner) lent(tx *bbolt.Tx, repo *repository, known map[string]*memory) (map[string]bool, error) {
	if repo.reviews == nil || !repo.reviews.beforeMerge() {
		return nil, nil
	}
	all, err := pulls(tx, repo.cfg.Name)
	if err != nil {
		return nil, err
	}
	units := map[string]bool{}
	for _, p := range all {
		if p.Ended || len(p.Trees) == 0 {
			continue
		}
		for id, m := range known {
			if m.takenBy(p) {
				units[id] = true
			}
		}
		if !beingApplied(tx, p) {
			continue
		}
		run, err := getRun(tx, p.Applied)
		if err != nil {
			return nil, err
		}
		for _, u := range run.Units {
			units[u.ID] = true
		}
	}
	return units, nil
}

// cameBack tells that one of the units is lent no more.
func (r *Runner) cameBack(tx *bbolt.Tx, repo *repository, units []string) (bool, error) {
	if len(units) == 0 {
		return false, nil
	}
	known, err := memories(tx, repo.cfg.Name)
	if err != nil {
		return false, err
	}
	lent, err := r.lent(tx, repo, known)
	return err == nil && slices.ContainsFunc(units, func(id string) bool { return !lent[id] }), err
}

// stopHolders ends the plans under way of pull requests that hold a unit. An apply is
// not ended by this.
func (r *Runner) stopHolders(repository, unit, by string) {
	all, err := r.Locks()
	if err != nil {
		return // who reads them next says it
	}
	for _, l := range all {
		if l.Unit != unit || repository != "" && l.Repository != repository || !IsPull(l.Run) {
			continue
		}
		repo, err := r.repository(l.Repository)
		if err != nil || repo.reviews == nil {
			continue
		}
		if p, err := r.pull(l.Repository, l.Run); err == nil && p.Applied == "" {
			repo.reviews.stop(p.ID, "an unlock by "+by)
		}
	}
}

// unlockHolder takes every lock from the pull request that holds one.
func (r *Runner) unlockHolder(tx *bbolt.Tx, l locks.Lock, by string) error {
	repo, err := r.repository(l.Repository)
	if err != nil {
		return err
	}
	if repo.reviews == nil { // its forge is no longer in the configuration
		_, err := locks.Break(tx, l.Key)
		return err
	}
	p, err := getPull(tx, l.Repository, l.Run)
	if err != nil {
		return err
	}
	if beingApplied(tx, p) {
		return fmt.Errorf("unlock %s, which %s holds: it is being applied: `mooring cancel %s` first", l.Unit, l.Run, p.Applied)
	}
	if err := repo.reviews.unlockPull(tx, p, by); err != nil {
		return fmt.Errorf("unlock %s, which %s holds: %w", l.Unit, l.Run, err)
	}
	return putPull(tx, p)
}

// waitsOf says what a pull request waits for, in words for its author.
func (v *reviewer) waitsOf(p *pull) []string {
	var all []string
	for _, w := range p.Waits {
		if !p.Ended && w.Unit != "" {
			all = append(all, fmt.Sprintf("%s is locked by %s: this is planned when that is merged, closed or unlocked", w.Unit, w.By))
		}
	}
	return all
}
