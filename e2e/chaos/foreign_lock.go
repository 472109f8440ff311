package main

import (
	"slices"
	"strings"
	"time"

	"github.com/mooring-iac/mooring/e2e/httpstate"
)

// remote is a world whose states are behind a server for Terraform's http backend.
func (p *play) remote(s shape) (*world, *httpstate.Server) {
	backend := httpstate.New()
	s.backend = func(workspace string) string { return backend.Backend("/" + workspace) }
	w := p.world(s)
	w.Cleanup(backend.Close)
	return w, backend
}

// someone is the holder of a lock that is not ours.
var someone = httpstate.Lock{
	ID: "b7d7d9a4-0000-4000-8000-c4a05c4a05c4", Operation: "OperationTypeApply", Who: "ada@laptop", Version: "1.11.4",
	Created: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), Path: "",
}

// foreignLock kills the whole tree in the midst of an apply, so that its lock stays on the backend. Every other round the
// lock is then somebody else's: it is left alone, however often Mooring is asked, and goes when its holder frees it. A lock
// of its own, whose holder is dead, Mooring frees by itself; under Landlock, where it cannot prove that, at a person's word.
func foreignLock(p *play) {
	freed := 0
	p.rounds(func(i int) {
		s := p.standard()
		s.workspaces = 1
		w, backend := p.remote(s)
		w.serve()
		// At the first effect: by the last one the apply could be over, and its lock free.
		w.await(time.Minute, "the first effect", func() bool { return count(w.lines(), w.now(), eventStart) > 0 })
		w.kill(w.members)
		w.mark(everyWorkspace, eventKilled)
		own, locked := backend.Lock("/w0")
		if !locked {
			w.failf("the bench: an apply under way holds no lock on its backend")
		}
		switch {
		case i%2 == 1:
			w.leaves(backend, !p.settings.short && i >= p.count-2)
		case p.settings.mode == modeLandlock: // nothing proves there whose lock it is: a person says so
			if r := w.run("state", "unlock", "ws/w0", own.ID); r.code != 0 {
				w.failf("state unlock: %s", r)
			}
			freed++
		default:
			freed++
		}
		backend.ResetRequests()
		held := w.converge()
		w.nothingLost(held)
		if l, still := backend.Lock("/w0"); still {
			w.failf("the state is still locked: %+v", l)
		}
		first := slices.IndexFunc(backend.Requests(), func(r httpstate.Request) bool { return r.Method == "UNLOCK" })
		if r := backend.Requests(); i%2 == 0 && p.settings.mode != modeLandlock && (first < 0 || r[first].LockID != own.ID && r[first].LockID != "") {
			w.failf("the stale lock %s is gone without an UNLOCK of it: %+v", own.ID, r)
		}
		w.done()
	})
	p.notef("%d own locks freed", freed)
}

// leaves plants somebody's lock and holds that Mooring leaves it alone. A patient round waits until Terraform gives up, which
// takes minutes, and holds that Mooring says whose lock it is.
func (w *world) leaves(backend *httpstate.Server, patient bool) {
	backend.SetLock("/w0", someone)
	backend.ResetRequests()
	runs, _ := w.sync() // what was interrupted is held; nothing is retried by itself
	for _, run := range runs {
		if units, _ := waiting(run); len(units) > 0 {
			w.approve(run, units[0])
		}
	}
	s := w.start("sync", "-q", "-o", "json")
	refused := func() int {
		n := 0
		for _, r := range backend.Requests() {
			if r.Method == "LOCK" && r.Status != 200 && r.Status != 0 {
				n++
			}
		}
		return n
	}
	w.await(time.Minute, "Terraform meets the foreign lock", func() bool { return refused() >= 2 || s.gone() })
	if !patient {
		s.kill9() // a runner that dies while it waits leaves it alone as well
	} else {
		w.await(8*time.Minute, "the pass gives up", s.gone)
		run := w.history()[0]
		if said := summary(w.history()[:1]); !strings.Contains(said, someone.Who) && !strings.Contains(strings.Join(run.Notes, " "), someone.Who) {
			w.failf("nobody is told whose lock it is: %s", said)
		}
	}
	for _, r := range backend.Requests() {
		if r.Method == "UNLOCK" || r.Method == "POST" {
			w.failf("%s under a foreign lock: %+v", r.Method, r)
		}
	}
	if l, locked := backend.Lock("/w0"); !locked || l.ID != someone.ID {
		w.failf("the foreign lock is gone: %+v", l)
	}
	w.await(30*time.Second, "a plan ends with its runner", func() bool { return len(w.members()) == 0 })
	backend.SetLock("/w0", httpstate.Lock{})
}
