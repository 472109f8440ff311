package outbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// Below the bucket lie two: items by queue and place, and the place of each key.
var (
	bucket = []byte("outbox")
	items  = []byte("items")
	places = []byte("places")
)

// Item is one thing to be told.
type Item struct {
	Queue string          `json:"queue"` // items of one queue go one after the other
	Key   string          `json:"key"`   // what it is about: a newer item of the same key replaces it
	Body  json.RawMessage `json:"body,omitempty"`

	Seq       uint64    `json:"seq"`   // given by Put, never twice: tells an item from what replaced it
	Tries     int       `json:"tries"` // how often it was refused
	NotBefore time.Time `json:"not_before,omitzero"`
	Made      time.Time `json:"made"` // when something first waited under the key
	LastError string    `json:"last_error,omitempty"`
}

// Put adds an item that waits for its NotBefore, if it has one. An item that waits
// under the same queue and key is replaced: the new one keeps its place and its
// Made, and begins without tries.
func Put(tx *bbolt.Tx, now time.Time, it Item) error {
	if it.Queue == "" || it.Key == "" {
		return fmt.Errorf("put %q into the outbox's queue %q: it needs both names", it.Key, it.Queue)
	}
	b, err := open(tx)
	if err != nil {
		return fmt.Errorf("put %s into the outbox: %w", it.Key, err)
	}
	if err := b.put(now, it); err != nil {
		return fmt.Errorf("put %s into the outbox: %w", it.Key, err)
	}
	return nil
}

// Due returns what may be sent now, oldest first, and when the next of the others
// may: zero where none waits.
func Due(tx *bbolt.Tx, queue string, now time.Time) (due []Item, next time.Time, err error) {
	err = each(tx, queueName(queue), func(it Item) bool {
		if !it.NotBefore.After(now) {
			due = append(due, it)
		} else if next.IsZero() || it.NotBefore.Before(next) {
			next = it.NotBefore
		}
		return true
	})
	return due, next, err
}

// Done removes an item that was told. One that was replaced meanwhile is left:
// the newer has still to be told.
func Done(tx *bbolt.Tx, it Item) error {
	b, place, now, err := find(tx, it)
	if err != nil || place == nil || now.Seq != it.Seq {
		return err
	}
	return b.remove(place, it)
}

// Retry counts a try that failed. The item keeps its place and waits. One that
// was replaced meanwhile, or removed, is left alone.
func Retry(tx *bbolt.Tx, it Item, notBefore time.Time, cause string) error {
	return change(tx, it, func(now *Item) {
		now.Tries++
		now.NotBefore, now.LastError = notBefore, cause
	})
}

// blame says why an item is not told yet; it was no fault of the item.
func blame(tx *bbolt.Tx, it Item, cause string) error {
	return change(tx, it, func(now *Item) { now.LastError = cause })
}

// Drop removes what need not be told any more.
func Drop(tx *bbolt.Tx, queue string, match func(Item) bool) error {
	var gone []Item
	err := each(tx, queueName(queue), func(it Item) bool {
		if match(it) {
			gone = append(gone, it)
		}
		return true
	})
	for _, it := range gone { // after the walk: a cursor may skip what follows a removal
		err = errors.Join(err, Done(tx, it))
	}
	return err
}

// List returns everything that waits, by queue, oldest first.
func List(tx *bbolt.Tx) ([]Item, error) {
	var all []Item
	err := each(tx, nil, func(it Item) bool {
		all = append(all, it)
		return true
	})
	slices.SortStableFunc(all, func(a, b Item) int { return strings.Compare(a.Queue, b.Queue) })
	return all, err
}

// box is the two buckets.
type box struct{ root, items, places *bbolt.Bucket }

func open(tx *bbolt.Tx) (b box, err error) {
	if b.root, err = tx.CreateBucketIfNotExists(bucket); err != nil {
		return b, err
	}
	if b.items, err = b.root.CreateBucketIfNotExists(items); err != nil {
		return b, err
	}
	b.places, err = b.root.CreateBucketIfNotExists(places)
	return b, err
}

// existing is open for a reader; false where nothing was ever put.
func existing(tx *bbolt.Tx) (box, bool) {
	root := tx.Bucket(bucket)
	if root == nil {
		return box{}, false
	}
	b := box{root, root.Bucket(items), root.Bucket(places)}
	return b, b.items != nil && b.places != nil
}

func (b box) put(now time.Time, it Item) error {
	seq, err := b.root.NextSequence()
	if err != nil {
		return err
	}
	it.Seq, it.Tries, it.LastError, it.Made = seq, 0, "", now
	place := b.places.Get(keyName(it))
	if place == nil {
		place = binary.BigEndian.AppendUint64(queueName(it.Queue), seq)
		if err := b.places.Put(keyName(it), place); err != nil {
			return err
		}
	} else {
		place = bytes.Clone(place) // valid until the next write only
		older, err := decode(b.items.Get(place))
		if err != nil {
			return err
		}
		it.Made = older.Made
	}
	return b.write(place, it)
}

func (b box) write(place []byte, it Item) error {
	v, err := json.Marshal(it)
	if err != nil {
		return err
	}
	return b.items.Put(place, v)
}

func (b box) remove(place []byte, it Item) error {
	if err := errors.Join(b.items.Delete(place), b.places.Delete(keyName(it))); err != nil {
		return fmt.Errorf("take %s out of the outbox: %w", it.Key, err)
	}
	return nil
}

// find returns what waits under the item's key now; place is nil for nothing.
func find(tx *bbolt.Tx, it Item) (b box, place []byte, now Item, err error) {
	b, ok := existing(tx)
	if !ok {
		return b, nil, Item{}, nil
	}
	if place = bytes.Clone(b.places.Get(keyName(it))); place == nil {
		return b, nil, Item{}, nil
	}
	now, err = decode(b.items.Get(place))
	return b, place, now, err
}

func change(tx *bbolt.Tx, it Item, f func(now *Item)) error {
	b, place, now, err := find(tx, it)
	if err != nil || place == nil || now.Seq != it.Seq {
		return err
	}
	f(&now)
	if err := b.write(place, now); err != nil {
		return fmt.Errorf("keep %s in the outbox: %w", it.Key, err)
	}
	return nil
}

// each walks through a queue, or through all for nil, until f says that it wants
// no more.
func each(tx *bbolt.Tx, prefix []byte, f func(Item) (more bool)) error {
	b, ok := existing(tx)
	if !ok {
		return nil
	}
	c := b.items.Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		it, err := decode(v)
		if err != nil {
			return err
		}
		if !f(it) {
			return nil
		}
	}
	return nil
}

func decode(v []byte) (it Item, err error) {
	if err := json.Unmarshal(v, &it); err != nil {
		return Item{}, fmt.Errorf("read an item of the outbox: %w", err)
	}
	return it, nil
}

// queueName has its length before it: no queue's name is the start of another's.
func queueName(queue string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(queue))), queue...)
}

func keyName(it Item) []byte { return append(queueName(it.Queue), it.Key...) }
