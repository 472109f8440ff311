package main

import (
	"slices"
	"time"

	"github.com/mooring-iac/mooring/runner"
)

// The grace period of these scenarios. What is stopped by the bench may use it and, where an apply had to be
// interrupted, the thirty seconds that a shutdown may add to it.
const (
	longGrace  = 30 * time.Second
	shortGrace = time.Second
	afterGrace = 30 * time.Second
)

// sigterm stops a server with SIGTERM while applies are under way. It drains: they end, within the grace period. Every
// fourth round has an effect that outlasts a short grace: Terraform is interrupted and its state is whole all the same.
func sigterm(p *play) {
	p.rounds(func(i int) {
		if i%4 == 3 || p.settings.short && i == p.count-1 {
			p.interrupted()
			return
		}
		w := p.reuse(func() *world {
			s := p.standard()
			s.serverHCL = `grace = "30s"` + "\n"
			return p.world(s)
		})
		if count(w.lines(), w.now(), eventStart) > 0 {
			w.commit()
		}
		s := w.serve()
		w.blow()
		code, took := s.stop(longGrace + afterGrace)
		if code != 0 || took > longGrace {
			w.failf("exit %d, %s after SIGTERM: %s", code, took, clip(s.said()))
		}
		w.quiet()
		if flags := w.converge(); len(flags) > 0 {
			w.failf("after a drain something waits: %v", flags)
		}
		w.complete()
	})
}

// interrupted is a round whose apply does not end by itself.
func (p *play) interrupted() {
	p.done()
	s := p.standard()
	s.serverHCL = `grace = "1s"` + "\n"
	w := p.world(s)
	w.modules[0].resources[0].seconds = 300
	w.commit()
	server := w.serve()
	w.started(len(w.want()))
	code, took := server.stop(shortGrace + afterGrace)
	if code != 0 {
		w.failf("exit %d, %s after SIGTERM: %s", code, took, clip(server.said()))
	}
	w.mark(everyWorkspace, eventKilled)
	w.quiet()
	var u *runner.UnitResult
	for _, run := range w.history() {
		if u = run.Unit("ws/w0"); u != nil {
			break
		}
	}
	if u == nil || u.Status != runner.Failed && u.Status != runner.Interrupted {
		w.failf("the apply that was interrupted is recorded as %+v", u)
	}
	p.done()
}

// quiet holds that nothing runs any more, every state can be read and no lock is left on it.
func (w *world) quiet() {
	if left := w.members(); len(left) > 0 {
		w.failf("processes are left:%s", describe(left))
	}
	for _, m := range w.modules {
		if !slices.ContainsFunc(w.lines(), func(l line) bool { return l.workspace == m.workspace }) {
			continue // it had not begun
		}
		w.state(m.workspace)
		w.lockFree(m.workspace)
	}
}

// handOver stops a server that leaves its applies to their supervisors: it ends at once, they go on, and the next server
// records them.
func handOver(p *play) {
	p.rounds(func(i int) {
		w := p.reuse(func() *world { return p.world(p.standard()) })
		commit := w.repo.Head("main")
		if count(w.lines(), w.now(), eventStart) > 0 {
			commit = w.commit()
		}
		s := w.serve("--hand-over")
		w.blow()
		working := len(supervisors(processes(), w.data)) > 0
		code, took := s.stop(longGrace)
		if code != 0 || took > 5*time.Second {
			w.failf("exit %d, %s after SIGTERM: %s", code, took, clip(s.said()))
		}
		p.sayf("gone after %s, supervisors were at work: %v", took, working)
		restart := time.Now()
		s = w.serve()
		w.usable(restart)
		if flags := w.converge(); len(flags) > 0 {
			w.failf("after a hand-over something waits: %v", slices.Compact(flags))
		}
		s.drained()
		w.complete()
		w.recorded(commit)
		w.quiet()
	})
}
