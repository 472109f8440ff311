package runner

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mooring-iac/mooring/locks"
)

// errGaveWay ends the scan of a unit that somebody wants to plan or apply.
var errGaveWay = errors.New("a run wanted the unit: the scan gave way, and is made again")

// lookers are the scans under way. A scan takes no lock: whoever takes one ends the scan of the unit and waits until it
// has let go. So a scan never stands in the way of an apply.
type lookers struct {
	mu sync.Mutex
	at map[locks.Key]*looker
}

type looker struct {
	end    context.CancelCauseFunc
	gone   chan struct{} // closed when the scan has let go
	killed bool          // its Terraform heeded no interrupt: it may have left the state locked. Read after gone
}

// look begins the scan of a unit; false where one is under way already. The caller looks for a lock after this, never
// before: then either it sees the lock, or who takes the lock sees the scan.
func (l *lookers) look(ctx context.Context, key locks.Key) (_ context.Context, done func(killed bool), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at[key] != nil {
		return ctx, nil, false
	}
	if l.at == nil {
		l.at = map[locks.Key]*looker{}
	}
	mine := &looker{gone: make(chan struct{})}
	ctx, mine.end = context.WithCancelCause(ctx)
	l.at[key] = mine
	return ctx, func(killed bool) {
		mine.killed = killed
		l.mu.Lock()
		delete(l.at, key)
		l.mu.Unlock()
		mine.end(nil)
		close(mine.gone)
	}, true
}

// giveWay ends the scan of a unit, if there is one, and waits until it has let go. killed tells that its Terraform had to be
// killed. Only who holds the unit's lock, or does without one, calls it.
func (l *lookers) giveWay(key locks.Key) (killed bool) {
	l.mu.Lock()
	there := l.at[key]
	l.mu.Unlock()
	if there == nil {
		return false
	}
	there.end(errGaveWay)
	<-there.gone
	return there.killed
}

// scanGrace is how long Terraform has to end when a scan gives way. It changes nothing, and somebody waits.
const scanGrace = 3 * time.Second

// disturb ends the scan of a unit that is about to be worked on, and remembers where that may have left its state locked.
func (x *execution) disturb(t task) {
	if !x.r.lookers.giveWay(x.r.lockKey(x.repo, t.unit)) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.disturbed == nil {
		x.disturbed = map[string]bool{}
	}
	x.disturbed[t.unit.ID] = true
}

// wasDisturbed tells that the scan of a unit had to be killed for this run.
func (x *execution) wasDisturbed(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.disturbed[id]
}

// mayBeLocked tells that a run of ours may have left the state of a unit locked.
func (x *execution) mayBeLocked(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.disturbed[id] || x.memory(id).cutShort()
}
