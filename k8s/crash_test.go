package k8s

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Killed at each request of an apply that creates, changes, moves and prunes, with whatever inventory was saved by then, the next
// apply converges: nothing is left behind, and nothing of others is deleted.
func TestCase26CrashAtEachStep(t *testing.T) {
	r := newRig(t)
	before := configMap("stays", "k: v") + configMap("changes", "k: v") + configMap("goes", "k: v") + configMap("goes-too", "k: v")
	after := configMap("stays", "k: v") + configMap("changes", "k: w") + configMap("new", "k: v") + configMap("newer", "k: v")
	r.create("v1", "ConfigMap", "metadata: {name: somebodys, namespace: NS}")
	for step := 1; ; step++ {
		if result := r.mustApply(before); result.Failed > 0 {
			t.Fatal(summary(result))
		}
		ctx, crash := context.WithCancel(t.Context())
		n := 0
		dead := false
		r.saves = nil
		saved := r.inv
		r.fault = func(req *http.Request) (*http.Response, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if strings.HasPrefix(req.Method, "GET") {
				return nil, nil
			}
			if n++; n > step && !dead {
				dead = true
				crash()
			}
			if dead {
				return nil, context.Canceled // what a dead process would have sent
			}
			return nil, nil
		}
		options := ApplyOptions{Save: func(inv Inventory) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if dead {
				return fmt.Errorf("a dead process saves nothing")
			}
			saved = inv
			return nil
		}}
		_, err := r.c.Apply(ctx, r.set, r.render(after), r.inv, options)
		crash()
		r.fault = nil
		r.inv = saved // the result died with the process
		if err == nil {
			t.Logf("%d steps", step-1)
			break
		}
		result := r.mustApply(after)
		if again := r.mustApply(after); again.Unchanged != 4 || again.Pruned != 0 {
			t.Errorf("step %d: not converged: %s", step, summary(again))
		}
		for _, name := range []string{"goes", "goes-too"} {
			if r.get("v1", "ConfigMap", name) != nil {
				t.Errorf("step %d: %s was left behind\n%s", step, name, summary(result))
			}
		}
		names := []string{}
		for _, item := range r.inv.Items {
			names = append(names, item.Name)
		}
		if want := []string{"changes", "new", "newer", "stays"}; !slices.Equal(names, want) {
			t.Errorf("step %d: the inventory has %v, want %v", step, names, want)
		}
		if r.get("v1", "ConfigMap", "somebodys") == nil {
			t.Fatalf("step %d: somebody's object was deleted", step)
		}
	}
}
