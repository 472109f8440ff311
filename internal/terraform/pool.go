package terraform

import (
	"fmt"
	"slices"
	"time"
)

// A supervisor is started for one run, and ends with it: so an apply has its own, whatever becomes of Mooring. To start one takes a quarter
// of the time of a plan in a small workspace. A scan, which only looks at hundreds of them, has a supervisor go on to the next unit instead,
// on a new thread with a confinement of its own, where
//
//   - nothing went otherwise than well, and nothing that changes something was asked of it,
//   - every process of the run has ended by itself, and the supervisor's own limits are what they were,
//   - and both runs are of one repository and have the same environment, in which credentials are.
const (
	idleFor = 3 * time.Second // how long one waits for the next run; between two units of a scan it is milliseconds
	maxIdle = 8               // how many wait
)

// idle is one that waits.
type idle struct {
	*supervised
	over *time.Timer
}

// supervisorFor gives a run its supervisor: one that waits, or a new one.
func (h *Home) supervisorFor(spec Spec, mode, dir string) (*supervised, error) {
	if p := h.takeIdle(trustOf(spec, mode)); p != nil {
		return p, nil
	}
	return h.launchFor(spec, mode, dir)
}

func (h *Home) launchFor(spec Spec, mode, dir string) (*supervised, error) {
	trust := trustOf(spec, mode)
	if trust != "" {
		dir = h.runs
	}
	p, err := h.launch(mode, dir)
	if err != nil {
		return nil, err
	}
	p.trust = trust
	return p, nil
}

// trustOf names those runs that may follow one another in a supervisor; "" where none may.
func trustOf(spec Spec, mode string) string {
	if !spec.Looks || mode != modeNamespaces {
		return ""
	}
	return hashName("looks", fmt.Sprintf("%q", []any{spec.Repository, spec.Tool, spec.Env, spec.InitEnv, spec.PlanEnv, spec.ApplyEnv})) // maps are printed sorted
}

func (h *Home) takeIdle(trust string) *supervised {
	if trust == "" {
		return nil
	}
	h.idleMu.Lock()
	defer h.idleMu.Unlock()
	i := slices.IndexFunc(h.idle, func(waits idle) bool { return waits.trust == trust })
	if i < 0 {
		return nil
	}
	waits := h.idle[i]
	h.idle = slices.Delete(h.idle, i, i+1)
	waits.over.Stop()
	waits.waited = true
	return waits.supervised
}

// letGo ends a supervisor, or lets it wait for the next run.
func (h *Home) letGo(p *supervised) {
	if p.trust == "" || p.spent || p.begun && !p.done() {
		p.end()
		return
	}
	if !h.addIdle(p) {
		p.end()
	}
}

func (h *Home) addIdle(p *supervised) bool {
	h.idleMu.Lock()
	defer h.idleMu.Unlock()
	if len(h.idle) >= maxIdle {
		return false
	}
	h.idle = append(h.idle, idle{p, time.AfterFunc(h.wait, func() { h.dismiss(p) })})
	return true
}

// dismiss ends a supervisor for which there was no other run, if it still waits.
func (h *Home) dismiss(p *supervised) {
	h.idleMu.Lock()
	i := slices.IndexFunc(h.idle, func(waits idle) bool { return waits.supervised == p })
	if i >= 0 {
		h.idle = slices.Delete(h.idle, i, i+1)
	}
	h.idleMu.Unlock()
	if i >= 0 {
		p.end()
	}
}

// done says that the run is over, and tells whether the supervisor is as it was before it.
func (p *supervised) done() bool {
	p.output = nil
	if err := p.ask.Encode(request{Verb: verbDone}); err != nil {
		return false
	}
	defer p.impatient()()
	p.begun = false
	return p.answer() == nil
}
