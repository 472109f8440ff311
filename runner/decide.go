package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Decision is what a person says about what waits in a run.
type Decision struct {
	Run   string
	Units []string // none is every unit that waits
	By    string   // who says so, in words for the record
	Login string   // who that is where groups are named: theirs on the forge, or on this machine
	// In tells whether they belong to a group that a rule names, beside what the server's
	// configuration says of them; nil is none.
	In func(who string) bool
}

// in tells whether the one who decides belongs to a group.
func (d Decision) in(o *Options, who string) bool {
	in, known := o.inGroup(who, d.Login)
	return in || !known && d.In != nil && d.In(who)
}

// verdict is a decision on one unit as the journal keeps it until it is carried
// out. A unit of "" is the run as a whole.
type verdict struct {
	Repository string    `json:"repository"`
	Run        string    `json:"run"`
	Unit       string    `json:"unit"`
	Approve    bool      `json:"approve"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
}

// ErrNothingWaits is returned for a decision on something that needs none.
var ErrNothingWaits = errors.New("nothing waits for a decision")

var errNoUnit = errors.New("no unit")

// Approve records that a person said yes. The next pass carries it out: a
// running server at once, else the next sync.
func (r *Runner) Approve(ctx context.Context, d Decision) (Run, error) {
	d.Login = cmp.Or(d.Login, d.By)
	return r.decide(d, true)
}

// Discard records that a person said no: what waits ends, and its plan is gone.
// A later commit that affects the unit plans it again.
func (r *Runner) Discard(ctx context.Context, d Decision) (Run, error) { return r.decide(d, false) }

func (r *Runner) decide(d Decision, approve bool) (Run, error) {
	verb := map[bool]string{true: "approve", false: "discard"}[approve]
	var repo *repository
	err := r.journal.update(func(tx *bbolt.Tx) error {
		run, err := getRun(tx, d.Run)
		if err != nil {
			return err
		}
		if repo, err = r.repository(run.Repository); err != nil {
			return err
		}
		units, err := decidable(run, d.Units)
		if err != nil {
			return err
		}
		if run.Review {
			if !approve {
				return fmt.Errorf("%w: nothing of it was planned: close the pull request, or push what you want instead", ErrNothingWaits)
			}
			if err := r.notOwn(tx, repo, run, d); err != nil {
				return err
			}
			return r.letRun(tx, run, units, d.By)
		}
		if approve {
			if units, err = r.count(tx, run, units, d); err != nil {
				return err
			}
		}
		for _, unit := range units {
			v := verdict{Repository: run.Repository, Run: run.ID, Unit: unit, Approve: approve, By: d.By, At: r.opts.Now()}
			if err := putVerdict(tx, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Run{}, fmt.Errorf("%s %s: %w", verb, d.Run, err)
	}
	// A no takes effect at once unless a pass is under way, which then sees it.
	if !approve && repo.pass.TryLock() {
		err := r.settleDiscards(repo.cfg.Name)
		repo.pass.Unlock()
		if err != nil {
			return Run{}, err
		}
	}
	repo.wish()
	if repo.reviews != nil {
		repo.reviews.hint()
	}
	return r.Show(d.Run)
}

// decidable returns the units of a run that a decision is about.
func decidable(run *Run, named []string) ([]string, error) {
	if run.Held != "" {
		if len(named) > 0 {
			return nil, fmt.Errorf("the run is held as a whole (%s): decide on it without naming units", run.Held)
		}
		return []string{""}, nil
	}
	if len(named) == 0 {
		for _, s := range []Status{Held, Interrupted} {
			for _, u := range run.Units {
				if u.Status == s {
					named = append(named, u.ID)
				}
			}
			if len(named) > 0 {
				return named, nil
			}
		}
		return nil, fmt.Errorf("%w: the run is %s", ErrNothingWaits, run.Status)
	}
	for _, id := range named {
		u := run.Unit(id)
		if u == nil {
			return nil, fmt.Errorf("the run has %w %q", errNoUnit, id)
		}
		if u.Status != Held && u.Status != Interrupted {
			return nil, fmt.Errorf("%s: %w: it is %s", id, ErrNothingWaits, u.Status)
		}
	}
	return named, nil
}

func verdictKey(run, unit string) ([]byte, error) {
	key, err := runKey(run)
	if err != nil {
		return nil, err
	}
	return resultKey(key, unit), nil
}

func putVerdict(tx *bbolt.Tx, v verdict) error {
	key, err := verdictKey(v.Run, v.Unit)
	if err != nil {
		return err
	}
	return putJSON(tx.Bucket(decisionBucket), key, v)
}

func dropDecision(tx *bbolt.Tx, run, unit string) error {
	key, err := verdictKey(run, unit)
	if err != nil {
		return err
	}
	return tx.Bucket(decisionBucket).Delete(key)
}

// verdicts returns the decisions on a repository's runs that are not carried out
// yet, by run, oldest first.
func verdicts(tx *bbolt.Tx, repository string) ([]verdict, error) {
	var all []verdict
	err := tx.Bucket(decisionBucket).ForEach(func(k, data []byte) error {
		var v verdict
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("read a decision on %s: %w", runID(k[:8]), err)
		}
		if v.Repository == repository {
			all = append(all, v)
		}
		return nil
	})
	return all, err
}

func hasDecisions(tx *bbolt.Tx, repository string) (bool, error) {
	v, err := verdicts(tx, repository)
	return len(v) > 0, err
}

// settleDiscards ends what people said no to. The caller holds the pass.
func (r *Runner) settleDiscards(repository string) error {
	return r.journal.update(func(tx *bbolt.Tx) error {
		all, err := verdicts(tx, repository)
		if err != nil {
			return err
		}
		runs := waitingRuns{tx: tx}
		for _, v := range all {
			if v.Approve || v.Unit == "" {
				continue
			}
			if err := discardUnit(tx, &runs, v); err != nil {
				return fmt.Errorf("discard %s of %s: %w", v.Unit, v.Run, err)
			}
		}
		if err := errors.Join(runs.put(), r.tellAll(tx, &runs)); err != nil {
			return err
		}
		for _, v := range all {
			if !v.Approve && v.Unit == "" {
				if err := discardWhole(tx, v); err != nil {
					return fmt.Errorf("discard %s: %w", v.Run, err)
				}
			}
		}
		return nil
	})
}

func discardUnit(tx *bbolt.Tx, runs *waitingRuns, v verdict) error {
	if err := dropDecision(tx, v.Run, v.Unit); err != nil {
		return err
	}
	u, err := runs.unit(v.Run, v.Unit)
	if err != nil {
		return err
	}
	if u == nil || u.Status != Held && u.Status != Interrupted {
		return nil // decided and overtaken: nothing waits any more
	}
	u.Status, u.Reason = Discarded, "discarded by "+v.By
	m, err := getMemory(tx, v.Repository, v.Unit)
	if err != nil {
		return err
	}
	dropPlan(tx, m)
	if m.Taken != nil {
		m.Taken.Status = Discarded
	}
	return errors.Join(putMemory(tx, m), putResult(tx, v.Run, *u))
}

// discardWhole ends a run that is held as a whole.
func discardWhole(tx *bbolt.Tx, v verdict) error {
	run, err := getRun(tx, v.Run)
	if err != nil {
		return err
	}
	run.Held = ""
	for i := range run.Units {
		run.Units[i].Status, run.Units[i].Reason = Discarded, "discarded by "+v.By
		if err := putResult(tx, run.ID, run.Units[i]); err != nil {
			return err
		}
	}
	run.Settle()
	return errors.Join(dropDecision(tx, v.Run, ""), putRun(tx, run))
}
