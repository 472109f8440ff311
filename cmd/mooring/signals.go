package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// untilSignal returns a context that the first SIGINT or SIGTERM ends: running
// applies may then finish. The second interrupts them; a third kills.
func (a *app) untilSignal(ctx context.Context, s *session) (context.Context, func()) {
	if s.remote != nil {
		// The work is the server's: it goes on when this command leaves.
		return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	}
	return twice(ctx, func() { a.note("stopping: running applies may finish; once more interrupts them") }, func() {
		a.note("interrupting running applies")
		s.interrupt()
	})
}

// twice ends the context it returns at the first SIGINT or SIGTERM, after calling
// first, and calls second at the second one. Then signals do what they usually do.
func twice(ctx context.Context, first, second func()) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	c := make(chan os.Signal, 2)
	done := make(chan struct{})
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		for _, then := range []func(){func() { first(); cancel() }, second} {
			select {
			case <-c:
				then()
			case <-done:
				return
			}
		}
		signal.Stop(c)
	}()
	var once sync.Once
	return ctx, func() {
		once.Do(func() {
			signal.Stop(c)
			close(done)
			cancel()
		})
	}
}
