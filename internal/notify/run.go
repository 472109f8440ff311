package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"

	"github.com/mooring-iac/mooring/internal/outbox"
)

// Run delivers until ctx ends, which is no error. It returns when the store cannot be
// read or written; run again, it goes on where it stood. Of each Notifier one Run alone
// may be under way.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.begin(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range n.lines {
		g.Go(func() error { return n.deliver(ctx, l) })
		if a, ok := l.sender.(*alertmanager); ok {
			g.Go(func() error { return n.every(ctx, alertEvery, func() error { return n.again(ctx, l, a) }) })
		} else {
			g.Go(func() error { return n.collect(ctx, l) })
		}
	}
	g.Go(func() error { return n.every(ctx, 24*time.Hour, n.prune) })
	return g.Wait()
}

// begin takes over what the process before has left, and drops what was for channels
// that are no more.
func (n *Notifier) begin() error {
	err := n.o.Store.Update(func(tx *bbolt.Tx) error {
		if err := n.remember(tx); err != nil {
			return err
		}
		all, err := outbox.List(tx)
		if err != nil {
			return err
		}
		for _, it := range all {
			name, ours := strings.CutPrefix(it.Queue, queues)
			if ours && n.lines[name] == nil {
				if err := outbox.Done(tx, it); err != nil {
					return err
				}
			}
		}
		return forget(tx, n.lines)
	})
	if err != nil {
		return fmt.Errorf("begin to notify: %w", err)
	}
	return nil
}

func (n *Notifier) deliver(ctx context.Context, l *line) error {
	var broken error // of the store, in a function that cannot return it
	ctx, end := context.WithCancel(ctx)
	defer end()
	note := func(err error) {
		if err != nil {
			broken = errors.Join(broken, err)
			end()
		}
	}
	d := outbox.Deliverer{
		Store: n.o.Store, Queue: queues + l.Name, Wake: l.wake, Now: n.o.Now, After: n.o.After,
		Tries: l.tries(), Unavailable: away,
		Send: func(ctx context.Context, it outbox.Item) error {
			err := l.deliver(ctx, it)
			if err != nil {
				return err
			}
			n.observe(l, nil)
			note(n.well(l))
			return nil
		},
		Failed: func(_ outbox.Item, err error, _ time.Time) {
			n.observe(l, err)
			note(n.failed(l, err, false))
		},
		GaveUp: func(it outbox.Item, err error) {
			n.observe(l, err)
			note(n.failed(l, fmt.Errorf("%s was given up: %w", it.Key, err), true))
		},
	}
	err := d.Run(ctx)
	return errors.Join(err, broken)
}

// again repeats alerts; one that fails is repeated the next time.
func (n *Notifier) again(ctx context.Context, l *line, a *alertmanager) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	sent, err := a.again(ctx)
	err = hide(err, l.secrets)
	switch {
	case err == nil && !sent:
		return nil
	case errors.Is(err, context.Canceled):
		return nil
	case err != nil:
		n.observe(l, err)
		return n.failed(l, err, false)
	}
	return n.well(l)
}

func (n *Notifier) prune() error {
	return n.o.Store.Update(func(tx *bbolt.Tx) error {
		for name := range n.lines {
			if err := prune(tx, name, n.o.Now().Add(-toldFor)); err != nil {
				return err
			}
		}
		return nil
	})
}

// every does something now and then again after each pause.
func (n *Notifier) every(ctx context.Context, pause time.Duration, do func() error) error {
	for ctx.Err() == nil {
		if err := do(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-n.o.After(pause):
		}
	}
	return nil
}

func (n *Notifier) observe(l *line, err error) {
	if n.o.Observe != nil {
		n.o.Observe(l.Name, err)
	}
}

// fires keeps a channel's firing alerts in the store.
type fires struct {
	store   outbox.Store
	channel string
}

func (f fires) fires() (map[string]alert, error) {
	all := map[string]alert{}
	err := f.store.View(func(tx *bbolt.Tx) error {
		b := written(tx, fireNotes, f.channel)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			var a alert
			if err := json.Unmarshal(v, &a); err != nil {
				return fmt.Errorf("read the alerts of %s: %w", f.channel, err)
			}
			all[string(k)] = a
			return nil
		})
	})
	return all, err
}

func (f fires) note(fires map[string]alert, ended []string) error {
	if len(fires)+len(ended) == 0 {
		return nil
	}
	return f.store.Update(func(tx *bbolt.Tx) error {
		b, err := notes(tx, fireNotes, f.channel)
		if err != nil {
			return err
		}
		for _, group := range ended {
			if err := b.Delete([]byte(group)); err != nil {
				return err
			}
		}
		for group, a := range fires {
			v, err := json.Marshal(a)
			if err != nil {
				return err
			}
			if err := b.Put([]byte(group), v); err != nil {
				return err
			}
		}
		return nil
	})
}
