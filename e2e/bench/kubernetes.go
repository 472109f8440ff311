package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/k8s/rules"
)

// kubernetes: a thousand objects, against kubectl of the server's own version and against bare parallel creates, on the
// same server, in turn, each in a namespace of its own. The server is alone: controllers that take to the objects of one
// while another is measured would be measured, too.
func (b *bench) kubernetes(ctx context.Context) error {
	a, err := b.newApplier(ctx, 1000, parts.ClusterOptions{OnlyAPI: true})
	if err != nil {
		return err
	}
	defer a.running.Stop()
	var all []applyTimes
	for round := range b.rounds {
		t, err := a.round(ctx, round)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		all = append(all, t)
	}
	b.figures = append(b.figures, applyFigures(a.manifests.objects, all)...)
	if err := b.memory(ctx, a); err != nil {
		return err
	}
	whole, err := b.newApplier(ctx, 3, parts.ClusterOptions{})
	if err != nil {
		return err
	}
	defer whole.running.Stop()
	return b.ready(ctx, whole)
}

// large: the same at ten thousand objects: does it grow as they do?
func (b *bench) large(ctx context.Context) error {
	var first, again [2]time.Duration
	for i, n := range []int{1000, 10_000} {
		a, err := b.newApplier(ctx, n, parts.ClusterOptions{OnlyAPI: true})
		if err != nil {
			return err
		}
		t, err := a.ours(ctx, "large")
		a.running.Stop()
		if err != nil {
			return err
		}
		first[i], again[i] = t.first, t.restart
	}
	for _, f := range []struct {
		name string
		took [2]time.Duration
	}{{"first apply", first}, {"no-op after a restart", again}} {
		b.figures = append(b.figures, figure{name: f.name + " of 10,000 objects beside ten of 1,000", mooring: said(f.took[1]), bare: said(10 * f.took[0]),
			result: f.took[1].Seconds() / (10 * f.took[0].Seconds()), bar: 1.25, unit: "×"})
	}
	return nil
}

// applier is a cluster, a manifest set, and the means to apply it.
type applier struct {
	b         *bench
	running   *parts.RunningCluster
	alone     bool // no controller runs: nothing becomes healthy by itself
	kubectl   string
	manifests manifests
	sent      requests
}

func (b *bench) newApplier(ctx context.Context, objects int, options parts.ClusterOptions) (*applier, error) {
	a := &applier{b: b, alone: options.OnlyAPI, manifests: manifests{root: filepath.Join(b.dir, fmt.Sprintf("manifests-%d", objects)), objects: objects}}
	if err := a.manifests.write("first"); err != nil {
		return nil, err
	}
	var err error
	if a.kubectl, err = parts.Kubectl(ctx, os.Stderr); err != nil {
		return nil, err
	}
	options.Log = os.Stderr
	a.running, err = parts.StartCluster(ctx, filepath.Join(b.dir, fmt.Sprintf("cluster-%d", objects)), options)
	return a, err
}

// applyTimes are one round's times, and the exact numbers of requests.
type applyTimes struct {
	ourTimes
	kubectlFirst, kubectlAgain, kubectlDiff time.Duration
	kubectlRequests                         int
	bare                                    time.Duration
}

// round measures everything once; who is first changes from round to round.
func (a *applier) round(ctx context.Context, round int) (applyTimes, error) {
	var t applyTimes
	steps := []func() error{
		func() (err error) { t.ourTimes, err = a.ours(ctx, fmt.Sprintf("ours-%d", round)); return err },
		func() error { return a.theirs(ctx, fmt.Sprintf("kubectl-%d", round), &t) },
		func() (err error) { t.bare, err = a.bare(ctx, fmt.Sprintf("bare-%d", round)); return err },
	}
	if err := a.manifests.write("first"); err != nil {
		return t, err
	}
	for i := range steps {
		if err := steps[(i+round)%len(steps)](); err != nil {
			return t, err
		}
		if err := a.manifests.write("first"); err != nil {
			return t, err
		}
	}
	return t, nil
}

// ourTimes are Mooring's, files read: what `mooring serve` does with a manifest set whenever it comes to it.
type ourTimes struct {
	first                  time.Duration // until all are accepted and seen healthy, which here is at once
	warm, changed, restart time.Duration
	render                 time.Duration

	firstSent, warmSent, changedSent, changedWrites, restartSent int64
}

// ours takes a set through a first apply, a no-op, one change, and a no-op by a process that knows only what is on disk.
func (a *applier) ours(ctx context.Context, ns string) (t ourTimes, err error) {
	if err := a.namespace(ctx, ns); err != nil {
		return t, err
	}
	s, err := a.newSet(ns)
	if err != nil {
		return t, err
	}
	if err := s.connect(); err != nil {
		return t, err
	}
	defer func() { s.cluster.Close() }()
	step := func() (took time.Duration, sent, writes int64, err error) {
		a.sent.reset()
		began := time.Now()
		err = s.sync(ctx)
		return time.Since(began), a.sent.all.Load(), a.sent.writes.Load(), err
	}
	if t.first, t.firstSent, _, err = step(); err != nil {
		return t, err
	}
	if err := a.settle(ctx, ns); err != nil {
		return t, err
	}
	// Once more unmeasured: what the server added since is seen, and a watch that is kept has caught up.
	if _, _, _, err = step(); err != nil {
		return t, err
	}
	if t.warm, t.warmSent, _, err = step(); err != nil {
		return t, err
	}
	if err := a.manifests.write("changed"); err != nil {
		return t, err
	}
	if t.changed, t.changedSent, t.changedWrites, err = step(); err != nil {
		return t, err
	}
	s.cluster.Close()
	if err := s.restart(); err != nil {
		return t, err
	}
	if t.restart, t.restartSent, _, err = step(); err != nil {
		return t, err
	}
	began := time.Now()
	_, err = k8s.Render(s.source())
	t.render = time.Since(began)
	return t, err
}

