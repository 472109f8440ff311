package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

func TestParseStat(t *testing.T) {
	p, ok := parseStat("42 (a ) b) Z 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 0 0")
	if !ok || p.pid != 42 || p.parent != 7 || p.state != 'Z' || p.started != 123456 {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, bad := range []string{"", "42 (sh", "42 (sh) S 1 2", "x (sh) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 1 0"} {
		if p, ok := parseStat(bad); ok {
			t.Errorf("%q was read as %+v", bad, p)
		}
	}
}

func TestBelowAndSupervisors(t *testing.T) {
	all := []proc{
		{pid: 9, parent: 8}, {pid: 8, parent: 5}, {pid: 7, parent: 1},
		{pid: 5, parent: 1, argv: []string{"/bin/mooring", "supervise", "/data/run/a"}},
		{pid: 6, parent: 1, argv: []string{"/bin/mooring", "supervise", "/database/run/a"}},
		{pid: 4, parent: 1, argv: []string{"supervise", "/data/run/b"}},
	}
	ids := func(some []proc) []int {
		var out []int
		for _, p := range some {
			out = append(out, p.pid)
		}
		slices.Sort(out)
		return out
	}
	if got := ids(below(all, 5)); !slices.Equal(got, []int{8, 9}) {
		t.Errorf("below 5: %v", got)
	}
	if got := ids(supervisors(all, "/data")); !slices.Equal(got, []int{5}) {
		t.Errorf("supervisors: %v", got)
	}
}

func TestProcessesAreFoundByTheirEnvironment(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{"CHAOS_WORLD=test-1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	found := withEnv(processes(), "CHAOS_WORLD=test-1")
	if len(found) != 1 || found[0].pid != cmd.Process.Pid || found[0].parent != os.Getpid() {
		t.Errorf("found %+v, want %d", found, cmd.Process.Pid)
	}
	if other := withEnv(processes(), "CHAOS_WORLD=test"); len(other) != 0 {
		t.Errorf("a part of the value found %+v", other)
	}
}
