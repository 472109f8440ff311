package runner

import (
	"errors"

	"go.etcd.io/bbolt"
)

// supersede ends what waits for units that something newer takes. Each run is
// read and written once, however many of its units are among them.
func (r *Runner) supersede(tx *bbolt.Tx, units []*memory, by string) error {
	runs := waitingRuns{tx: tx}
	for _, m := range units {
		if m == nil || m.Taken == nil || m.Taken.Status != Held && m.Taken.Status != Deferred && m.Taken.Status != Interrupted {
			continue
		}
		u, err := runs.unit(m.Taken.Run, m.ID)
		if err != nil {
			return err
		}
		if u == nil || u.Status != m.Taken.Status {
			continue
		}
		u.Reason = "superseded by " + by
		if u.Status == Interrupted {
			u.Reason = "was interrupted, and superseded by " + by
		}
		u.Status = Superseded
		dropPlan(tx, m)
		if err := errors.Join(putResult(tx, m.Taken.Run, *u), dropDecision(tx, m.Taken.Run, m.ID), putMemory(tx, m)); err != nil {
			return err
		}
	}
	return errors.Join(runs.put(), r.tellAll(tx, &runs))
}

// dropPlan forgets a plan that waits; its file goes when the transaction is durable.
func dropPlan(tx *bbolt.Tx, m *memory) {
	if m.Plan != nil {
		file := m.Plan.File
		tx.OnCommit(func() { removeFile(file) })
		m.Plan = nil
	}
}

// tellAll has the pull requests whose changes wait in these runs say what became of them.
func (r *Runner) tellAll(tx *bbolt.Tx, w *waitingRuns) error {
	for _, run := range w.runs {
		repo, err := r.repository(run.Repository)
		if err != nil {
			continue // nobody watches it any more
		}
		if err := r.tellPulls(tx, repo, run); err != nil {
			return err
		}
	}
	return nil
}

// waitingRuns are runs under change in one transaction.
type waitingRuns struct {
	tx    *bbolt.Tx
	runs  map[string]*Run
	units map[string]map[string]*UnitResult // by run and id
}

// unit returns the result of a unit in a run, to be changed; nil where there is none.
func (w *waitingRuns) unit(run, id string) (*UnitResult, error) {
	if w.runs == nil {
		w.runs, w.units = map[string]*Run{}, map[string]map[string]*UnitResult{}
	}
	if w.runs[run] == nil {
		r, err := getRun(w.tx, run)
		if err != nil {
			return nil, err
		}
		byID := make(map[string]*UnitResult, len(r.Units))
		for i := range r.Units {
			byID[r.Units[i].ID] = &r.Units[i]
		}
		w.runs[run], w.units[run] = r, byID
	}
	return w.units[run][id], nil
}

// put writes the headers of the runs; unit results are the caller's to write.
func (w *waitingRuns) put() error {
	for _, r := range w.runs {
		r.Settle()
		if err := putRun(w.tx, r); err != nil {
			return err
		}
	}
	return nil
}
