package k8s

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	"golang.org/x/sync/errgroup"
)

// BenchmarkThousand applies 1,000 ConfigMaps, Services and Deployments (at zero replicas, so that the server's own
// work is what the applier causes): first, again, and with one changed. Run it with -benchtime=1x.
func BenchmarkThousand(b *testing.B) {
	running := parts.ClusterForTest(b)
	c, err := Connect(ClusterConfig{Name: "bench", KubeconfigPath: running.Kubeconfig})
	if err != nil {
		b.Fatal(err)
	}
	for n := range b.N {
		ns := fmt.Sprintf("bench-%d", n)
		var text strings.Builder
		fmt.Fprintf(&text, "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", ns)
		for i := range 333 {
			name := fmt.Sprintf("o%d", i)
			text.WriteString(configMap(name, "k: v"))
			fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {selector: {app: %s}, ports: [{port: 80}]}\n", name, name)
			text.WriteString(deployment(name, "  replicas: 0"))
		}
		src := checkout(b, "-- k8s/m.yaml --\n"+text.String(), "k8s")
		set := Set{ID: ns, DefaultNamespace: ns, Prune: true}
		var inv Inventory
		step := func(name string) {
			start := time.Now()
			objects, err := Render(src)
			if err != nil {
				b.Fatal(err)
			}
			rendered := time.Since(start)
			var sent time.Duration // until the last object was sent; the rest waits for the cluster's controllers
			result, err := c.Apply(b.Context(), set, objects, inv, ApplyOptions{Events: func(e Event) {
				if e.Kind == EventObject {
					sent = time.Since(start) - rendered
				}
			}})
			if err != nil {
				b.Fatal(err)
			}
			inv = result.Inventory
			b.ReportMetric(float64(rendered.Milliseconds()), name+"-render-ms")
			b.ReportMetric(float64(sent.Milliseconds()), name+"-sent-ms")
			b.ReportMetric(float64((time.Since(start) - rendered).Milliseconds()), name+"-whole-ms")
		}
		b.ReportMetric(float64(bareCreates(b, c, src, ns+"-bare").Milliseconds()), "bare-creates-ms")
		step("first")
		step("again")
		src = checkout(b, "-- k8s/m.yaml --\n"+strings.Replace(text.String(), "k: v", "k: w", 1), "k8s")
		step("one")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
		runtime.KeepAlive(c) // its schemas and kinds are what is measured
		runtime.KeepAlive(inv)
	}
}

// bareCreates sends the same objects, in another namespace, as parallel POSTs: the floor.
func bareCreates(b *testing.B, c *Cluster, src Source, ns string) time.Duration {
	objects, err := Render(src)
	if err != nil {
		b.Fatal(err)
	}
	known, err := c.discover(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, o := range objects {
		if o.GetKind() == "Namespace" {
			o.SetName(ns)
		} else {
			o.SetNamespace(ns)
		}
		send := func() error {
			body, err := json.Marshal(o.Object)
			if err != nil {
				return err
			}
			return c.rest.Post().AbsPath(known.by[o.gvk()].collection(o.GetNamespace())).Body(body).Do(b.Context()).Error()
		}
		if i == 0 {
			if err := send(); err != nil {
				b.Fatal(err)
			}
			continue
		}
		group.Go(send)
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkReadySeen measures how long after an object has become ready Apply returns: the time between the write of
// a load balancer's address and the end of the call.
func BenchmarkReadySeen(b *testing.B) {
	running := parts.ClusterForTest(b)
	c, err := Connect(ClusterConfig{Name: "bench", KubeconfigPath: running.Kubeconfig})
	if err != nil {
		b.Fatal(err)
	}
	var all []time.Duration
	for n := range b.N {
		name := fmt.Sprintf("bench-ready-%d-%d", b.N, n)
		objects, err := Render(checkout(b, fmt.Sprintf("-- k8s/m.yaml --\napiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n", name), "k8s"))
		if err != nil {
			b.Fatal(err)
		}
		written := make(chan error, 1)
		var begin time.Time
		_, err = c.Apply(b.Context(), Set{ID: name}, objects, Inventory{}, ApplyOptions{Events: func(e Event) {
			if e.Kind == EventHealth && e.Health == HealthInProgress {
				begin = time.Now()
				go func() {
					written <- c.rest.Patch("application/merge-patch+json").AbsPath("/api/v1/namespaces/default/services/" + name + "/status").
						Body([]byte(`{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`)).Do(b.Context()).Error()
				}()
			}
		}})
		if err := errors.Join(err, <-written); err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1e3, "ready-seen-ms")
	b.ReportMetric(float64(all[len(all)-1].Microseconds())/1e3, "ready-seen-max-ms")
}
