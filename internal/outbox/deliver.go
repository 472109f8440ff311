package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Store is where the outbox lies; *bbolt.DB is one.
type Store interface {
	View(func(*bbolt.Tx) error) error
	Update(func(*bbolt.Tx) error) error
}

// Deliverer sends what waits in one queue, one item at a time and in order. There
// must be one alone for a queue.
//
// An error of Send that has a method RetryAt() time.Time, or of which Unavailable
// says so, is the other side's: the queue stands still, and nothing counts
// against the item. Every other error is the item's own: it waits, longer each
// time, while the others go past it.
type Deliverer struct {
	Store Store
	Queue string

	// Send tells it. It may be asked for the same item again after it has
	// succeeded: the process may have ended before that was written down.
	Send func(context.Context, Item) error
	// Unavailable tells the errors that are not the item's fault; nil knows none.
	Unavailable func(error) bool
	// GaveUp says that an item was refused so often that it is not tried again.
	// It is called before the item is removed. Without it no item is given up.
	GaveUp func(Item, error)
	// Failed says that a try failed and when the next may be; nil is not told.
	Failed func(Item, error, time.Time)

	Tries   int                                  // after how many refusals an item is given up; 0 is 10
	Timeout time.Duration                        // of one Send; 0 is two minutes
	Wake    <-chan struct{}                      // says that something was put; nil waits for the clock alone
	Now     func() time.Time                     // nil is time.Now
	After   func(time.Duration) <-chan time.Time // nil is time.After

	failures int       // of the other side, in a row
	paused   time.Time // the queue stands still until then
}

const (
	defaultTries   = 10
	defaultTimeout = 2 * time.Minute
)

// Run delivers until ctx ends, which is no error. It returns when the store
// cannot be read or written; run again, it goes on where it stood.
func (d *Deliverer) Run(ctx context.Context) error {
	wake := d.Wake
	for {
		sent, next, err := d.step(ctx)
		if err != nil {
			return fmt.Errorf("deliver %s: %w", d.Queue, err)
		}
		if ctx.Err() != nil {
			return nil
		}
		if sent {
			continue
		}
		var tick <-chan time.Time // never, unless something waits for its time
		if !next.IsZero() {
			tick = d.after(max(0, next.Sub(d.now())))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		case _, open := <-wake:
			if !open {
				wake = nil // or the loop would turn for ever
			}
		}
	}
}

// step sends the first item that is due. Without one it says when to look again;
// zero is when something is put.
func (d *Deliverer) step(ctx context.Context) (sent bool, next time.Time, err error) {
	if d.now().Before(d.paused) {
		return false, d.paused, nil
	}
	var first *Item
	now := d.now()
	err = d.Store.View(func(tx *bbolt.Tx) error {
		return each(tx, queueName(d.Queue), func(it Item) bool {
			if !it.NotBefore.After(now) {
				first = &it
			} else if next.IsZero() || it.NotBefore.Before(next) {
				next = it.NotBefore
			}
			return first == nil
		})
	})
	if err != nil || first == nil || ctx.Err() != nil {
		return false, next, err
	}
	return true, time.Time{}, d.send(ctx, *first)
}

func (d *Deliverer) send(ctx context.Context, it Item) error {
	err := d.try(ctx, it)
	if err == nil {
		d.failures = 0
		return d.Store.Update(func(tx *bbolt.Tx) error { return Done(tx, it) })
	}
	if ctx.Err() != nil {
		return nil // it was stopped, not refused
	}
	if d.unavailable(err) {
		d.paused = d.now().Add(d.pause(err))
		d.failed(it, err, d.paused)
		return d.Store.Update(func(tx *bbolt.Tx) error { return blame(tx, it, err.Error()) })
	}
	d.failures = 0 // it has answered
	if d.GaveUp != nil && it.Tries+1 >= positive(d.Tries, defaultTries) {
		d.GaveUp(it, err)
		return d.Store.Update(func(tx *bbolt.Tx) error { return Done(tx, it) })
	}
	until := d.now().Add(backoff(it.Tries + 1))
	d.failed(it, err, until)
	return d.Store.Update(func(tx *bbolt.Tx) error { return Retry(tx, it, until, err.Error()) })
}

func (d *Deliverer) try(ctx context.Context, it Item) error {
	ctx, cancel := context.WithTimeout(ctx, positive(d.Timeout, defaultTimeout))
	defer cancel()
	return d.Send(ctx, it)
}

func (d *Deliverer) failed(it Item, err error, until time.Time) {
	if d.Failed != nil {
		d.Failed(it, err, until)
	}
}

// timed is an error of somebody who says when to ask again.
type timed interface{ RetryAt() time.Time }

func (d *Deliverer) unavailable(err error) bool {
	var t timed
	return errors.As(err, &t) || errors.Is(err, context.DeadlineExceeded) || d.Unavailable != nil && d.Unavailable(err)
}

func (d *Deliverer) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

func (d *Deliverer) after(t time.Duration) <-chan time.Time {
	if d.After == nil {
		return time.After(t)
	}
	return d.After(t)
}

func positive[T int | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}
