package main

import (
	"errors"
	"testing"

	"github.com/mooring-iac/mooring/runner"
)

func runOf(statuses ...runner.Status) runner.Run {
	r := runner.Run{}
	for _, s := range statuses {
		r.Units = append(r.Units, runner.UnitResult{Status: s})
	}
	r.Settle()
	return r
}

func code(err error) int {
	if err == nil {
		return 0
	}
	var exit *exitError
	if !errors.As(err, &exit) || exit.err != nil {
		return -1
	}
	return exit.code
}

func TestVerdictOfRuns(t *testing.T) {
	whole := runner.Run{Held: "removes most units"}
	whole.Settle()
	broken := runner.Run{Error: "mooring.hcl is broken"}
	broken.Settle()
	tests := []struct {
		name string
		runs []runner.Run
		want int
	}{
		{"none", nil, 0},
		{"applied and unchanged", []runner.Run{runOf(runner.Applied, runner.Unchanged)}, 0},
		{"planned, since apply is never", []runner.Run{runOf(runner.Planned)}, 0},
		{"discarded and superseded", []runner.Run{runOf(runner.Discarded), runOf(runner.Superseded)}, 0},
		{"held", []runner.Run{runOf(runner.Applied, runner.Held, runner.Deferred)}, 2},
		{"held as a whole", []runner.Run{whole}, 2},
		{"failed", []runner.Run{runOf(runner.Failed, runner.Skipped)}, 1},
		{"interrupted", []runner.Run{runOf(runner.Interrupted)}, 1},
		{"an error of the run itself", []runner.Run{broken}, 1},
		{"a failure outranks a wait in a run", []runner.Run{runOf(runner.Held, runner.Failed)}, 1},
		{"a failure outranks a wait in another run", []runner.Run{runOf(runner.Held), runOf(runner.Failed)}, 1},
	}
	for _, tt := range tests {
		if got := code(verdict(tt.runs)); got != tt.want {
			t.Errorf("%s: exit %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestVerdictOfAPlan(t *testing.T) {
	tests := []struct {
		statuses []runner.Status
		want     int
	}{
		{nil, 0},
		{[]runner.Status{runner.Unchanged, runner.Unchanged}, 0},
		{[]runner.Status{runner.Unchanged, runner.Planned}, 2},
		{[]runner.Status{runner.Deferred}, 2},
		{[]runner.Status{runner.Planned, runner.Failed}, 1},
		{[]runner.Status{runner.Skipped, runner.Failed}, 1},
	}
	for _, tt := range tests {
		r := runOf(tt.statuses...)
		if got := code(previewVerdict(&r)); got != tt.want {
			t.Errorf("%v: exit %d, want %d", tt.statuses, got, tt.want)
		}
	}
}
