package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mooring-iac/mooring/runner"
)

// manyRuns has one server take a commit after another. No zombie is ever its child for long, and it holds no more
// descriptors at the end than after the first runs.
func manyRuns(p *play) {
	var w *world
	var s *server
	flat, most := 0, 0
	p.rounds(func(i int) {
		if len(p.worlds) == 0 {
			w = p.world(shape{workspaces: 1, resources: 1, shortest: time.Millisecond, longest: 2 * time.Millisecond})
			s = w.serve()
			flat = 0
		} else {
			w.commit()
		}
		commit := w.repo.Head("main")
		w.awaitEvery(asking/4, time.Minute, "run "+strconv.Itoa(i+1), func() bool {
			runs := w.history()
			return len(runs) > 0 && runs[0].Commit == commit && runs[0].Status == runner.Applied
		})
		w.await(5*time.Second, "no zombie is left", func() bool { return len(zombies(s.cmd.Process.Pid)) == 0 })
		w.complete()
		// What the first runs open stays open: the database, sockets, connections that are kept alive.
		open := w.descriptors(s)
		most = max(most, open)
		if i < 3 {
			flat = max(flat, open)
			return
		}
		if i%10 == 9 || i == p.count-1 {
			w.await(10*time.Second, fmt.Sprintf("descriptors: %d, no more than the %d of the first runs and 3", open, flat), func() bool { return w.descriptors(s) <= flat+3 })
		}
	})
	p.notef("descriptors: %d at the most, %d in the first runs", most, flat)
}

// zombies are the dead children of a process and of its descendants.
func zombies(pid int) []proc {
	var dead []proc
	for _, p := range below(processes(), pid) {
		if p.state == 'Z' {
			dead = append(dead, p)
		}
	}
	return dead
}

func (w *world) descriptors(s *server) int {
	open, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "fd"))
	w.must(err, "count descriptors")
	return len(open)
}
