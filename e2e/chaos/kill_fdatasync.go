package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// killFdatasync has strace kill the runner at the Nth time that one of its threads makes the database durable, for N = 1,
// 2, 3 … until a run survives: the exact points at which one transaction is on the disk and the next is not. strace counts by thread, so N is that of whichever thread comes so far first; with
// trace=none it injects nothing.
func killFdatasync(p *play) { killAtSync(p, "fdatasync") }

// killFsync does the same at fsync, which is how a supervisor makes its result durable: here the supervisors die as well.
func killFsync(p *play) { killAtSync(p, "fsync") }

func killAtSync(p *play, call string) {
	if _, err := exec.LookPath("strace"); err != nil {
		p.failf("strace is needed: %w", err)
	}
	survived, flags := false, 0
	play := func(n int) {
		w := p.reuse(func() *world {
			s := p.standard()
			s.workspaces, s.resources = 2, 3
			return p.world(s)
		})
		if count(w.lines(), w.now(), eventStart) > 0 {
			w.commit()
		}
		tracer := []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n)}
		whole := w.wrap
		w.wrap = append(tracer, whole...)
		s := w.start("sync", "-q", "-o", "json")
		w.wrap = whole
		w.await(limit, "the traced pass ends", s.gone)
		// strace follows the supervisors, which go on without their runner, to their end.
		w.await(limit, "everything that was traced is gone", func() bool { return len(w.members()) == 0 })
		survived = s.cmd.ProcessState.ExitCode() == 0
		p.sayf("%s %d: exit %d %s", call, n, s.cmd.ProcessState.ExitCode(), strings.TrimSpace(clip(s.said())))
		w.mark(everyWorkspace, eventKilled)
		held := w.converge()
		flags += len(held)
		w.nothingLost(held)
	}
	n := 0
	if p.settings.short { // some points of the first dozen, and the same checks
		p.rounds(func(int) { n += 1 + p.rng.IntN(4); play(n) })
		return
	}
	for !survived && len(p.misses) < enough && n < p.count && p.ctx.Err() == nil {
		n++
		p.one(func() { play(n) })
	}
	if !survived && len(p.misses) == 0 && p.ctx.Err() == nil {
		p.failf("a run had not survived by N = %d", n)
	}
	p.notef("N up to %d; %d units flagged and approved", n, flags)
}
