package runner

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/workspace"
)

// departures is what a head no longer has, compared with what is known.
type departures struct {
	whole    bool   // more than half of the units are gone at once
	share    string // "removes 6 of 8 units"
	removals []removal
	notes    []string
}

// removal is a unit that the branch no longer has and what its end needs.
type removal struct {
	unit  *workspace.Unit
	from  string   // the last commit that had it
	after []string // units that must be gone before it
}

// departures finds the units that are known and that the head no longer has,
// carries what is known of a moved one to its new name, and marks the others.
func (p *pass) departures(ctx context.Context, allowed bool) (departures, error) {
	var d departures
	var before []workspace.Known
	for _, m := range p.known {
		if p.lent[m.ID] {
			continue // the branch may yet get it
		}
		before = append(before, workspace.Known{ID: m.ID, Kind: workspace.Kind(m.Kind), Dir: m.Dir, Workspace: m.Workspace, Path: m.Path, StateIdentity: m.Place})
	}
	left := workspace.Departed(before, p.graph)
	var changed []*memory
	var dropped []string
	var ended []*memory // what waits for them has nothing to wait for any more
	for _, u := range p.graph.Units {
		if m := p.known[u.ID]; m != nil && m.Departed != nil {
			m.Departed = nil // it is back
			changed = append(changed, m)
		}
	}
	leaving, here := leavingNow(p.known, left)
	for _, l := range left.Units {
		m := p.known[l.Unit.ID]
		if m.pristine() {
			ended = append(ended, m)
			dropped = append(dropped, m.ID) // it never made anything: there is nothing to take away
			delete(p.known, m.ID)
			continue
		}
		switch l.Fate {
		case workspace.Moved:
			d.notes = append(d.notes, fmt.Sprintf("%s moved to %s: the same state, nothing is destroyed", l.Unit.ID, l.To))
			ended = append(ended, m)
			dropped = append(dropped, l.Unit.ID)
			changed = append(changed, p.rename(m, l.To))
		case workspace.Orphaned:
			d.notes = append(d.notes, fmt.Sprintf("%s is orphaned: its files are there and it is no longer a unit (%s); `mooring destroy %s` plans its end, `mooring forget %s` lets it be", l.Unit.ID, l.Reason, l.Unit.ID, l.Unit.ID))
			if m.Departed == nil {
				m.Departed = &departed{Why: "orphaned", From: p.lastWith(ctx, m)}
				changed = append(changed, m)
			}
		default:
			if m.Departed == nil || m.Departed.Why == "orphaned" {
				m.Departed = &departed{Why: string(l.Fate), From: p.lastWith(ctx, m)}
				changed = append(changed, m)
			}
			rm, err := p.removalOf(ctx, m)
			if err != nil {
				// One that cannot be read must not stop the others.
				d.notes = append(d.notes, err.Error())
				continue
			}
			d.removals = append(d.removals, rm)
		}
	}
	if leaving*2 > here && p.moved && !allowed {
		d.whole = true
		d.share = fmt.Sprintf("removes %d of %s", leaving, count(here, "unit"))
		return d, nil // nothing is written before a person has said yes
	}
	return d, p.r.journal.update(func(tx *bbolt.Tx) error {
		if err := p.r.supersede(tx, ended, short(p.head)+", which does not have it"); err != nil {
			return err
		}
		for _, id := range dropped {
			if err := forget(tx, p.repo.cfg.Name, id, p.r.opts.Now()); err != nil {
				return err
			}
		}
		for _, m := range changed {
			if err := putMemory(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// leavingNow counts the units that go with this head, and all that the last one
// had. Moved ones stay, and what left long ago does not leave again.
func leavingNow(known map[string]*memory, left workspace.Departures) (leaving, here int) {
	for _, m := range known {
		if m.Departed == nil { // what is lent counts as staying
			here++
		}
	}
	for _, l := range left.Units {
		if l.Fate != workspace.Moved && known[l.Unit.ID].Departed == nil {
			leaving++
		}
	}
	return leaving, here
}

// rename carries what is known of a unit to its new name. The new one counts as
// never taken, so that it is planned; its state must continue the old one's.
func (p *pass) rename(m *memory, to string) *memory {
	moved := *m
	moved.ID, moved.Converged, moved.Base, moved.Taken, moved.Plan, moved.Departed = to, "", "", nil, nil, nil
	delete(p.known, m.ID)
	p.known[to] = &moved
	return &moved
}

// lastWith returns the last commit that is known to have had the unit: the last one
// taken whole, unless a pass was cut short between.
func (p *pass) lastWith(ctx context.Context, m *memory) string {
	if g, err := p.repo.graphAt(ctx, p.before()); err == nil && g.Unit(m.ID) != nil {
		return p.before()
	}
	if m.Taken != nil && !m.Taken.Removal {
		return m.Taken.Commit
	}
	return m.Converged
}

// removalOf reads what the end of a departed unit needs from the last commit
// that had it.
func (p *pass) removalOf(ctx context.Context, m *memory) (removal, error) {
	graph, err := p.repo.graphAt(ctx, m.Departed.From)
	if err != nil {
		return removal{}, fmt.Errorf("read %s, the last commit that had %s: %w", short(m.Departed.From), m.ID, err)
	}
	u := graph.Unit(m.ID)
	if u == nil {
		return removal{}, fmt.Errorf("%s is not in %s, the last commit that should have it: `mooring forget %s` lets it be", m.ID, short(m.Departed.From), m.ID)
	}
	return removal{unit: u, from: m.Departed.From, after: graph.Downstream(m.ID)}, nil
}

// toPlan returns the removals that a pass has to plan: those that wait for a
// person already are left as they wait.
func (d departures) toPlan(known map[string]*memory, m mode, moved bool) []removal {
	var plan []removal
	for _, rm := range d.removals {
		k := known[rm.unit.ID]
		switch {
		case k == nil || k.Departed == nil: // its end has come meanwhile
		case k.Taken == nil || !k.Taken.Removal:
			plan = append(plan, rm) // what else waited for it is superseded
		case k.Taken.Status == Failed && (moved || m == asked || m == retried && !k.Taken.Began):
			plan = append(plan, rm)
		case k.Taken.Status == Skipped && (moved || m != polled):
			plan = append(plan, rm)
		}
	}
	return plan
}

// ErrNotOrphaned is returned where a unit that the branch still has should be
// forgotten or destroyed.
var ErrNotOrphaned = errors.New("the branch still has it")

// Forget lets go of a unit that the branch no longer has: nothing is destroyed,
// and nothing is remembered.
func (r *Runner) Forget(repository, unit, by string) error {
	repo, m, err := r.lockDeparted(repository, unit)
	if err != nil {
		return fmt.Errorf("forget %s: %w", unit, err)
	}
	defer repo.pass.Unlock()
	r.opts.Log.Warn("a person let go of a unit", "unit", unit, "repository", repo.cfg.Name, "by", by)
	return r.journal.update(func(tx *bbolt.Tx) error {
		if err := r.supersede(tx, []*memory{m}, by+", who let go of it"); err != nil {
			return err
		}
		return forget(tx, repo.cfg.Name, unit, r.opts.Now())
	})
}

// Destroy plans the end of an orphaned unit from the last commit that had it, in
// a run that waits for approval.
func (r *Runner) Destroy(ctx context.Context, repository, unit, by string) (Run, error) {
	repo, m, err := r.lockDeparted(repository, unit)
	if err != nil {
		return Run{}, fmt.Errorf("destroy %s: %w", unit, err)
	}
	defer repo.pass.Unlock()
	p := &pass{r: r, repo: repo, mode: asked, done: map[string]bool{}}
	if err := p.remember(); err != nil {
		return Run{}, err
	}
	if err := r.journal.view(func(tx *bbolt.Tx) error { p.last, err = getRepository(tx, repo.cfg.Name); return err }); err != nil {
		return Run{}, err
	}
	p.head = p.last.Head
	if p.graph, err = repo.graphAt(ctx, p.head); err != nil {
		return Run{}, err
	}
	rm, err := p.removalOf(ctx, m)
	if err != nil {
		return Run{}, err
	}
	note := fmt.Sprintf("%s asked to destroy %s", by, unit)
	if err := p.newRun(ctx, nil, []removal{rm}, departures{notes: []string{note}}); err != nil {
		return Run{}, err
	}
	return r.Show(p.made[0])
}

// lockDeparted finds a departed unit and keeps passes of its repository away; the
// caller unlocks. It looks again after a pass that was under way: that one may
// have brought the unit back.
func (r *Runner) lockDeparted(name, unit string) (*repository, *memory, error) {
	repo, _, err := r.departed(name, unit)
	if err != nil {
		return nil, nil, err
	}
	repo.pass.Lock()
	_, m, err := r.departed(repo.cfg.Name, unit)
	if err != nil {
		repo.pass.Unlock()
		return nil, nil, err
	}
	return repo, m, nil
}

// departed finds a unit that is known and that the branch no longer has.
func (r *Runner) departed(name, unit string) (*repository, *memory, error) {
	var repo *repository
	var found *memory
	for _, c := range r.repos {
		if name != "" && c.cfg.Name != name {
			continue
		}
		var m *memory
		err := r.journal.view(func(tx *bbolt.Tx) (err error) {
			if tx.Bucket(unitsBucket).Get(unitKey(c.cfg.Name, unit)) != nil {
				m, err = getMemory(tx, c.cfg.Name, unit)
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if m == nil {
			continue
		}
		if found != nil {
			return nil, nil, fmt.Errorf("%w: %s and %s; name one with --repository", ErrAmbiguous, repo.cfg.Name, c.cfg.Name)
		}
		repo, found = c, m
	}
	if found == nil {
		return nil, nil, fmt.Errorf("nothing is known of it")
	}
	if found.Departed == nil {
		return nil, nil, ErrNotOrphaned
	}
	return repo, found, nil
}
