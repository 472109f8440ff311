package notify

import (
	"context"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/outbox"
)

// flushFor is how long one command waits for what it has to tell.
const flushFor = 30 * time.Second

// Flush delivers what waits now and may be told now, for a process that ends: what a channel does not take stays for the
// next. Nobody may be in Run meanwhile.
func (n *Notifier) Flush(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, flushFor)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		}
		if left, err := n.deliverable(); err != nil || left == 0 {
			stop()
			return <-ended
		}
	}
}

// deliverable counts what is due now on channels that take something. What is held for a digest is not.
func (n *Notifier) deliverable() (left int, err error) {
	sick := map[string]bool{}
	n.mu.Lock()
	for name := range n.sick {
		sick[queues+name] = true
	}
	n.mu.Unlock()
	err = n.o.Store.View(func(tx *bbolt.Tx) error {
		all, err := outbox.List(tx)
		for _, it := range all {
			if name, ours := strings.CutPrefix(it.Queue, queues); ours && n.lines[name] != nil && !sick[it.Queue] && !it.NotBefore.After(n.o.Now()) {
				left++
			}
		}
		return err
	})
	return left, err
}