// benchKey stands for the key that a server keeps.
var benchKey = []byte("the key of the bench")

// ourSet is one set as a server holds it.
type ourSet struct {
	a         *applier
	set       k8s.Set
	cluster   *k8s.Cluster
	inventory k8s.Inventory
}

func (a *applier) newSet(ns string) (*ourSet, error) {
	s := &ourSet{a: a, set: k8s.Set{ID: "bench/" + ns, DefaultNamespace: ns, Prune: true, Key: benchKey}}
	if !a.alone {
		return s, nil
	}
	compiler, err := rules.NewCompiler()
	if err != nil {
		return nil, err
	}
	rule, err := compiler.Compile(rules.Text{Kind: "apps/Deployment", Healthy: "true"})
	s.set.Health = rules.New(rule)
	return s, err
}

func (s *ourSet) connect() (err error) {
	s.cluster, err = k8s.Connect(k8s.ClusterConfig{Name: "bench", KubeconfigPath: s.a.running.Kubeconfig, Watch: true, Wrap: s.a.sent.wrap})
	return err
}

// restart forgets all but what is on disk.
func (s *ourSet) restart() error {
	kept, err := json.Marshal(s.inventory)
	if err != nil {
		return err
	}
	s.inventory = k8s.Inventory{}
	if err := json.Unmarshal(kept, &s.inventory); err != nil {
		return err
	}
	return s.connect()
}

func (s *ourSet) source() k8s.Source { return k8s.Source{Root: s.a.manifests.root, Path: manifestPath} }

// sync does nothing where nothing has changed, else it renders and applies.
func (s *ourSet) sync(ctx context.Context) error {
	digest, err := s.source().Digest(benchKey)
	if err != nil {
		return err
	}
	if _, settled := s.cluster.Settled(ctx, s.set, s.inventory, digest); settled {
		return nil
	}
	objects, err := k8s.Render(s.source())
	if err != nil {
		return err
	}
	result, err := s.cluster.Apply(ctx, s.set, objects, s.inventory, k8s.ApplyOptions{
		Source: digest,
		Save:   func(k8s.Inventory) error { return nil },
	})
	s.inventory = result.Inventory
	return err
}

// memory: what a set that is held costs for each object.
func (b *bench) memory(ctx context.Context, a *applier) error {
	few := &applier{b: a.b, alone: a.alone, running: a.running, kubectl: a.kubectl, manifests: manifests{root: filepath.Join(b.dir, "few"), objects: 3}}
	if err := few.manifests.write("first"); err != nil {
		return err
	}
	small, err := few.held(ctx, "held-few")
	if err != nil {
		return err
	}
	large, err := a.held(ctx, "held-many")
	if err != nil {
		return err
	}
	each := (large - small) / float64(a.manifests.objects-few.manifests.objects) / 1024
	b.figures = append(b.figures, figure{name: "memory a set holds between applies, an object", mooring: fmt.Sprintf("%.2f KB", each), result: each, bar: 5, unit: "KB"})
	return nil
}

// held is the heap, in bytes, that a set and its cluster keep between applies.
func (a *applier) held(ctx context.Context, ns string) (float64, error) {
	if err := a.namespace(ctx, ns); err != nil {
		return 0, err
	}
	before := heap()
	s, err := a.newSet(ns)
	if err != nil {
		return 0, err
	}
	if err := s.connect(); err != nil {
		return 0, err
	}
	defer s.cluster.Close()
	if err := s.sync(ctx); err != nil {
		return 0, err
	}
	after := heap()
	runtime.KeepAlive(s)
	return after - before, nil
}

func heap() float64 {
	runtime.GC()
	runtime.GC() // what finalizers released in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// theirs takes the same files through kubectl.
func (a *applier) theirs(ctx context.Context, ns string, t *applyTimes) (err error) {
	if err := a.namespace(ctx, ns); err != nil {
		return err
	}
	apply := []string{"apply", "--server-side", "-n", ns, "-f", a.manifests.dir()}
	if t.kubectlFirst, err = a.runKubectl(ctx, apply...); err != nil {
		return err
	}
	if err := a.settle(ctx, ns); err != nil {
		return err
	}
	if t.kubectlAgain, err = a.runKubectl(ctx, apply...); err != nil {
		return err
	}
	if t.kubectlDiff, err = a.runKubectl(ctx, "diff", "--server-side", "-n", ns, "-f", a.manifests.dir()); err != nil {
		return err
	}
	t.kubectlRequests, err = a.kubectlRequests(ctx, apply...)
	return err
}

func (a *applier) kubectlCommand(args ...string) []string {
	return append([]string{a.kubectl, "--kubeconfig", a.running.Kubeconfig}, args...)
}

func (a *applier) runKubectl(ctx context.Context, args ...string) (time.Duration, error) {
	return a.b.exec(ctx, a.b.dir, a.kubectlCommand(args...)...)
}

// kubectlRequests runs a command that says each of its requests, unmeasured.
func (a *applier) kubectlRequests(ctx context.Context, args ...string) (int, error) {
	said := filepath.Join(a.b.dir, "kubectl-requests")
	argv := append([]string{"sh", "-c", `out=$1; shift; exec "$@" 2>"$out"`, "sh", said}, a.kubectlCommand(append(args, "-v=6")...)...)
	if _, err := a.b.exec(ctx, a.b.dir, argv...); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(said)
	return strings.Count(string(text), `"Response" verb=`), err
}
