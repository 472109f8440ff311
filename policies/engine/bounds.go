package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// Why rules were stopped.
var (
	errSlow  = errors.New("too slow")
	errLarge = errors.New("too large")
)

// bound gives a context that ends when rules have run too long or the heap has grown too much. What the heap holds
// besides is counted too: the bound protects the server, whoever's fault it is.
func (o Options) bound(ctx context.Context) (bounded context.Context, stop func()) {
	ctx, timeout := context.WithTimeoutCause(ctx, o.Timeout, errSlow)
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	done := make(chan struct{})
	limit := heap() + o.Memory
	watching.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if heap() <= limit {
				continue
			}
			if runtime.GC(); heap() > limit { // it was not garbage
				cancel(errLarge)
				return
			}
		}
	})
	return ctx, func() {
		close(done)
		watching.Wait()
		cancel(nil)
		timeout()
	}
}

// heap is how many bytes objects have, living and not collected yet.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// stopped says why the context ended.
func (o Options) stopped(ctx context.Context) string {
	switch context.Cause(ctx) {
	case errSlow:
		return fmt.Sprintf("policies needed more than %s", o.Timeout)
	case errLarge:
		return fmt.Sprintf("policies needed more than %d MiB of memory", o.Memory>>20)
	}
	return "policies were stopped before they had answered"
}
