package main

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// threadChurn shakes the runner and its supervisors while applies are under way. A child that is to die with its parent
// dies with the *thread* that started it, so what makes threads come and go could end an apply. From outside that is:
// stops and continues at drawn moments, a poll every 100 ms, many clients at once, and signals that interrupt system
// calls. It is a stand-in: no thread can be ended from outside without ending its process.
func threadChurn(p *play) {
	p.rounds(func(int) {
		w := p.reuse(func() *world { return p.world(p.standard()) })
		commit := w.repo.Head("main")
		if count(w.lines(), w.now(), eventStart) > 0 {
			commit = w.commit()
		}
		s := w.serve()
		w.started(1)
		var over atomic.Bool
		var all sync.WaitGroup
		missed := make([]error, 4)
		for c := range missed {
			all.Go(func() {
				missed[c] = p.guarded(func() {
					for !over.Load() && p.ctx.Err() == nil {
						w.run([][]string{{"runs"}, {"locks"}, {"show"}, {"sync", "-q"}}[c]...)
					}
				})
			})
		}
		err := p.guarded(func() { w.storm(s) })
		over.Store(true)
		all.Wait()
		p.must(err, "storm")
		for _, err := range missed {
			p.must(err, "ask during the storm")
		}
		if flags := w.converge(); len(flags) > 0 {
			w.failf("a storm interrupted an apply: %v", flags)
		}
		s.drained()
		w.complete()
		w.recorded(commit)
	})
}

// storm stops and continues the runner and the supervisors until every effect has ended.
func (w *world) storm(s *server) {
	deadline := time.Now().Add(limit)
	for len(missing(w.lines(), w.now(), w.want())) > 0 && len(w.stuck()) == 0 {
		if time.Now().After(deadline) {
			w.failf("the applies do not end within %s", limit)
		}
		shaken := supervisors(processes(), w.data)
		if p, ok := s.proc(); ok {
			shaken = append(shaken, p)
		}
		for _, p := range shaken {
			p.signal(unix.SIGURG) // what Go's own scheduler sends to its threads
			p.signal(unix.SIGSTOP)
		}
		w.pause(w.between(time.Millisecond, 30*time.Millisecond))
		for _, p := range shaken {
			p.signal(unix.SIGCONT)
		}
		w.pause(w.between(time.Millisecond, 50*time.Millisecond))
	}
}
