package main

import (
	"fmt"

	"github.com/mooring-iac/mooring/e2e/httpstate"
	"github.com/mooring-iac/mooring/runner"
)

// persist is how long Terraform waits at least between two writes of the state during an apply, and a little more.
const persist = 21.0

// erroredState has the backend go down at the first, middle or last write of an apply. What Terraform could not store is
// kept, encrypted; the workspace is held meanwhile; `mooring state push` stores it, and then everything is as if nothing
// had happened.
func erroredState(p *play) {
	p.rounds(func(i int) {
		steps := 3
		if p.settings.short {
			steps = 1
		}
		w, backend := p.remote(shape{workspaces: 1, resources: steps})
		secret := canary(w.id)
		m := &w.modules[0]
		m.chain = true
		m.more = fmt.Sprintf("\nresource \"terraform_data\" \"secret\" {\n  input = sensitive(%s)\n}\n", secret.hcl())
		for r := range m.resources {
			m.resources[r].seconds = 0.2
			if steps > 1 {
				m.resources[r].seconds = persist
			}
		}
		w.commit()
		backend.Inject(httpstate.Fault{Method: "POST", Path: "/w0", First: 1 + i%steps, Status: 503})
		w.refusedToStore()
		// Terraform stops at a state that it cannot store in between: what it did until then has happened, the rest has not.
		stopped := i%steps < steps-1
		if !stopped {
			w.complete() // of the effects nothing is missing; of the state everything
		}
		before := len(w.lines())
		w.clearText("a state that could not be stored", secret)

		runs, code := w.sync()
		if len(w.lines()) != before || code == 0 {
			w.failf("a workspace whose state is not stored was applied again, exit %d: %s", code, summary(runs))
		}
		backend.Heal()
		if r := w.run("state", "list"); r.code != 0 {
			w.failf("state list: %s", r)
		}
		if r := w.run("state", "push", "ws/w0"); r.code != 0 {
			w.failf("state push: %s", r)
		}
		w.clearText("a state that was pushed", secret)
		if l, locked := backend.Lock("/w0"); locked {
			w.failf("still locked: %+v", l)
		}
		if stopped {
			w.converge() // goes on from the state that was pushed; an effect that happened twice is found by the replay
		}
		got, err := normalise(backend.State("/w0").Raw)
		w.must(err, "read the state in the backend")
		if want := w.control()["w0"]; got != want {
			w.failf("the state that was pushed differs from the control's:\n%s\nwant:\n%s", clip(got), clip(want))
		}
		before = len(w.lines())
		w.converge()
		if len(w.lines()) != before {
			w.failf("effects happened again after the state was pushed")
		}
		w.complete()
		w.done()
	})
}

// refusedToStore takes the pass in which the backend goes down. It says that the unit failed.
func (w *world) refusedToStore() {
	runs, code := w.sync()
	if len(runs) != 1 || code != 1 {
		w.failf("an apply whose state could not be stored, exit %d: %s", code, summary(runs))
	}
	if u := runs[0].Unit("ws/w0"); u == nil || u.Status != runner.Failed && u.Status != runner.Held && u.Status != runner.Interrupted {
		w.failf("an apply whose state could not be stored: %s", summary(runs))
	}
}
