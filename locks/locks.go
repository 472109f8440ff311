package locks

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

var bucket = []byte("locks")

// ErrHeld is what a HeldError wraps: somebody else holds the workspace.
var ErrHeld = errors.New("held")

// ErrNotHeld is returned when a lock that should be let go is not there, or
// belongs to another run.
var ErrNotHeld = errors.New("not held")

// Holder says who has a lock.
type Holder struct {
	Unit       string    `json:"unit"`
	Repository string    `json:"repository"` // the name in the server's configuration
	Run        string    `json:"run"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
}

// Lock is a key with its holder.
type Lock struct {
	Key Key `json:"-"`
	Holder
}

// HeldError tells whom to ask. It wraps ErrHeld.
type HeldError struct {
	Unit   string // the unit that wanted the lock
	Holder Holder
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("lock %s: held by %s (%s) since %s", e.Unit, e.Holder.Run, e.Holder.Reason, e.Holder.Since.Format(time.RFC3339))
}

func (e *HeldError) Unwrap() error { return ErrHeld }

// Acquire takes the lock for the holder, or fails with a *HeldError. Taking a
// lock again for the same run succeeds and keeps the first moment.
func Acquire(tx *bbolt.Tx, key Key, h Holder) error {
	b, err := tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return fmt.Errorf("lock %s: %w", h.Unit, err)
	}
	if v := b.Get(key.bytes()); v != nil {
		var now Holder
		if err := json.Unmarshal(v, &now); err != nil {
			return fmt.Errorf("lock %s: read its holder: %w", h.Unit, err)
		}
		if now.Run != h.Run || now.Repository != h.Repository {
			return &HeldError{Unit: h.Unit, Holder: now}
		}
		h.Since = now.Since
	}
	v, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("lock %s: %w", h.Unit, err)
	}
	if err := b.Put(key.bytes(), v); err != nil {
		return fmt.Errorf("lock %s: %w", h.Unit, err)
	}
	return nil
}

// Release lets go of a lock that the run holds. A lock that is not there, or is
// another run's, is left alone and answered with ErrNotHeld.
func Release(tx *bbolt.Tx, key Key, run string) error {
	h, ok, err := Get(tx, key)
	if err != nil {
		return err
	}
	if !ok || h.Run != run {
		return fmt.Errorf("unlock %s: %w by %s", key.Dir, ErrNotHeld, run)
	}
	return tx.Bucket(bucket).Delete(key.bytes())
}

// Break removes a lock whoever holds it: a person's decision. It returns the
// holder that lost it, or ErrNotHeld.
func Break(tx *bbolt.Tx, key Key) (Holder, error) {
	h, ok, err := Get(tx, key)
	if err != nil {
		return Holder{}, err
	}
	if !ok {
		return Holder{}, fmt.Errorf("unlock %s: %w", key.Dir, ErrNotHeld)
	}
	return h, tx.Bucket(bucket).Delete(key.bytes())
}

// Get returns the holder of a lock; false when nobody holds it.
func Get(tx *bbolt.Tx, key Key) (Holder, bool, error) {
	b := tx.Bucket(bucket)
	if b == nil {
		return Holder{}, false, nil
	}
	v := b.Get(key.bytes())
	if v == nil {
		return Holder{}, false, nil
	}
	var h Holder
	if err := json.Unmarshal(v, &h); err != nil {
		return Holder{}, false, fmt.Errorf("lock %s: read its holder: %w", key.Dir, err)
	}
	return h, true, nil
}

// List returns every lock, ordered by key.
func List(tx *bbolt.Tx) ([]Lock, error) {
	b := tx.Bucket(bucket)
	if b == nil {
		return nil, nil
	}
	var all []Lock
	err := b.ForEach(func(k, v []byte) error {
		key, err := parseKey(k)
		if err != nil {
			return err
		}
		l := Lock{Key: key}
		if err := json.Unmarshal(v, &l.Holder); err != nil {
			return fmt.Errorf("lock %s: read its holder: %w", key.Dir, err)
		}
		all = append(all, l)
		return nil
	})
	return all, err
}
