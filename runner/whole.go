package runner

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// settleWhole carries out the decision on a commit that is held as a whole, and
// tells whether this head may go on although it removes so much.
func (p *pass) settleWhole() (allowed bool, err error) {
	if p.last.Allowed == p.head {
		return true, nil // a pass that was allowed to was cut short
	}
	if p.last.HeldRun == "" {
		return false, nil
	}
	held := p.last.HeldRun
	err = p.r.journal.update(func(tx *bbolt.Tx) error {
		run, err := getRun(tx, held)
		if err != nil {
			return err
		}
		said, err := verdicts(tx, p.repo.cfg.Name)
		if err != nil {
			return err
		}
		for _, v := range said {
			if v.Run != held || v.Unit != "" {
				continue
			}
			if !v.Approve {
				return discardWhole(tx, v)
			}
			allowed = !p.moved
			if err := dropDecision(tx, v.Run, v.Unit); err != nil {
				return err
			}
			run.Notes = append(run.Notes, fmt.Sprintf("approved by %s at %s", v.By, v.At.Format("2006-01-02 15:04:05 MST")))
		}
		if run.Held == "" || !p.moved && !allowed {
			return nil // discarded, or it still waits
		}
		run.Held = ""
		for i := range run.Units {
			run.Units[i].Status, run.Units[i].Reason = Superseded, "taken by a later run"
			if err := putResult(tx, run.ID, run.Units[i]); err != nil {
				return err
			}
		}
		run.Settle()
		if allowed {
			// The yes outlives a stop: until the pass ends, nothing of the head was taken.
			p.last = repositoryMemory{Head: p.before(), Allowed: p.head}
			if err := putRepository(tx, p.repo.cfg.Name, p.last); err != nil {
				return err
			}
		}
		return putRun(tx, run)
	})
	if allowed {
		// Nothing of this head was taken yet: it counts as new.
		p.moved = true
		p.made = append(p.made, held)
	}
	return allowed, err
}

// holdWhole records a commit that removes more than half of the units: nothing of
// it is taken until a person says so.
func (p *pass) holdWhole(gone departures) error {
	if !p.moved {
		return nil // held already, or discarded
	}
	run := p.header()
	run.Held = gone.share
	run.Notes = gone.notes
	for _, rm := range gone.removals {
		run.Units = append(run.Units, UnitResult{ID: rm.unit.ID, Kind: Kind(rm.unit.Kind), Status: Held, Removal: true, Reason: "gone from the branch"})
	}
	run.Settle()
	now := p.r.opts.Now()
	run.Finished = &now
	err := p.r.journal.update(func(tx *bbolt.Tx) error {
		if err := createRun(tx, run); err != nil {
			return err
		}
		return putRepository(tx, p.repo.cfg.Name, repositoryMemory{Head: p.head, HeldRun: run.ID, Before: p.before()})
	})
	if err != nil {
		return err
	}
	p.made = append(p.made, run.ID)
	p.r.emit(Event{Repository: run.Repository, Run: run.ID, Phase: PhaseEnd, Status: Held, Text: run.Held})
	return nil
}

// before is the last commit whose units were taken: where a unit that the head
// does not have can still be read.
func (p *pass) before() string {
	if p.last.Before != "" {
		return p.last.Before
	}
	return p.last.Head
}
