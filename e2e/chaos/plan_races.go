package main

import (
	"sync"
)

// planRaces has many processes carry out one held plan at the same moment: half of them approve it, half take a pass. With
// a server they all ask it; without one they race for the database, and who loses is told so. Every effect happens once.
func planRaces(p *play) {
	contenders := 100
	if p.settings.short {
		contenders = 12
	}
	p.rounds(func(i int) {
		p.tally[1] += contenders
		w, run := p.held()
		if i%2 == 0 {
			w.serve()
		}
		gate, results := make(chan struct{}), make([]result, contenders)
		missed := make([]error, contenders)
		var ready, all sync.WaitGroup
		for c := range contenders {
			ready.Add(1)
			all.Go(func() {
				args := []string{"sync", "-q", "-o", "json"}
				if c%2 == 0 {
					args = []string{"approve", run.ID, "--by", "chaos", "-o", "json"}
				}
				ready.Done()
				<-gate
				missed[c] = p.guarded(func() { results[c] = w.run(args...) })
			})
		}
		ready.Wait()
		close(gate)
		all.Wait()
		for c, err := range missed {
			p.must(err, "race")
			if code := results[c].code; code < 0 || code > 2 {
				w.failf("a contender: %s", results[c])
			}
		}
		if flags := w.converge(); len(flags) > 0 && i%2 == 0 {
			w.failf("every approval was taken by the server, and still something waits: %v", flags)
		}
		w.complete()
		p.tally[0] += contenders
		w.done()
	})
}
