package main

import "time"

// killTree kills the runner, its supervisors and every process below them at once, as a power cut would. What had not
// ended is flagged: interrupted, held, and never begun again before a person has said yes to a new plan.
func killTree(p *play) {
	flags := 0
	p.rounds(func(i int) {
		w := p.reuse(func() *world { return p.world(p.standard()) })
		if i > 0 && count(w.lines(), w.now(), eventStart) > 0 {
			w.commit()
		}
		if i%2 == 0 {
			w.serve()
		} else {
			w.start("sync", "-q", "-o", "json")
		}
		w.blow()
		victims := w.kill(w.members)
		w.await(10*time.Second, "the whole tree is dead", func() bool { return len(w.members()) == 0 })
		w.mark(everyWorkspace, eventKilled)
		held := w.converge() // replay knows what was approved
		flags += len(held)
		w.nothingLost(held, victims...)
		for _, m := range w.modules {
			w.lockFree(m.workspace)
		}
	})
	p.notef("%d units flagged and approved", flags)
}
