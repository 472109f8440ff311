package runner

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/runner/drift"
)

// record takes what was found of a unit into what is known of it, in one transaction with the messages that follow from
// it: killed before it, Mooring scans again; killed after it, the messages are in the outbox.
func (x *scanRun) record(l *looked) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.r.opts.Now()
	news := false
	err := x.r.journal.update(func(tx *bbolt.Tx) error {
		m, err := getScan(tx, x.run.Repository, l.ID)
		if err != nil {
			return err
		}
		m.Tried = now
		switch {
		case l.Status == Failed:
			news = m.Failures == 0 // one that fails again and again is one in the history
			m.Failures, m.Error, m.Clean = m.Failures+1, l.Error, 0
		case l.whole:
			events, err := x.takeIn(tx, l, m, now)
			if err != nil {
				return err
			}
			news = news || len(events) > 0
			m.Last, m.Run, m.Failures, m.Skipped, m.Error, m.Applied, m.By = now, x.run.ID, 0, 0, "", nil, ""
			m.Unhealed = l.unhealed
			if m.Clean++; len(l.Drift) > 0 {
				m.Clean = 0
			}
			if l.state != nil {
				m.State = l.state
			}
			if err := x.tell(tx, l, events); err != nil {
				return err
			}
		default:
			m.Skipped, m.Error = m.Skipped+1, l.Reason
		}
		if err := putScan(tx, x.run.Repository, l.ID, m); err != nil {
			return err
		}
		return putResult(tx, x.run.ID, l.UnitResult)
	})
	x.r.reschedule()
	if err == nil {
		x.repo.remedies.hint()
		x.news = x.news || news
		*x.run.Unit(l.ID) = l.UnitResult
	}
	return err
}

// breakerSight is how far back the ends of drifts count.
const breakerSight = 30 * 24 * time.Hour

// mostDrifts is how many drifts of a unit its result in a run holds.
const mostDrifts = 500

// takeIn puts what was found beside what is known.
func (x *scanRun) takeIn(tx *bbolt.Tx, l *looked, m scanMemory, now time.Time) ([]drift.Event, error) {
	open, err := openDrifts(tx, x.run.Repository, l.ID)
	if err != nil {
		return nil, err
	}
	var ended []drift.Record
	if len(l.found) > 0 { // history counts for what goes on or comes back, and takes reading
		if ended, err = endedDrifts(tx, x.run.Repository, l.ID, now.Add(-breakerSight)); err != nil {
			return nil, err
		}
	}
	u := x.tasks[l.ID].unit
	found, ignored := ruled(u, l.found, now)
	records, events := drift.Take(append(open, ended...), found, drift.Scan{
		Repository: x.run.Repository, Unit: l.ID, Run: x.run.ID, At: now, HealedBy: m.By, Remind: u.Drift.Remind, LeftOut: ignored, Partial: l.partial,
	})
	l.Drift = nil
	for i := range records {
		if err := putDrift(tx, &records[i]); err != nil {
			return nil, err
		}
		for k := range events {
			if e := &events[k]; e.Record.Address == records[i].Address && e.Record.Class == records[i].Class {
				e.Record.ID = records[i].ID
			}
		}
		if records[i].Ended == nil {
			l.Drift = append(l.Drift, records[i])
		}
	}
	if n := len(l.Drift); n > 0 {
		l.Status, l.Reason = Planned, driftWords(l.Drift)
		if n > mostDrifts {
			l.Drift = l.Drift[:mostDrifts:mostDrifts]
			l.Notes = withNotes(l.Notes, fmt.Sprintf("the first %d of %d drifts: `mooring drift list` has them all", mostDrifts, n))
		}
	} else {
		l.Status = Unchanged
	}
	why, err := x.heal(tx, l, ended, now)
	if err != nil {
		return nil, err
	}
	if why != "" {
		l.Notes = withNotes(l.Notes, why)
	}
	if why := x.repo.noForge(u); why != "" && len(l.Drift) > 0 {
		l.Notes = withNotes(l.Notes, why)
	}
	for _, i := range ignored {
		l.Notes = withNotes(l.Notes, i.Address+" is left out: "+i.Reason)
	}
	return events, nil
}

// converged notes that a run has brought a unit to its commit: the next scan looks sooner, and knows who healed what it
// no longer finds. A run that changed nothing healed nothing, unless a pull request of ours has brought the files to what
// is live.
func converged(tx *bbolt.Tx, run *Run, unit string, status Status, at time.Time) error {
	if status != Applied && status != Unchanged {
		return nil
	}
	m, err := getScan(tx, run.Repository, unit)
	if err != nil {
		return err
	}
	brought, err := broughtBack(tx, run, unit)
	if err != nil || status != Applied && brought == 0 {
		return err
	}
	m.Applied, m.By, m.State = &at, "run "+run.ID, nil
	switch {
	case status == Unchanged:
		m.By = pullID(brought) + ", " + m.By
	case run.PullRequest > 0:
		m.By = pullID(run.PullRequest) + ", " + m.By
	}
	return putScan(tx, run.Repository, unit, m)
}
