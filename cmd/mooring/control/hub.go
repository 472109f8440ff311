package control

import (
	"sync"

	"github.com/mooring-iac/mooring/runner"
)

// Hub hands events to whoever watches. A watcher that is too slow loses events:
// the runner never waits for a terminal. The zero value is ready.
type Hub struct {
	mu       sync.Mutex // guards watchers
	watchers map[chan runner.Event]struct{}
}

// hubBuffer is how many events a watcher may lag behind: some seconds of
// Terraform's output.
const hubBuffer = 1024

// Publish passes one event on and never blocks.
func (h *Hub) Publish(e runner.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		select {
		case w <- e:
		default:
		}
	}
}

// Watch returns a channel of the events from now on, and what ends it.
func (h *Hub) Watch() (events <-chan runner.Event, stop func()) {
	w := make(chan runner.Event, hubBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = map[chan runner.Event]struct{}{}
	}
	h.watchers[w] = struct{}{}
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, w)
	}
}
