package runner

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/runner/drift"
)

// The buckets of drift. Open records lie by unit, for a scan reads those of its unit; ended ones by number, for history
// is read in order and collected from its old end.
var (
	driftBucket     = []byte("drift")      // repository, unit, NUL, number → drift.Record that is open
	driftEndsBucket = []byte("drift ends") // number → drift.Record that ended
	scansBucket     = []byte("scans")      // repository, unit → scanMemory
)

// ErrNoDrift is returned for a drift that nobody knows.
var ErrNoDrift = errors.New("no such drift")

// scanMemory is what is known of the scans of a unit.
type scanMemory struct {
	Known    time.Time  `json:"known"`              // since when the unit is one that is scanned
	Tried    time.Time  `json:"tried"`              // when one began last
	Last     time.Time  `json:"last"`               // when one came to its end
	Run      string     `json:"run,omitempty"`      // that did
	Clean    int        `json:"clean,omitempty"`    // scans in a row that found nothing
	Failures int        `json:"failures,omitempty"` // in a row
	Skipped  int        `json:"skipped,omitempty"`  // in a row: somebody held it
	Error    string     `json:"error,omitempty"`    // why the last one failed or was skipped; "" where it came to its end
	Applied  *time.Time `json:"applied,omitempty"`  // when a run converged it, where no scan has looked since
	By       string     `json:"by,omitempty"`       // which run, or pull request
	Unhealed string     `json:"unhealed,omitempty"` // why no apply heals its drift, where one was asked for and people should know
	// State is the one that the last scan without a finding saw, or the first scan after an apply; nil before that.
	State *stateMemory `json:"state,omitempty"`
}

// left is the state that we left; nil where nobody knows: a remote backend does not say what an apply made of it, so the
// first scan after one begins anew.
func (s scanMemory) left(m memory) *stateMemory {
	if s.State == nil && m.StateLeft && m.State.Lineage != "" {
		return &m.State
	}
	return s.State
}

func getScan(tx *bbolt.Tx, repository, unit string) (m scanMemory, err error) {
	_, err = getJSON(tx.Bucket(scansBucket), unitKey(repository, unit), &m)
	return m, err
}

// scanOf is what is known of the scans of a unit.
func (r *Runner) scanOf(repository, unit string) (m scanMemory, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) (err error) {
		m, err = getScan(tx, repository, unit)
		return err
	})
	return m, err
}

// scansOf is what is known of the scans of a repository's units, by unit.
func scansOf(tx *bbolt.Tx, repository string) (map[string]scanMemory, error) {
	all := map[string]scanMemory{}
	prefix := unitKey(repository, "")
	c := tx.Bucket(scansBucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		var m scanMemory
		if err := json.Unmarshal(v, &m); err != nil {
			return nil, fmt.Errorf("read the scans of %s: %w", k[len(prefix):], err)
		}
		all[string(k[len(prefix):])] = m
	}
	return all, nil
}

func putScan(tx *bbolt.Tx, repository, unit string, m scanMemory) error {
	return putJSON(tx.Bucket(scansBucket), unitKey(repository, unit), m)
}

func driftPrefix(repository, unit string) []byte { return append(unitKey(repository, unit), 0) }

func driftNumber(id string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, "d"), 10, 64)
	if err != nil || !strings.HasPrefix(id, "d") {
		return 0, fmt.Errorf("drift %q: %w: a drift is named d and a number, as `mooring drift list` shows them", id, ErrNoDrift)
	}
	return n, nil
}

// openDrifts are the open records of a unit, or with unit "" and all of a repository's.
func openDrifts(tx *bbolt.Tx, repository, unit string) ([]drift.Record, error) {
	prefix := unitKey(repository, "")
	if unit != "" {
		prefix = driftPrefix(repository, unit)
	}
	return driftsBelow(tx, prefix)
}

func driftsBelow(tx *bbolt.Tx, prefix []byte) (all []drift.Record, err error) {
	c := tx.Bucket(driftBucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		d, err := readDrift(v)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// readDrift reads a record; numbers in it are as they were, however large.
func readDrift(v []byte) (d drift.Record, err error) {
	dec := json.NewDecoder(bytes.NewReader(v))
	dec.UseNumber()
	if err := dec.Decode(&d); err != nil {
		return d, fmt.Errorf("read a drift: %w", err)
	}
	return d, nil
}

// putDrift writes a record where it belongs, and numbers a new one.
func putDrift(tx *bbolt.Tx, d *drift.Record) error {
	open, ends := tx.Bucket(driftBucket), tx.Bucket(driftEndsBucket)
	if d.ID == "" {
		n, err := open.NextSequence()
		if err != nil {
			return fmt.Errorf("record a drift: %w", err)
		}
		d.ID = "d" + strconv.FormatUint(n, 10)
	}
	n, err := driftNumber(d.ID)
	if err != nil {
		return err
	}
	number := binary.BigEndian.AppendUint64(nil, n)
	key := append(driftPrefix(d.Repository, d.Unit), number...)
	if d.Ended == nil {
		return putJSON(open, key, d)
	}
	return errors.Join(open.Delete(key), putJSON(ends, number, d))
}

// endedDrifts are the records of a unit that ended since a time, oldest first; unit "" is every unit of the repository,
// repository "" every repository.
func endedDrifts(tx *bbolt.Tx, repository, unit string, since time.Time) (all []drift.Record, err error) {
	c := tx.Bucket(driftEndsBucket).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		d, err := readDrift(v)
		if err != nil {
			return nil, err
		}
		if (repository == "" || d.Repository == repository) && (unit == "" || d.Unit == unit) && !d.Ended.Before(since) {
			all = append(all, d)
		}
	}
	return all, nil
}

// forgetDrifts drops what is known of the drift of a unit that is no more: its open records end.
func forgetDrifts(tx *bbolt.Tx, repository, unit string, at time.Time) error {
	open, err := openDrifts(tx, repository, unit)
	if err != nil {
		return err
	}
	for _, d := range open {
		d.Ended, d.EndedBy = &at, "the unit is gone"
		if err := putDrift(tx, &d); err != nil {
			return err
		}
	}
	return tx.Bucket(scansBucket).Delete(unitKey(repository, unit))
}

// collectDrifts drops records that ended before a time, and the oldest beyond keep.
func collectDrifts(tx *bbolt.Tx, before time.Time, keep int) (removed int, err error) {
	ends := tx.Bucket(driftEndsBucket)
	var old [][]byte
	left := 0
	c := ends.Cursor()
	for k, v := c.Last(); k != nil; k, v = c.Prev() {
		var d struct {
			Ended time.Time `json:"ended"`
		}
		if err := json.Unmarshal(v, &d); err != nil {
			return 0, fmt.Errorf("read a drift that ended: %w", err)
		}
		if left++; left > keep || d.Ended.Before(before) {
			old = append(old, slices.Clone(k))
		}
	}
	for _, k := range old {
		if err := ends.Delete(k); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// driftFacts are what the last scan found of a unit, for rules; nil where nothing, or where that cannot be read.
func (r *Runner) driftFacts(repository, unit string) *policies.Drift {
	var facts *policies.Drift
	err := r.journal.view(func(tx *bbolt.Tx) error {
		open, err := openDrifts(tx, repository, unit)
		for _, d := range open {
			if facts == nil {
				facts = &policies.Drift{Since: d.Began}
			}
			facts.Count++
			if d.Began.Before(facts.Since) {
				facts.Since = d.Began
			}
		}
		return err
	})
	if err != nil {
		r.opts.Log.Error("the drift of a unit cannot be read for the rules", "repository", repository, "unit", unit, "error", err)
	}
	return facts
}
