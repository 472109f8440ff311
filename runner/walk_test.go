package runner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func TestWalkKeepsOrderAndLimit(t *testing.T) {
	// a → b → d, a → c → d, and twenty that stand alone.
	steps := []step{{"d", []string{"b", "c"}}, {"b", []string{"a"}}, {"c", []string{"a"}}, {"a", nil}}
	for i := range 20 {
		steps = append(steps, step{id: fmt.Sprint("alone", i)})
	}
	var mu sync.Mutex
	var order []string
	var now, most atomic.Int32
	got := walk(t.Context(), steps, make(chan struct{}, 3), func(id string) Status {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		mu.Lock()
		order = append(order, id)
		mu.Unlock()
		return Applied
	})
	if len(got) != len(steps) || len(order) != len(steps) {
		t.Fatalf("%d results and %d calls for %d steps", len(got), len(order), len(steps))
	}
	if most.Load() > 3 {
		t.Errorf("%d at once, want at most 3", most.Load())
	}
	at := func(id string) int { return slices.Index(order, id) }
	if !(at("a") < at("b") && at("a") < at("c") && at("b") < at("d") && at("c") < at("d")) {
		t.Errorf("order %v breaks a → b, c → d", order)
	}
}

func TestWalkStartsNothingAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	got := walk(ctx, []step{{"a", nil}, {"b", []string{"a"}}}, make(chan struct{}, 2), func(id string) Status {
		cancel()
		go close(release)
		<-release // ends after ctx is done, and is waited for
		return Applied
	})
	if len(got) != 1 || got["a"] != Applied {
		t.Errorf("results = %v, want a alone", got)
	}
}

func TestWalksShareTheServersSlots(t *testing.T) {
	slots := make(chan struct{}, 2)
	var now, most atomic.Int32
	do := func(string) Status {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return Applied
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var steps []step
			for i := range 50 {
				steps = append(steps, step{id: fmt.Sprint(i)})
			}
			walk(t.Context(), steps, slots, do)
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d at once over four walks, want at most 2", most.Load())
	}
}

func TestBlocked(t *testing.T) {
	tests := []struct {
		name     string
		upstream map[string]Status
		want     Status
		why      string
	}{
		{"nothing upstream", nil, "", ""},
		{"all is well", map[string]Status{"a": Applied, "b": Unchanged}, "", ""},
		{"a failure skips", map[string]Status{"a": Applied, "b": Failed}, Skipped, "b failed"},
		{"a skipped upstream skips", map[string]Status{"a": Skipped}, Skipped, "a was skipped"},
		{"a held upstream defers", map[string]Status{"a": Held, "b": Applied}, Deferred, "a waits for approval"},
		{"a failure outranks a wait", map[string]Status{"a": Held, "b": Interrupted}, Skipped, "b was interrupted"},
		{"never applied", map[string]Status{"a": ""}, Deferred, "a has never been applied"},
		{"an unheard-of status stands back", map[string]Status{"a": "melted"}, Deferred, "a melted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why := blocked(tt.upstream)
			if got != tt.want || why != tt.why {
				t.Errorf("blocked = %q, %q; want %q, %q", got, why, tt.want, tt.why)
			}
		})
	}
}
