package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/locks"
)

// beforeMerge tells that pull requests are applied before they are merged, and hold
// their units from the plan on.
func (v *reviewer) beforeMerge() bool {
	return v.forge != nil && v.repo.cfg.Apply == BeforeMerge
}

// IsPull tells a holder of locks that is a pull request from one that is a run.
func IsPull(holder string) bool { return isPull(holder) }

// isPull tells the name of a pull request from that of a run.
func isPull(holder string) bool {
	return strings.HasPrefix(holder, "#") || strings.HasPrefix(holder, branchID(""))
}

// takeLocks takes the locks of all units that a pull request changes, where it is
// applied before the merge: all of them, or none. Who stands behind somebody waits in
// the order in which they came, and is told for whom.
func (v *reviewer) takeLocks(p *pull, x *reviewRun) (waits []waitFor, err error) {
	if !v.beforeMerge() || p.number() == 0 {
		return nil, nil
	}
	x.locked = p.ID
	keys := map[string]locks.Key{}
	for _, u := range x.run.Units {
		unit := x.graph.Unit(u.ID)
		if t, ok := x.tasks[u.ID]; ok {
			unit = t.unit
		}
		keys[u.ID] = v.r.lockKey(v.repo, unit)
	}
	err = v.r.changePull(p.Repository, p.ID, func(tx *bbolt.Tx, p *pull) error {
		waits = nil
		if p.Ended || p.Seen.Head != x.plan.Head {
			waits = []waitFor{{By: "the next look"}}
			return nil
		}
		mine := map[string]bool{} // what it holds it keeps, whoever waits for it
		for _, u := range x.run.Units {
			holder, held, err := locks.Get(tx, keys[u.ID])
			if err != nil {
				return err
			}
			mine[u.ID] = held && holder.Run == p.ID && holder.Repository == p.Repository
		}
		if err := releasePull(tx, p); err != nil {
			return err
		}
		ahead, err := wantedBefore(tx, p)
		if err != nil {
			return err
		}
		for _, u := range x.run.Units {
			if by := ahead[u.ID]; by != "" && !mine[u.ID] {
				waits = append(waits, waitFor{u.ID, by})
				continue
			}
			if holder, held, err := locks.Get(tx, keys[u.ID]); err != nil {
				return err
			} else if held {
				waits = append(waits, waitFor{u.ID, holder.Run})
			}
		}
		if len(waits) > 0 {
			return v.standBehind(tx, p, x, waits)
		}
		p.Waits, p.Queued = nil, 0
		for _, u := range x.run.Units {
			h := locks.Holder{Unit: u.ID, Repository: p.Repository, Run: p.ID, Reason: fmt.Sprintf("%s by %s", p.Seen.Title, p.Seen.Author.Login), Since: v.r.opts.Now()}
			if err := locks.Acquire(tx, keys[u.ID], h); err != nil {
				return err
			}
		}
		return nil
	})
	return waits, err
}

// heldByPull tells that a lock is an open pull request's, which holds it from one start
// of Mooring to the next.
func (r *Runner) heldByPull(tx *bbolt.Tx, l locks.Lock) bool {
	if !isPull(l.Run) {
		return false
	}
	repo, err := r.repository(l.Repository)
	if err != nil || repo.cfg.Apply != BeforeMerge {
		return false
	}
	p, err := getPull(tx, l.Repository, l.Run)
	return err == nil && !p.Ended
}

// standBehind puts a pull request into the queue, and keeps its place in it.
func (v *reviewer) standBehind(tx *bbolt.Tx, p *pull, x *reviewRun, waits []waitFor) error {
	if p.Queued == 0 {
		n, err := tx.Bucket(pullsBucket).NextSequence()
		if err != nil {
			return err
		}
		p.Queued = n
	}
	if slices.Equal(p.Waits, waits) && p.Plan != nil && p.Plan.Head == x.plan.Head {
		return nil // said already
	}
	p.Waits = waits
	if err := v.replacePlan(tx, p, &pullPlan{Head: x.plan.Head, Base: x.plan.Base}, "it waits for "+standsBehind(p)); err != nil {
		return err
	}
	return v.announce(tx, p)
}

// wantedBefore are the units that pull requests further ahead in the queue wait for.
func wantedBefore(tx *bbolt.Tx, p *pull) (map[string]string, error) {
	all, err := pulls(tx, p.Repository)
	if err != nil {
		return nil, err
	}
	ahead := map[string]string{}
	for _, other := range all {
		if other.ID == p.ID || other.Ended || other.Queued == 0 || p.Queued != 0 && other.Queued > p.Queued {
			continue
		}
		for _, w := range other.Waits {
			if ahead[w.Unit] == "" {
				ahead[w.Unit] = other.ID
			}
		}
	}
	return ahead, nil
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
func (v *reviewer) unlockPull(tx *bbolt.Tx, p *pull, by forge.User) string {
	if p.Applied != "" {
		run, err := getRun(tx, p.Applied)
		if err == nil && run.Finished == nil {
			return "it is being applied: `mooring cancel` first"
		}
	}
	err := errors.Join(releasePull(tx, p), dropReviewed(tx, p.Repository, p.ID, nil), v.r.settlePlan(tx, p, "unlocked by "+by.Login))
	if err != nil {
		return "it could not be unlocked: " + err.Error()
	}
	p.Stop, p.Again, p.Queued, p.Waits = p.Seen.Head, "", 0, nil
	p.Plan = &pullPlan{Head: p.Seen.Head, Failed: fmt.Sprintf("unlocked by %s: its plans are dropped; `mooring plan` makes new ones", by.Login), Done: true}
	if err := v.announce(tx, p); err != nil {
		return "it was unlocked, and that cannot be said: " + err.Error()
	}
	v.hint()
	return ""
}

// stopHolders ends the plans under way of pull requests that hold a unit. An apply is
// not ended by this.
func (r *Runner) stopHolders(repository, unit, by string) {
	all, err := r.Locks()
	if err != nil {
		return // who reads them next says it
	}
	for _, l := range all {
		if l.Unit != unit || repository != "" && l.Repository != repository || !isPull(l.Run) {
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
	if why := repo.reviews.unlockPull(tx, p, forge.User{Login: by}); why != "" {
		return fmt.Errorf("unlock %s, which %s holds: %s", l.Unit, l.Run, why)
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
