package runner

import (
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// mostEnded is how many pull requests that have ended a repository remembers: who opens
// an older one again is met for the first time.
const mostEnded = 1000

// forgetEnded forgets the oldest pull requests that have ended.
func forgetEnded(tx *bbolt.Tx, repository string) error {
	all, err := pulls(tx, repository)
	if err != nil {
		return err
	}
	var ended []*pull
	for _, p := range all {
		if p.Ended {
			ended = append(ended, p)
		}
	}
	slices.SortFunc(ended, func(a, b *pull) int { return b.Seen.Updated.Compare(a.Seen.Updated) })
	for i, p := range ended {
		if i < mostEnded {
			continue
		}
		if err := errors.Join(dropReviewed(tx, repository, p.ID, nil), tx.Bucket(pullsBucket).Delete(unitKey(repository, p.ID))); err != nil {
			return err
		}
	}
	return nil
}
