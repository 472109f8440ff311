package notify

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Below the bucket lies one for each kind of note, and in it one for each channel.
var (
	bucket     = []byte("notify")
	toldNotes  = []byte("told")   // key: when it was put
	heldNotes  = []byte("held")   // number: what waits for a digest or the end of quiet hours
	healthNote = []byte("health") // what is wrong with the channel
	fireNotes  = []byte("firing") // group: the alert
	kinds      = [][]byte{toldNotes, heldNotes, healthNote, fireNotes}
)

// notes opens a channel's notes to write.
func notes(tx *bbolt.Tx, kind []byte, channel string) (*bbolt.Bucket, error) {
	b, err := tx.CreateBucketIfNotExists(bucket)
	if err != nil {
		return nil, err
	}
	if b, err = b.CreateBucketIfNotExists(kind); err != nil {
		return nil, err
	}
	return b.CreateBucketIfNotExists([]byte(channel))
}

// written opens a channel's notes to read; nil where there are none.
func written(tx *bbolt.Tx, kind []byte, channel string) *bbolt.Bucket {
	b := tx.Bucket(bucket)
	if b != nil {
		b = b.Bucket(kind)
	}
	if b != nil {
		b = b.Bucket([]byte(channel))
	}
	return b
}

// forget removes the notes of channels that are no more.
func forget(tx *bbolt.Tx, keep map[string]*line) error {
	root := tx.Bucket(bucket)
	if root == nil {
		return nil
	}
	for _, kind := range kinds {
		b := root.Bucket(kind)
		if b == nil {
			continue
		}
		var gone [][]byte
		_ = b.ForEachBucket(func(name []byte) error { // the function has no error
			if keep[string(name)] == nil {
				gone = append(gone, name)
			}
			return nil
		})
		for _, name := range gone {
			if err := b.DeleteBucket(name); err != nil {
				return fmt.Errorf("forget the channel %s: %w", name, err)
			}
		}
	}
	return nil
}

// tell notes that a key was put for a channel; false where it was before.
func tell(tx *bbolt.Tx, channel, key string, now time.Time) (bool, error) {
	b, err := notes(tx, toldNotes, channel)
	if err != nil {
		return false, err
	}
	if b.Get([]byte(key)) != nil {
		return false, nil
	}
	return true, b.Put([]byte(key), binary.BigEndian.AppendUint64(nil, uint64(now.Unix())))
}

// prune forgets the keys that were told before a time.
func prune(tx *bbolt.Tx, channel string, before time.Time) error {
	b := written(tx, toldNotes, channel)
	if b == nil {
		return nil
	}
	var old [][]byte
	_ = b.ForEach(func(k, v []byte) error { // the function has no error
		if len(v) != 8 || int64(binary.BigEndian.Uint64(v)) < before.Unix() {
			old = append(old, k)
		}
		return nil
	})
	for _, k := range old {
		if err := b.Delete(k); err != nil {
			return fmt.Errorf("forget what %s was told: %w", channel, err)
		}
	}
	return nil
}

// held is a message that waits for its digest.
type held struct {
	Message Message   `json:"message"`
	Put     time.Time `json:"put"`

	place []byte
}

func keep(tx *bbolt.Tx, channel string, h held) error {
	b, err := notes(tx, heldNotes, channel)
	if err != nil {
		return err
	}
	n, err := b.NextSequence()
	if err != nil {
		return err
	}
	v, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return b.Put(binary.BigEndian.AppendUint64(nil, n), v)
}

// kept returns what waits, in order.
func kept(tx *bbolt.Tx, channel string) ([]held, error) {
	b := written(tx, heldNotes, channel)
	if b == nil {
		return nil, nil
	}
	var all []held
	err := b.ForEach(func(k, v []byte) error {
		h := held{place: k}
		if err := json.Unmarshal(v, &h); err != nil {
			return fmt.Errorf("read what waits for %s: %w", channel, err)
		}
		all = append(all, h)
		return nil
	})
	return all, err
}
