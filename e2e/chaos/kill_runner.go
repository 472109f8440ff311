package main

import (
	"time"
)

// killRunner kills the runner, and nothing else, while applies are under way: the supervisors go on, and the next runner
// finds, follows and records them. Rounds with serve and with sync take turns; some kill the second runner too.
func killRunner(p *play) {
	var control map[string]string
	var of string // the generation that control was made of
	early := 0
	p.rounds(func(i int) {
		w := p.reuse(func() *world { control = nil; return p.world(p.standard()) })
		commit := w.repo.Head("main")
		if w.gen > 1 || control != nil {
			commit = w.commit()
		}
		if i%2 == 0 {
			w.killServe()
		} else {
			w.killSync()
		}
		early += w.unflagged(w.converge())
		w.complete()
		w.recorded(commit)
		if control == nil || i == p.count-1 {
			control, of = w.control(), w.now()
		}
		w.equal(control, of)
	})
	if early > 0 {
		p.notef("%d units flagged before their first effect, and approved", early)
	}
}

// blow waits for a drawn effect of the generation to start, and a drawn moment more.
func (w *world) blow() {
	n := 1 + w.rng.IntN(max(1, len(w.want())-1))
	w.started(n)
	w.pause(w.between(0, 300*time.Millisecond))
}

func (w *world) killServe() {
	s := w.serve()
	w.blow()
	s.kill9()
	for w.rng.IntN(3) == 0 { // now and then the next one dies early
		s = w.serve()
		w.pause(w.between(0, 500*time.Millisecond))
		s.kill9()
	}
	w.pause(w.between(0, time.Second))
	restart := time.Now()
	s = w.serve()
	w.usable(restart)
	w.awaitEvery(asking, limit, "every effect of "+w.now(), func() bool { return len(missing(w.lines(), w.now(), w.want())) == 0 || len(w.stuck()) > 0 })
	s.drained()
}

// stuck names what waits for a person.
func (w *world) stuck() []string {
	var all []string
	for _, run := range w.history() {
		units, _ := waiting(run)
		all = append(all, units...)
	}
	return all
}

func (w *world) killSync() {
	s := w.start("sync", "-q", "-o", "json")
	w.blow()
	s.kill9()
	w.pause(w.between(0, time.Second))
}

// usable waits until no unit is locked by a run of the dead runner, and keeps how long that took after the restart.
func (w *world) usable(restart time.Time) {
	w.awaitEvery(asking/2, limit, "no lock of the dead runner is left", func() bool {
		for _, l := range w.locks() {
			if l.Since.Before(restart) {
				return false
			}
		}
		return true
	})
	took := time.Since(restart)
	w.totals.usable(took)
	if took > lockLimit {
		w.failf("a unit was locked by the dead runner for %s after the restart", took)
	}
}
