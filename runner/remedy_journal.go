package runner

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/runner/drift"
)

var remedyBucket = []byte("remedies") // repository, unit → remedy

// remedy is what Mooring has written on the forge about the drift of one unit. It is there before anything is opened, so
// that a Mooring which was killed in between looks for what it may have opened.
type remedy struct {
	Repository string   `json:"repository"`
	Unit       string   `json:"unit"`
	Issue      *written `json:"issue,omitempty"`
	Pull       *written `json:"pull,omitempty"`
	Branch     string   `json:"branch,omitempty"` // that is there, or may be
}

// written is one issue or pull request.
type written struct {
	Number int    `json:"number,omitempty"` // 0 where it was begun, and may be there or not
	Drift  string `json:"drift,omitempty"`  // digest of the drift that it was written of
	Text   string `json:"text,omitempty"`   // digest of title and body
	Files  string `json:"files,omitempty"`  // digest of the files of a branch
	Head   string `json:"head,omitempty"`   // the commit of a branch: another one is a person's
	// Ended is true where a person has closed or merged it: nothing is written of the same drift again.
	Ended bool `json:"ended,omitempty"`
}

// open tells whether anything is open, or may be.
func (m *remedy) open() bool {
	return m.Issue != nil && !m.Issue.Ended || m.Pull != nil && !m.Pull.Ended
}

// began is true where there is anything to put away.
func (m *remedy) began() bool { return m.Issue != nil || m.Pull != nil || m.Branch != "" }

func (d *remedier) keep(m *remedy) error {
	return d.r.journal.update(func(tx *bbolt.Tx) error {
		if !m.began() {
			return tx.Bucket(remedyBucket).Delete(unitKey(m.Repository, m.Unit))
		}
		return putJSON(tx.Bucket(remedyBucket), unitKey(m.Repository, m.Unit), m)
	})
}

func getRemedy(tx *bbolt.Tx, repository, unit string) (m remedy, err error) {
	_, err = getJSON(tx.Bucket(remedyBucket), unitKey(repository, unit), &m)
	return m, err
}

// remedies are those of a repository, by unit.
func remedies(tx *bbolt.Tx, repository string) (map[string]*remedy, error) {
	all := map[string]*remedy{}
	prefix := unitKey(repository, "")
	c := tx.Bucket(remedyBucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		m := &remedy{}
		if err := json.Unmarshal(v, m); err != nil {
			return nil, fmt.Errorf("read what was written of %s: %w", k[len(prefix):], err)
		}
		all[string(k[len(prefix):])] = m
	}
	return all, nil
}

// fingerprints stand for the drift of a unit as a whole.
func fingerprints(records []drift.Record) string {
	text := ""
	for _, r := range records {
		text += r.Address + "\x00" + string(r.Class) + "\x00" + r.Fingerprint + "\x00"
	}
	return brief(text)
}

// broughtBack is the pull request of ours that wrote a unit's drift into its files and was merged; 0 where none was.
func broughtBack(tx *bbolt.Tx, run *Run, unit string) (int, error) {
	m, err := getRemedy(tx, run.Repository, unit)
	if err != nil || m.Pull == nil || m.Pull.Number == 0 {
		return 0, err
	}
	if run.PullRequest == m.Pull.Number {
		return m.Pull.Number, nil
	}
	p := &pull{}
	known, err := getJSON(tx.Bucket(pullsBucket), unitKey(run.Repository, pullID(m.Pull.Number)), p)
	if err != nil || !known || p.Seen.State != forge.Merged {
		return 0, err
	}
	return m.Pull.Number, nil
}
