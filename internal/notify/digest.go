package notify

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/outbox"
)

// maxDigest is how many messages one digest tells at most; the rest follows in another.
const maxDigest = 200

// collect makes digests of what was put aside, until ctx ends.
func (n *Notifier) collect(ctx context.Context, l *line) error {
	for {
		due, err := n.flush(l)
		if err != nil {
			return err
		}
		var tick <-chan time.Time // never, while nothing waits
		if !due.IsZero() {
			tick = n.o.After(max(0, due.Sub(n.o.Now())))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		case <-l.held:
		}
	}
}

// flush moves what is due into the outbox, as one item and in one transaction, and
// says when to look again: zero is when something is put.
func (n *Notifier) flush(l *line) (due time.Time, err error) {
	now := n.o.Now()
	var all []held
	err = n.o.Store.View(func(tx *bbolt.Tx) error {
		all, err = kept(tx, l.Name)
		due = l.due(all, now)
		return err
	})
	if err != nil || len(all) == 0 || due.After(now) {
		return due, err
	}
	err = n.o.Store.Update(func(tx *bbolt.Tx) error {
		all, err := kept(tx, l.Name)
		if err != nil || len(all) == 0 {
			return err
		}
		all = all[:min(len(all), maxDigest)]
		var p parcel
		b := written(tx, heldNotes, l.Name)
		for _, h := range all {
			p.Messages = append(p.Messages, h.Message)
		}
		// The numbers of a channel's held messages are never given twice.
		item, err := p.item(l.Name, fmt.Sprintf("digest/%x", all[len(all)-1].place))
		if err != nil {
			return err
		}
		for _, h := range all {
			if err := b.Delete(h.place); err != nil {
				return err
			}
		}
		tx.OnCommit(func() { nudge(l.wake) })
		return outbox.Put(tx, now, item)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("digest for %s: %w", l.Name, err)
	}
	return now, nil // there may be more
}

// due is when what was put aside is told: when the digest of the first is full, and
// not in quiet hours.
func (l *line) due(all []held, now time.Time) time.Time {
	if len(all) == 0 {
		return time.Time{}
	}
	due := all[0].Put.Add(l.Digest)
	if due.Before(now) {
		due = now
	}
	for range 8 { // hours that follow on each other, and no end where every hour is quiet
		end, quiet := l.Quiet.until(due)
		if !quiet {
			return due
		}
		due = end
	}
	return due
}
