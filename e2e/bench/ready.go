package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/mooring-iac/mooring/k8s"
)

// slowDeployment becomes ready two seconds after it is made.
const slowDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: slow
spec:
  replicas: 1
  selector:
    matchLabels: {app: slow}
  template:
    metadata:
      labels: {app: slow, e2e.mooring.dev/pod: slow}
      annotations: {e2e.mooring.dev/after: 2s}
    spec:
      containers: [{name: main, image: "example.com/app:1"}]
`

// ready: how long after a Deployment is available Mooring knows it. A bare watch says when it is.
func (b *bench) ready(ctx context.Context, a *applier) error {
	root := filepath.Join(b.dir, "slow")
	if err := os.MkdirAll(filepath.Join(root, manifestPath), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, manifestPath, "slow.yaml"), []byte(slowDeployment), 0o644); err != nil {
		return err
	}
	var late []time.Duration
	for round := range b.rounds {
		d, err := a.readyOnce(ctx, root, fmt.Sprintf("slow-%d", round))
		if err != nil {
			return err
		}
		late = append(late, d)
	}
	d := median(late)
	b.figures = append(b.figures, figure{name: "readiness seen after it is there", mooring: said(d), result: d.Seconds(), bar: 0.5, unit: "s"})
	return nil
}

func (a *applier) readyOnce(ctx context.Context, root, ns string) (time.Duration, error) {
	if err := a.namespace(ctx, ns); err != nil {
		return 0, err
	}
	available, err := a.whenAvailable(ctx, ns)
	if err != nil {
		return 0, err
	}
	cluster, err := k8s.Connect(k8s.ClusterConfig{Name: "bench", KubeconfigPath: a.running.Kubeconfig})
	if err != nil {
		return 0, err
	}
	defer cluster.Close()
	objects, err := k8s.Render(k8s.Source{Root: root, Path: manifestPath})
	if err != nil {
		return 0, err
	}
	var seen time.Time
	_, err = cluster.Apply(ctx, k8s.Set{ID: "bench/" + ns, DefaultNamespace: ns}, objects, k8s.Inventory{}, k8s.ApplyOptions{Events: func(e k8s.Event) {
		if e.Kind == k8s.EventHealth && e.Health == k8s.HealthCurrent {
			seen = time.Now()
		}
	}})
	if err != nil {
		return 0, err
	}
	select {
	case w := <-available:
		return max(0, seen.Sub(w.at)), w.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// moment is when something was seen, or why it was not.
type moment struct {
	at  time.Time
	err error
}

// whenAvailable watches the Deployments of a namespace for the first available replica.
func (a *applier) whenAvailable(ctx context.Context, ns string) (<-chan moment, error) {
	send, err := a.direct()
	if err != nil {
		return nil, err
	}
	stream, err := send(ctx, http.MethodGet, collection("Deployment", ns)+"?watch=true", nil)
	if err != nil {
		return nil, err
	}
	done := make(chan moment, 1)
	go func() {
		defer stream.Close()
		dec := json.NewDecoder(stream)
		for {
			var event struct {
				Object deployment `json:"object"`
			}
			if err := dec.Decode(&event); err != nil {
				done <- moment{err: err}
				return
			}
			if event.Object.Status.AvailableReplicas > 0 {
				done <- moment{at: time.Now()}
				return
			}
		}
	}()
	return done, nil
}
