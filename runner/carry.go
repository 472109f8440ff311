package runner

import (
	"context"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"
)

// carryOut does what people decided: approved units go on in the run in which
// they wait, and then the units that were deferred because of them. An approval
// that a newer commit overtook is dropped: that commit's own plan will wait.
func (p *pass) carryOut(ctx context.Context) error {
	if err := p.r.settleDiscards(p.repo.cfg.Name); err != nil {
		return err
	}
	if err := p.remember(); err != nil {
		return err
	}
	overtaken := map[string]bool{}
	for _, id := range choose(p.graph, p.settled(), p.mode, p.moved, p.back, p.repo.cfg.Apply.applies(), p.changedSince(ctx)) {
		overtaken[id] = true
	}
	approved, err := p.approvals(overtaken)
	if err != nil {
		return err
	}
	for _, a := range approved {
		if err := p.goOn(ctx, a.run, a.units, a.decisions); err != nil {
			return err
		}
	}
	return p.resume(ctx, overtaken)
}

type approval struct {
	run       string
	units     []string
	decisions map[string]verdict // by unit
}

// approvals collects what was approved by run, oldest first. A decision leaves the
// journal when its run goes on, so that a person may take it back until then; one
// that nothing waits for leaves at once.
func (p *pass) approvals(overtaken map[string]bool) ([]approval, error) {
	var all []approval
	err := p.r.journal.update(func(tx *bbolt.Tx) error {
		said, err := verdicts(tx, p.repo.cfg.Name)
		if err != nil {
			return err
		}
		for _, v := range said {
			m := p.known[v.Unit]
			if v.Unit == "" {
				continue // the run as a whole (whole.go)
			}
			// A yes to a change is none to an end, nor the other way round.
			if m == nil || m.Taken == nil || m.Taken.Run != v.Run || m.Taken.Removal != (m.Departed != nil) {
				if err := dropDecision(tx, v.Run, v.Unit); err != nil {
					return err
				}
				continue
			}
			if overtaken[v.Unit] && m.Taken.Status != Interrupted {
				continue // newRun ends what waits
			}
			if n := len(all); n == 0 || all[n-1].run != v.Run {
				all = append(all, approval{run: v.Run, decisions: map[string]verdict{}})
			}
			last := &all[len(all)-1]
			last.units = append(last.units, v.Unit)
			last.decisions[v.Unit] = v
		}
		return nil
	})
	return all, err
}

// goOn takes units further in the run in which they stand; decisions has those
// that a person approved.
func (p *pass) goOn(ctx context.Context, id string, units []string, decisions map[string]verdict) error {
	var run *Run
	err := p.r.journal.view(func(tx *bbolt.Tx) (err error) {
		run, err = getRun(tx, id)
		return err
	})
	if err != nil {
		return err
	}
	graph, err := p.repo.graphFrom(ctx, run.reading())
	if err != nil {
		return err
	}
	tasks := map[string]task{}
	for _, unit := range units {
		decision, approved := decisions[unit]
		t := task{unit: graph.Unit(unit)}
		if m := p.known[unit]; m != nil && m.Departed != nil {
			rm, err := p.removalOf(ctx, m)
			if err != nil {
				return err
			}
			t = task{unit: rm.unit, removal: true, from: rm.from, after: rm.after}
		}
		t.approved, t.decision = approved, decision
		if u := run.Unit(unit); u != nil {
			t.was = u.Status
		}
		if t.unit == nil {
			return fmt.Errorf("%s: %s is not in commit %s", id, unit, short(run.files()))
		}
		tasks[unit] = t
	}
	err = p.r.journal.update(func(tx *bbolt.Tx) error {
		for unit, t := range tasks {
			if !t.approved {
				continue
			}
			key, err := verdictKey(id, unit)
			if err != nil {
				return err
			}
			var v verdict
			if ok, err := getJSON(tx.Bucket(decisionBucket), key, &v); err != nil {
				return err
			} else if !ok || !v.Approve {
				delete(tasks, unit) // taken back meanwhile
				continue
			}
			u := run.Unit(unit)
			u.Notes = withNotes(u.Notes, fmt.Sprintf("approved by %s at %s", v.By, v.At.Format("2006-01-02 15:04:05 MST")))
			if err := tx.Bucket(decisionBucket).Delete(key); err != nil {
				return err
			}
		}
		if len(tasks) == 0 {
			return nil
		}
		run.Status, run.Finished = Running, nil
		for unit := range tasks {
			u := run.Unit(unit)
			u.Status = Queued
			if err := putResult(tx, run.ID, *u); err != nil {
				return err
			}
		}
		return putRun(tx, run)
	})
	if err != nil || len(tasks) == 0 {
		return err
	}
	p.made = append(p.made, id)
	for unit := range tasks {
		p.done[unit] = true
	}
	x := &execution{r: p.r, repo: p.repo, run: run, graph: graph, tasks: tasks, known: p.known, applies: p.repo.cfg.Apply.applies()}
	return x.execute(ctx)
}

// resume takes the deferred units further whose upstreams have converged by now,
// until there are none.
func (p *pass) resume(ctx context.Context, overtaken map[string]bool) error {
	overtaken = maps.Clone(overtaken)
	for ctx.Err() == nil {
		run, units := p.unblocked(overtaken)
		if len(units) == 0 {
			return nil
		}
		// Once a pass: its run's commit may know an upstream that the head does not.
		for _, id := range units {
			overtaken[id] = true
		}
		if err := p.goOn(ctx, run, units, nil); err != nil {
			return err
		}
	}
	return nil
}

// unblocked finds one run with deferred units that can be taken now: those whose
// upstreams have converged, and the deferred units below them.
func (p *pass) unblocked(overtaken map[string]bool) (run string, units []string) {
	free := map[string]bool{}
	for _, id := range p.graph.Order() {
		m := p.known[id]
		if m == nil || m.Taken == nil || m.Taken.Status != Deferred || overtaken[id] || run != "" && m.Taken.Run != run {
			continue
		}
		ready := true
		for _, up := range p.graph.Upstream(id) {
			k := p.known[up]
			ready = ready && (free[up] || k != nil && k.stands())
		}
		if ready {
			free[id], run = true, m.Taken.Run
			units = append(units, id)
		}
	}
	return run, units
}
