package runner

import (
	"context"
	"errors"
	"time"

	"github.com/mooring-iac/mooring/internal/forge"
)

const (
	// lastLook bounds the pause between looks while the forge is away: people wait for
	// Mooring from the moment that it is back.
	lastLook = 30 * time.Second
	// lookBurst looks may follow hints at once, and one more each lookSpacing: a
	// thousand webhooks are news, too, but not a thousand looks.
	lookBurst   = 8
	lookSpacing = 250 * time.Millisecond
)

// pace says when the next look is.
type pace struct {
	trouble int       // looks that failed in a row
	spent   time.Time // until then the looks that were made are more than their share
}

// after is the pause that follows a look: hints shorten it to least and no further.
func (p *pace) after(err error, now time.Time, poll time.Duration, unsettled func() bool) (pause, least time.Duration) {
	if p.spent.Before(now) {
		p.spent = now
	}
	p.spent = p.spent.Add(lookSpacing)
	least = max(0, p.spent.Sub(now)-lookBurst*lookSpacing)
	pause = jitter(poll)
	var limit *forge.LimitError
	switch {
	case errors.As(err, &limit): // it is there, and says when to come back
		p.trouble = max(p.trouble, 1)
		least = max(least, limit.Until.Sub(now))
	case err != nil:
		p.trouble++
		least = max(least, backoff(firstPause, firstPause, 1))
		pause = max(pause, backoff(firstPause, lastLook, p.trouble))
	default:
		p.trouble = 0
		if unsettled() {
			pause = min(pause, sameSecond)
		}
	}
	return max(pause, least), least
}

// rest waits for a pause to end, or for a hint once the least of it is over.
func (v *reviewer) rest(ctx context.Context, pause, least time.Duration) {
	began := time.NewTimer(least)
	defer began.Stop()
	select {
	case <-ctx.Done():
		return
	case <-began.C:
	}
	left := time.NewTimer(pause - least)
	defer left.Stop()
	select {
	case <-ctx.Done():
	case <-v.wake:
	case <-left.C:
	}
}
