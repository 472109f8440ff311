package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
)

// forgetAtOnce is how many keys one transaction of a collection may take from the
// journal: runs under way write between two of them.
const forgetAtOnce = 1000

// justEnded is how long a run stays whatever Keep says: who made it still wants to
// see how it went.
const justEnded = time.Hour

// history takes ended runs from the journal: those beyond Keep.Runs, and those
// that ended before Keep.Age.
func (c *collection) history() (freed terraform.Freed, err error) {
	c.forgotten = map[string]bool{}
	var old []string
	err = c.r.journal.view(func(tx *bbolt.Tx) error {
		old, err = endedRuns(tx, c.r.opts.Keep.Runs, c.before, c.now.Add(-justEnded))
		return err
	})
	for err == nil && len(old) > 0 {
		if err = c.ctx.Err(); err != nil {
			break
		}
		if c.dryRun {
			err = c.r.journal.view(func(tx *bbolt.Tx) error {
				old, err = c.forgetSome(tx, old, &freed)
				return err
			})
			continue
		}
		var some terraform.Freed // counted only when the transaction is durable
		err = c.r.journal.update(func(tx *bbolt.Tx) error {
			old, err = c.forgetSome(tx, old, &some)
			return err
		})
		if err == nil {
			freed.Removed += some.Removed
			freed.Bytes += some.Bytes
		}
	}
	if err == nil && !c.dryRun {
		err = c.r.journal.update(func(tx *bbolt.Tx) error {
			n, err := collectDrifts(tx, c.before, driftsKept*c.r.opts.Keep.Runs)
			freed.Removed += n
			return err
		})
	}
	return freed, err
}

// driftsKept is how many drifts that ended are kept for each run that is.
const driftsKept = 10

// endedRuns returns the runs that ended and are too many or ended before a time,
// oldest first, but for those that ended after recent.
func endedRuns(tx *bbolt.Tx, keep int, before, recent time.Time) ([]string, error) {
	var old []string
	open := tx.Bucket(openBucket)
	ended := 0
	cursor := tx.Bucket(runsBucket).Cursor()
	for k, v := cursor.Last(); k != nil; k, v = cursor.Prev() {
		if is, _ := open.Cursor().Seek(k); bytes.Equal(is, k) {
			continue
		}
		var h struct {
			Started  time.Time  `json:"started"`
			Finished *time.Time `json:"finished"`
		}
		if err := json.Unmarshal(v, &h); err != nil {
			return nil, fmt.Errorf("read %s: %w", runID(k), err)
		}
		if h.Finished == nil {
			h.Finished = &h.Started
		}
		if ended++; !h.Finished.After(recent) && (ended > keep || h.Finished.Before(before)) {
			old = append(old, runID(k))
		}
	}
	slices.Reverse(old)
	return old, nil
}

// forgetSome takes the first of the runs from the journal, unless something names
// them, and returns those that are left for another transaction.
func (c *collection) forgetSome(tx *bbolt.Tx, ids []string, freed *terraform.Freed) (left []string, err error) {
	used, err := readInUse(tx)
	if err != nil {
		return ids, err
	}
	keys := 0
	for i, id := range ids {
		if keys >= forgetAtOnce {
			return ids[i:], nil
		}
		if used.runs[id] {
			continue
		}
		n, size, err := forgetRun(tx, id, c.dryRun)
		if err != nil {
			return ids, fmt.Errorf("forget %s: %w", id, err)
		}
		keys += n
		freed.Removed++
		freed.Bytes += size
		c.forgotten[id] = true
	}
	return nil, nil
}

// forgetRun deletes a run's header and results, and returns how many keys and
// bytes that were.
func forgetRun(tx *bbolt.Tx, id string, dryRun bool) (keys int, size int64, err error) {
	run, err := runKey(id)
	if err != nil {
		return 0, 0, err
	}
	results := tx.Bucket(resultsBucket)
	var found [][]byte // first all, for a cursor does not survive a delete
	cursor := results.Cursor()
	for k, v := cursor.Seek(run); bytes.HasPrefix(k, run); k, v = cursor.Next() {
		found = append(found, bytes.Clone(k))
		size += int64(len(k) + len(v))
	}
	size += int64(len(run) + len(tx.Bucket(runsBucket).Get(run)))
	if dryRun {
		return len(found) + 1, size, nil
	}
	for _, k := range found {
		if err := results.Delete(k); err != nil {
			return 0, 0, err
		}
	}
	return len(found) + 1, size, tx.Bucket(runsBucket).Delete(run)
}

// runLog is the directory of a run's logs.
type runLog struct {
	run  string
	size int64
}

// logs removes the logs of runs that the journal no longer has, and then the
// oldest ones while all together take more than their share of Keep.Size. Those of
// runs that are open, or that a unit was left by, stay.
func (c *collection) logs() (freed terraform.Freed, err error) {
	root := filepath.Join(c.r.opts.DataDir, "runs")
	all, total, err := listLogs(root)
	if err != nil || len(all) == 0 {
		return freed, err
	}
	var used *inUse
	gone := map[string]bool{}
	err = c.r.journal.view(func(tx *bbolt.Tx) error {
		runs := tx.Bucket(runsBucket)
		for _, l := range all {
			// A number that no run has had yet is one that a run may get just now, after
			// the database was put back from a backup.
			if key, err := runKey(l.run); err == nil && number(l.run) <= runs.Sequence() {
				gone[l.run] = runs.Get(key) == nil || c.dryRun && c.forgotten[l.run]
			}
		}
		used, err = readInUse(tx)
		return err
	})
	if err != nil {
		return freed, err
	}
	remove := func(l runLog) error {
		if !c.dryRun {
			if err := os.RemoveAll(filepath.Join(root, l.run)); err != nil {
				return err
			}
		}
		freed.Removed++
		freed.Bytes += l.size
		total -= l.size
		return nil
	}
	for _, l := range all {
		if gone[l.run] {
			err = errors.Join(err, remove(l))
		}
	}
	share := c.r.size() / logShare
	for _, l := range all {
		if total > share && !gone[l.run] && !used.runs[l.run] {
			err = errors.Join(err, remove(l))
		}
	}
	return freed, err
}

// listLogs lists the directories of logs, oldest run first, and what they take.
func listLogs(root string) (all []runLog, total int64, err error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		if key, err := runKey(e.Name()); err != nil || runID(key) != e.Name() {
			continue // not ours
		}
		size, err := terraform.Usage(filepath.Join(root, e.Name()))
		if err != nil {
			return nil, 0, err
		}
		all = append(all, runLog{e.Name(), size})
		total += size
	}
	slices.SortFunc(all, func(a, b runLog) int { return int(int64(number(a.run)) - int64(number(b.run))) })
	return all, total, nil
}

// collectPlans removes the saved plans that nothing waits for: they hold sensitive
// values, and a run that was killed leaves its own behind.
func (r *Runner) collectPlans(dryRun bool) (freed terraform.Freed, err error) {
	files, err := r.home.SavedPlans()
	if err != nil {
		return freed, err
	}
	used, err := r.inUse()
	if err != nil {
		return freed, err
	}
	for _, file := range files {
		if used.plan(file) {
			continue
		}
		info, failed := os.Lstat(file)
		if failed == nil && !dryRun {
			failed = os.RemoveAll(file)
		}
		if errors.Is(failed, fs.ErrNotExist) {
			continue
		}
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		freed.Removed++
		freed.Bytes += info.Size()
	}
	return freed, err
}
