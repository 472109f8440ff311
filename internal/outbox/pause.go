package outbox

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	// longestStill bounds how long a queue waits for a side that is away: people wait
	// for what is in it from the moment that it is back.
	longestStill = 30 * time.Second
	// longestAsked bounds what the other side may ask for: no forge's limit lasts
	// longer, and an absurd date must not silence a queue.
	longestAsked = time.Hour
)

// pause is how long the queue stands still. Somebody who says when to come back is
// there: only silence makes the pauses longer.
func (d *Deliverer) pause(err error) time.Duration {
	var t timed
	if errors.As(err, &t) && !t.RetryAt().IsZero() {
		return min(max(t.RetryAt().Sub(d.now()), firstPause), longestAsked)
	}
	d.failures++
	return min(backoff(d.failures), longestStill)
}

// backoff doubles from one second to five minutes. Of each pause between half and
// all is waited, by chance: those who failed together do not come back together.
func backoff(failures int) time.Duration {
	p := longestPause
	if failures < 10 {
		p = min(firstPause<<max(0, failures-1), longestPause)
	}
	return p/2 + rand.N(p/2+1)
}
