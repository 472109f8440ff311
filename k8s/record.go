package k8s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// saveBefore stores what the set holds together with what it is about to hold, so that no object can be made
// that nobody remembers. When nothing is new, what is stored already says it all. A hook that is to run is no longer known to
// have run: should this apply end before its turn, the next one owes it a run although nothing else is left to send.
func (x *execution) saveBefore() error {
	for _, a := range x.actions {
		if !a.sends() {
			continue
		}
		item, known := x.held[a.Item.ID]
		if !known {
			item = a.Item
		}
		if a.isTask() {
			item.Applied, item.Healthy = "", false
		}
		x.held[a.Item.ID] = item
	}
	if err := x.save(x.inv.with(x.held)); err != nil {
		return fmt.Errorf("save the inventory of %s before the first write: %w", x.set.ID, err)
	}
	return nil
}

// save stores the inventory unless it is what is stored already.
func (x *execution) save(inv Inventory) error {
	if x.opts.Save == nil || sameInventory(inv, x.stored) {
		return nil
	}
	if err := x.opts.Save(inv); err != nil {
		return err
	}
	x.stored = inv
	return nil
}

// hold takes an item in. One that was sent and found as it was is as healthy as before.
func (x *execution) hold(item Item, unchanged bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	item.Healthy = unchanged && x.held[item.ID].Healthy
	x.held[item.ID] = item
}

func (x *execution) drop(id ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.held, id)
}

// settle notes that the set is as desired.
func (x *execution) settle(ctx context.Context) error {
	x.forget()
	if len(x.inv.Items) != len(x.held) { // something was pruned or forgotten since
		if err := x.sent(ctx); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(x.actions, func(a Action) bool { return a.Verb == VerbSkip || a.Verb == VerbHold }) {
		x.inv.Source = x.opts.Source
	}
	x.inv = x.inv.with(x.held)
	return nil
}

// sent notes that the cluster has all of the set, and what the server was then: healthy or not, nothing has to be sent again.
func (x *execution) sent(ctx context.Context) error {
	x.inv = x.inv.with(x.held)
	if slices.ContainsFunc(x.actions, func(a Action) bool { return a.Verb != VerbKeep }) {
		var err error // other groups are in play, or the set itself has begun a new epoch
		if x.epoch, err = x.c.epoch(ctx, groupsOf(x.inv.Items)); err != nil {
			return err
		}
	}
	x.inv.Epoch, x.inv.Source = x.epoch, ""
	if x.observed.Verify || x.inv.Verified.IsZero() || len(x.stored.Items) == 0 {
		x.inv.Verified = x.c.now().UTC().Truncate(time.Second)
	}
	return nil
}

// holds says what waits for a person.
func (x *execution) holds() error {
	for _, a := range x.actions {
		if a.Verb == VerbHold {
			return fmt.Errorf("%w: %s", ErrPruneHeld, a.Reason)
		}
	}
	return nil
}

// forget drops what is gone, or no longer the set's.
func (x *execution) forget() {
	for _, a := range x.actions {
		if a.Verb == VerbForget {
			x.drop(a.Item.ID)
		}
	}
}

// finish stores what the set holds now and sums up.
func (x *execution) finish(err error) (Result, error) {
	if err == nil {
		x.forget()
	} else {
		x.inv.Source = ""
	}
	r := x.summary()
	if err != nil {
		r = x.markFailed(err)
	}
	if saveErr := x.save(r.Inventory); saveErr != nil {
		err = errors.Join(err, fmt.Errorf("save the inventory of %s: %w", x.set.ID, saveErr))
	}
	return r, err
}

func sameInventory(a, b Inventory) bool {
	if len(a.Items) == 0 && len(b.Items) == 0 {
		return true
	}
	if len(a.Items) != len(b.Items) || a.Cluster != b.Cluster || a.Epoch != b.Epoch || a.Source != b.Source || !a.Verified.Equal(b.Verified) {
		return false
	}
	other := b.byID()
	for _, item := range a.Items {
		if other[item.ID] != item {
			return false
		}
	}
	return true
}
