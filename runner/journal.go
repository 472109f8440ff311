package runner

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.etcd.io/bbolt"
)

// The journal is one bbolt file with these buckets. A run's header and its unit
// results are separate keys, so that recording one unit of a thousand writes one
// unit; the lock it releases is in the same transaction.
var (
	metaBucket     = []byte("mooring")      // format → "1"
	runsBucket     = []byte("runs")         // sequence → header
	resultsBucket  = []byte("results")      // sequence, unit → UnitResult
	openBucket     = []byte("open")         // sequence → "": runs that run or wait
	unitsBucket    = []byte("units")        // repository, unit → memory
	reposBucket    = []byte("repositories") // name → repositoryMemory
	decisionBucket = []byte("decisions")    // sequence, unit → decision
)

// format is raised when the buckets change in a way an older Mooring would
// misread.
const format = "1"

// ErrNoRun is returned for a run that the journal does not have.
var ErrNoRun = errors.New("no such run")

type journal struct{ db *bbolt.DB }

// header is a Run without its unit results.
type header struct {
	Run
	UnitIDs []string `json:"unit_ids"`
}

func runKey(id string) ([]byte, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, "r"), 10, 64)
	if err != nil || !strings.HasPrefix(id, "r") {
		return nil, fmt.Errorf("run %q: %w: a run is named r and a number, as `mooring runs` lists them", id, ErrNoRun)
	}
	return binary.BigEndian.AppendUint64(nil, n), nil
}

func runID(key []byte) string { return "r" + strconv.FormatUint(binary.BigEndian.Uint64(key), 10) }

func resultKey(run []byte, unit string) []byte { return append(append([]byte{}, run...), unit...) }

// unitKey puts the repository's length before it: names may hold any character
// that a directory may.
func unitKey(repository, unit string) []byte {
	b := binary.AppendUvarint(nil, uint64(len(repository)))
	b = append(b, repository...)
	return append(b, unit...)
}

// createRun gives the run its id and stores it with all its units.
func createRun(tx *bbolt.Tx, run *Run) error {
	b := tx.Bucket(runsBucket)
	n, err := b.NextSequence()
	if err != nil {
		return fmt.Errorf("record a run: %w", err)
	}
	run.ID = runID(binary.BigEndian.AppendUint64(nil, n))
	for i := range run.Units {
		if err := putResult(tx, run.ID, run.Units[i]); err != nil {
			return err
		}
	}
	return putRun(tx, run)
}

// putRun stores the run's header; unit results are stored by putResult.
func putRun(tx *bbolt.Tx, run *Run) error {
	key, err := runKey(run.ID)
	if err != nil {
		return err
	}
	h := header{Run: *run}
	h.Units = nil
	for i := range run.Units {
		h.UnitIDs = append(h.UnitIDs, run.Units[i].ID)
	}
	if err := putJSON(tx.Bucket(runsBucket), key, h); err != nil {
		return fmt.Errorf("record %s: %w", run.ID, err)
	}
	if run.Status == Running || run.Status == Queued || run.Waits() {
		return tx.Bucket(openBucket).Put(key, nil)
	}
	return tx.Bucket(openBucket).Delete(key)
}

func putResult(tx *bbolt.Tx, run string, u UnitResult) error {
	key, err := runKey(run)
	if err != nil {
		return err
	}
	if err := putJSON(tx.Bucket(resultsBucket), resultKey(key, u.ID), u); err != nil {
		return fmt.Errorf("record %s of %s: %w", u.ID, run, err)
	}
	return nil
}

func getRun(tx *bbolt.Tx, id string) (*Run, error) {
	key, err := runKey(id)
	if err != nil {
		return nil, err
	}
	var h header
	ok, err := getJSON(tx.Bucket(runsBucket), key, &h)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	if !ok {
		return nil, fmt.Errorf("run %s: %w", id, ErrNoRun)
	}
	run := h.Run
	run.Units = make([]UnitResult, 0, len(h.UnitIDs))
	for _, unit := range h.UnitIDs {
		var u UnitResult
		if _, err := getJSON(tx.Bucket(resultsBucket), resultKey(key, unit), &u); err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", unit, id, err)
		}
		run.Units = append(run.Units, u)
	}
	return &run, nil
}

// openRuns returns the runs that run or wait, oldest first.
func openRuns(tx *bbolt.Tx) ([]*Run, error) {
	var ids []string
	err := tx.Bucket(openBucket).ForEach(func(k, _ []byte) error {
		ids = append(ids, runID(k))
		return nil
	})
	if err != nil {
		return nil, err
	}
	var runs []*Run
	for _, id := range ids {
		run, err := getRun(tx, id)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// RunsQuery selects runs.
type RunsQuery struct {
	Repository string // "" for every repository
	Limit      int    // how many at the most; 0 is 20
	Waiting    bool   // only those in which something waits for a person
	Pull       int    // only those that plan this pull request or apply what it brought; 0 is all
	Branch     string // only those of this branch of a pull request, or review branch; "" is all
}

func listRuns(tx *bbolt.Tx, q RunsQuery) ([]Run, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = 20
	}
	bucket := runsBucket
	if q.Waiting {
		bucket = openBucket
	}
	applied, err := appliedOf(tx, q)
	if err != nil {
		return nil, err
	}
	runs := []Run{}
	c := tx.Bucket(bucket).Cursor()
	for k, _ := c.Last(); k != nil && len(runs) < limit; k, _ = c.Prev() {
		run, err := getRun(tx, runID(k))
		if err != nil {
			return nil, err
		}
		if q.Repository != "" && run.Repository != q.Repository || q.Waiting && !run.Waits() {
			continue
		}
		if q.Pull != 0 && run.PullRequest != q.Pull && !applied[run.ID] || q.Branch != "" && run.Branch != q.Branch {
			continue
		}
		runs = append(runs, *run)
	}
	return runs, nil
}

func putJSON(b *bbolt.Bucket, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, data)
}

func getJSON(b *bbolt.Bucket, key []byte, v any) (bool, error) {
	data := b.Get(key)
	if data == nil {
		return false, nil
	}
	return true, json.Unmarshal(data, v)
}

func (j *journal) update(f func(tx *bbolt.Tx) error) error { return j.db.Update(f) }
func (j *journal) view(f func(tx *bbolt.Tx) error) error   { return j.db.View(f) }

// meta reads what the journal knows of itself; nil where there is nothing.
func (j *journal) meta(key []byte) (value []byte, err error) {
	err = j.view(func(tx *bbolt.Tx) error {
		value = bytes.Clone(tx.Bucket(metaBucket).Get(key))
		return nil
	})
	return value, err
}

// setMeta writes it, where it is not so already.
func (j *journal) setMeta(key, value []byte) error {
	if known, err := j.meta(key); err != nil || bytes.Equal(known, value) {
		return err
	}
	return j.update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(key, value) })
}

// installation is a secret of this data directory, made when it is first asked for.
func (j *journal) installation() ([]byte, error) {
	key := []byte("installation")
	known, err := j.meta(key)
	if err != nil || known != nil {
		return known, err
	}
	made := make([]byte, 32)
	_, _ = rand.Read(made) // never fails
	return made, j.setMeta(key, made)
}
