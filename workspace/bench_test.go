package workspace

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-iac/mooring/e2e/fleet"
)

const (
	benchRoots   = 5000
	benchModules = 200
)

func fleetTree(tb testing.TB, roots, modules int) *DirTree {
	tb.Helper()
	dir := tb.TempDir()
	if err := fleet.Write(dir, roots, modules); err != nil {
		tb.Fatal(err)
	}
	tree, err := WorkingCopy(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

func mustScan(tb testing.TB, s *Scanner, tree Tree) *Graph {
	tb.Helper()
	g, err := s.Scan(context.Background(), tree)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// BenchmarkScanCold is discovery and graph of the whole fleet from nothing.
func BenchmarkScanCold(b *testing.B) {
	tree := fleetTree(b, benchRoots, benchModules)
	defer reportCPU(b)()
	for b.Loop() {
		g := mustScan(b, NewScanner(ScannerOptions{}), tree)
		if len(g.Units) != benchRoots {
			b.Fatalf("%d units", len(g.Units))
		}
	}
}

// BenchmarkScanWarm is the scan after a change of one file.
func BenchmarkScanWarm(b *testing.B) {
	tree := fleetTree(b, benchRoots, benchModules)
	s := NewScanner(ScannerOptions{})
	mustScan(b, s, tree)
	file := filepath.Join(tree.Dir(), fleet.Root(17), "terraform.tfvars")
	defer reportCPU(b)()
	n := 0
	for b.Loop() {
		n++
		if err := os.WriteFile(file, []byte("name = \"changed\"\nreplicas = "+string(rune('0'+n%10))+"\n"), 0o644); err != nil {
			b.Fatal(err)
		}
		g := mustScan(b, s, tree)
		if len(g.Affected([]string{fleet.Root(17) + "/terraform.tfvars"}, nil)) != 1 {
			b.Fatal("the changed root is not affected")
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	tree := fleetTree(b, benchRoots, benchModules)
	for b.Loop() {
		if _, err := newIndex(tree, NewScanner(ScannerOptions{}).seed); err != nil {
			b.Fatal(err)
		}
	}
}

// reportCPU adds the process time of each round, which says more than the clock on
// a machine that others use too.
func reportCPU(b *testing.B) func() {
	before := cpuTime(b)
	return func() { b.ReportMetric(float64((cpuTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRetained reports what a server keeps: scanner and graph after two scans.
func BenchmarkRetained(b *testing.B) {
	tree := fleetTree(b, benchRoots, benchModules)
	for b.Loop() {
		before := heapAlloc()
		s := NewScanner(ScannerOptions{})
		mustScan(b, s, tree)
		g := mustScan(b, s, tree)
		b.ReportMetric(float64(heapAlloc()-before)/1e6, "MB-retained")
		runtime.KeepAlive(s)
		runtime.KeepAlive(g)
	}
}

func heapAlloc() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
