package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/k8s"
)

// driftScan: a scan of fifty clean workspaces whose .terraform is there already, against bare plans in directories that are
// as warm: by a command of its own, and by a server that runs.
func (b *bench) driftScan(ctx context.Context) error {
	return b.scans(ctx, "drift-scan", builtIn, "drift scan of 50 clean workspaces")
}

// atRest uses the same providers as withProviders, and writes no file: a run's own /tmp ends with the run.
func atRest(i, version int) string {
	head, _, _ := strings.Cut(withProviders(i, version), "resource \"local_file\"")
	return head + "data \"local_file\" \"c\" {\n  filename = \"${path.module}/main.tf\"\n}\n"
}

// driftProviders: the same with three real providers in each.
func (b *bench) driftProviders(ctx context.Context) error {
	return b.withMirror(ctx, func(lines ...string) error {
		return b.scans(ctx, "drift-providers", atRest, "the same with providers null, random, local", lines...)
	})
}

func (b *bench) scans(ctx context.Context, name string, module func(i, version int) string, title string, lines ...string) error {
	f, err := b.newFleet(ctx, name, module)
	if err != nil {
		return err
	}
	data := filepath.Join(b.dir, name+"-data")
	config, err := f.config(data, lines...)
	if err != nil {
		return err
	}
	if _, err := b.exec(ctx, b.dir, b.mooring, "sync", "-c", config); err != nil {
		return err
	}
	all := make([]int, workspaces)
	for i := range all {
		all[i] = i
	}
	clone, err := f.applied(ctx, all)
	if err != nil {
		return err
	}
	defer os.RemoveAll(clone)
	scan := func(int) (time.Duration, error) { return b.exec(ctx, b.dir, b.mooring, "drift", "scan", "-c", config) }
	plans := func(int) (time.Duration, error) { return f.barePlans(ctx, clone) }
	if _, err := scan(0); err != nil { // what only the first scan does is not what is measured
		return err
	}
	if err := b.pair(title+", a command", 1.2, scan, plans); err != nil {
		return err
	}
	s, err := b.serve(ctx, config)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := b.exec(ctx, b.dir, b.mooring, "sync", "-c", config); err != nil { // the first pass, or the wait for it
		return err
	}
	return b.pair(title+", running server", 1.2, scan, plans)
}

// applied is a clone whose workspaces were initialised and applied by bare commands.
func (f *fleetOf) applied(ctx context.Context, which []int) (string, error) {
	clone, err := os.MkdirTemp(f.b.dir, "bare-")
	if err != nil {
		return "", err
	}
	args := []string{"sh", "-ec", `git clone -q "$1" "$2" && cd "$2" && shift 2 && printf '%s\n' "$@" | xargs -P2 -I{} sh -ec '
		cd {}
		terraform init -input=false >init.log
		terraform apply -input=false -auto-approve >apply.log'`, "sh", f.bare, filepath.Join(clone, "repo")}
	for _, i := range which {
		args = append(args, fmt.Sprintf("ws/w%02d", i))
	}
	_, err = f.b.exec(ctx, f.b.dir, args...)
	return clone, err
}

// barePlans asks Terraform itself in every workspace of a clone whether anything differs, two at a time. One that says so
// fails the measurement: nothing drifted.
func (f *fleetOf) barePlans(ctx context.Context, clone string) (time.Duration, error) {
	return f.b.exec(ctx, filepath.Join(clone, "repo", "ws"), "sh", "-ec",
		`ls | xargs -P2 -I{} sh -ec 'cd {} && terraform plan -input=false -detailed-exitcode >plan.log'`)
}

// driftClassify: what is said of a plan in which everything drifted.
func (b *bench) driftClassify(ctx context.Context) error {
	found, err := goBench(ctx, "BenchmarkFiveThousandResources", "./runner/drift")
	if err != nil {
		return err
	}
	took := found["ns/op"] / 1e9
	b.figures = append(b.figures, figure{name: "5,000 drifted resources, classified", mooring: fmt.Sprintf("%.2f s", took), result: took, bar: 1, unit: "s"})
	return nil
}

// driftKubernetes: what a scan of a thousand objects asks of the API server where a scan before it has seen them, and
// nothing has changed since.
func (b *bench) driftKubernetes(ctx context.Context) error {
	a, err := b.newApplier(ctx, 1000, parts.ClusterOptions{OnlyAPI: true})
	if err != nil {
		return err
	}
	defer a.running.Stop()
	const ns = "drift"
	if err := a.namespace(ctx, ns); err != nil {
		return err
	}
	s, err := a.newSet(ns)
	if err != nil {
		return err
	}
	if err := s.connect(); err != nil {
		return err
	}
	defer func() { s.cluster.Close() }()
	if err := s.sync(ctx); err != nil {
		return err
	}
	if err := a.settle(ctx, ns); err != nil {
		return err
	}
	if _, err := s.scan(ctx); err != nil { // has seen everything
		return err
	}
	a.sent.reset()
	took, err := s.scan(ctx)
	if err != nil {
		return err
	}
	sent := float64(a.sent.all.Load())
	b.figures = append(b.figures, figure{name: "drift scan of 1,000 unchanged objects: " + said(took), mooring: amount(sent, "requests"), result: sent, bar: 0, unit: "requests"})
	return nil
}

// scan looks for drift as a server does, and fails where it finds any.
func (s *ourSet) scan(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	digest, err := s.source().Digest(benchKey)
	if err != nil {
		return 0, err
	}
	if _, settled := s.cluster.DriftSettled(ctx, s.set, s.inventory, digest); settled {
		return time.Since(began), nil
	}
	objects, err := k8s.Render(s.source())
	if err != nil {
		return 0, err
	}
	report, err := s.cluster.Drift(ctx, s.set, objects, s.inventory, k8s.DriftOptions{})
	if err == nil && len(report.Objects) > 0 {
		err = fmt.Errorf("%d objects drifted, the first is %v", len(report.Objects), report.Objects[0].ID)
	}
	s.inventory = report.Inventory
	return time.Since(began), err
}
