package runner

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/runner/drift"
)

// DriftQuery selects drifts. The zero value is every one that is open.
type DriftQuery struct {
	Repository string
	Unit       string
	Ended      bool      // those that ended too
	Since      time.Time // of those that ended: not before
}

// Drifts lists drifts, those that began first at the beginning.
func (r *Runner) Drifts(q DriftQuery) ([]drift.Record, error) {
	all := []drift.Record{}
	err := r.journal.view(func(tx *bbolt.Tx) error {
		open, err := driftsBelow(tx, nil)
		if err != nil {
			return err
		}
		for _, d := range open {
			if (q.Repository == "" || d.Repository == q.Repository) && (q.Unit == "" || d.Unit == q.Unit) {
				all = append(all, d)
			}
		}
		if !q.Ended {
			return nil
		}
		ended, err := endedDrifts(tx, q.Repository, q.Unit, q.Since)
		all = append(all, ended...)
		return err
	})
	slices.SortStableFunc(all, func(a, b drift.Record) int { return a.Began.Compare(b.Began) })
	return all, err
}

// Acknowledgement is a person's word that drifts are known.
type Acknowledgement struct {
	Repository string // where ids of units repeat
	Drift      string // d7, or the id of a unit: all that is open of it
	By         string
	Until      time.Time
	Why        string
}

// mostAck is how long a drift is left alone at the most: one that is meant to stay is a rule in the repository.
const mostAck = 365 * 24 * time.Hour

// Acknowledge records a word about a drift, or about all that are open of a unit: people are not reminded of them until
// it is over, or until they change. It returns what they are now.
func (r *Runner) Acknowledge(a Acknowledgement) ([]drift.Record, error) {
	now := r.opts.Now()
	switch {
	case !a.Until.After(now):
		return nil, fmt.Errorf("acknowledge %s: %s is over", a.Drift, a.Until.Format(time.RFC3339))
	case a.Until.After(now.Add(mostAck)):
		return nil, fmt.Errorf("acknowledge %s: %s is more than a year ahead: what is meant to stay is an ignore rule in the drift block of mooring.hcl", a.Drift, a.Until.Format(time.RFC3339))
	}
	var known []drift.Record
	err := r.journal.update(func(tx *bbolt.Tx) error {
		open, err := driftsBelow(tx, nil)
		if err != nil {
			return err
		}
		at := map[string]bool{}
		for _, d := range open {
			if (a.Repository == "" || d.Repository == a.Repository) && (d.ID == a.Drift || d.Unit == a.Drift) {
				known, at[d.Repository] = append(known, d), true
			}
		}
		switch {
		case len(known) == 0:
			return fmt.Errorf("acknowledge %s: %w: it is neither an open drift nor a unit that has one; `mooring drift list` shows them", a.Drift, ErrNoDrift)
		case len(at) > 1:
			return fmt.Errorf("acknowledge %s: %w: name one with --repository", a.Drift, ErrAmbiguous)
		}
		for i := range known {
			known[i].Ack = &drift.Ack{By: a.By, At: now, Until: a.Until, Why: a.Why, Fingerprint: known[i].Fingerprint}
			err = errors.Join(err, putDrift(tx, &known[i]))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return known, nil
}
