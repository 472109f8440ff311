package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// gate: what is asked before anything runs, and of a plan. Both are benchmarks of their
// packages, which nothing of a bare command stands beside.
func (b *bench) gate(ctx context.Context) error {
	plan, err := goBench(ctx, "BenchmarkPlan", "./policies/engine")
	if err != nil {
		return err
	}
	add := func(name string, result, bar float64, unit string) {
		b.figures = append(b.figures, figure{name: name, mooring: fmt.Sprintf("%.2f %s", result, unit), result: result, bar: bar, unit: unit})
	}
	add("200 rules over a plan of 5,000 changes", plan["ns/op"]/1e9, 2, "s")
	add("the same: growth of the heap", plan["MB-heap"], 300, "MB")
	preflight, err := goBench(ctx, "BenchmarkPreflight", "./runner")
	if err != nil {
		return err
	}
	add("preflight of a root module of 500 files", preflight["ns/op"]/1e9, 0.3, "s")
	return nil
}

// goBench runs one benchmark and returns its figures by unit.
func goBench(ctx context.Context, name, pkg string) (map[string]float64, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+name+"$", "-benchtime", "3x", pkg).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], name) {
			continue
		}
		figures := map[string]float64{}
		for i := 2; i+1 < len(words); i += 2 {
			if figures[words[i+1]], err = strconv.ParseFloat(words[i], 64); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		return figures, nil
	}
	return nil, errors.New(name + " printed no figures")
}
