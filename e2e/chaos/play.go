package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// failure is what a round missed, on its way up. A round ends by a panic with one, as a test's Fatal ends a test.
type failure struct{ error }

// give up after so many misses of one scenario: the rest would say the same.
const enough = 3

// play is one scenario under way.
type play struct {
	*bench
	scenario
	rng    *rand.Rand // of this scenario: it draws the same whatever was played before
	dir    string     // the worlds of the scenario are below it
	count  int        // rounds to play
	round  int        // the one under way, from 1
	passed int
	misses []miss
	notes  []string
	tally  [2]int   // passed and of, where a scenario counts something smaller than rounds
	worlds []*world // those of the present round, and those that go on to the next
	made   int
}

func (b *bench) play(sc scenario) row {
	began := time.Now()
	p := &play{bench: b, scenario: sc, rng: b.random(sc.name), count: sc.long}
	switch {
	case b.settings.rounds > 0:
		p.count = b.settings.rounds
	case b.settings.short:
		p.count = sc.short
	}
	p.dir = filepath.Join(b.dir, strings.ReplaceAll(sc.name, " ", "-"))
	fmt.Fprintf(b.out, "%s …\n", sc.name)
	err := p.guarded(func() { sc.play(p) })
	if err != nil { // outside of a round: nothing of the scenario could be shown
		p.misses = append(p.misses, miss{p.round, err, p.dir})
		p.end(false)
	}
	p.end(len(p.misses) == 0)
	what := sc.what
	if len(p.notes) > 0 {
		what += "; " + strings.Join(p.notes, "; ")
	}
	r := row{name: sc.name, passed: p.passed, of: p.passed + len(p.misses), what: what, took: time.Since(began), misses: p.misses}
	if p.tally[1] > 0 {
		r.passed, r.of = p.tally[0], p.tally[1]
	}
	return r
}

// random draws from the seed and a name alone.
func (b *bench) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return rand.New(rand.NewPCG(b.settings.seed, h.Sum64()))
}

// rounds plays f count times, or until too many missed. A round that misses leaves its worlds behind, so that the next
// starts with new ones.
func (p *play) rounds(f func(i int)) {
	for i := range p.count {
		if p.ctx.Err() != nil || !p.one(func() { f(i) }) && len(p.misses) >= enough {
			return
		}
	}
}

// one plays a single round.
func (p *play) one(f func()) bool {
	p.round++
	err := p.guarded(f)
	if p.ctx.Err() != nil {
		return false // stopped by a person: neither passed nor missed
	}
	if err == nil {
		err = p.guarded(func() {
			for _, w := range p.worlds {
				w.replay()
			}
		})
	}
	if err != nil {
		fmt.Fprintf(p.out, "  round %d MISSED: %v\n", p.round, err)
		dirs := []string{}
		for _, w := range p.worlds {
			dirs = append(dirs, w.dir)
		}
		p.misses = append(p.misses, miss{p.round, err, strings.Join(dirs, " ")})
		p.end(false)
		return false
	}
	p.passed++
	p.sayf("round %d passed", p.round)
	return true
}

// guarded runs f and returns the failure that ended it.
func (p *play) guarded(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			failed, ours := r.(failure)
			if ours {
				err = failed.error
				return
			}
			err = fmt.Errorf("the bench itself: %v\n%s", r, debug.Stack())
		}
	}()
	f()
	return nil
}

// end stops everything of the worlds. What passed is removed.
func (p *play) end(passed bool) {
	for _, w := range p.worlds {
		w.stopAll()
		p.totals.add(w)
		if passed && !p.settings.keep {
			_ = os.RemoveAll(w.dir) // what stays only takes room in /tmp
		}
	}
	p.worlds = nil
}

// reuse returns the world that the last round left, or a new one where there is none or the round missed.
func (p *play) reuse(make func() *world) *world {
	if len(p.worlds) > 0 {
		return p.worlds[0]
	}
	return make()
}

// done ends the worlds of a round that needs them no more, so that the next begins with new ones.
func (p *play) done() {
	for _, w := range p.worlds {
		w.replay()
	}
	p.end(true)
}

func (p *play) failf(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (p *play) must(err error, doing string) {
	if err != nil {
		p.failf("%s: %w", doing, err)
	}
}

// note adds words to the row of the scenario.
func (p *play) notef(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

func (p *play) sayf(format string, args ...any) {
	if p.settings.verbose {
		fmt.Fprintf(p.out, "  "+format+"\n", args...)
	}
}

// between draws a duration.
func (p *play) between(from, to time.Duration) time.Duration {
	return from + time.Duration(p.rng.Int64N(int64(to-from)+1))
}

// await polls until f is true, and ends the round when it is not by the deadline. The poll is a look at a file or at /proc.
func (p *play) await(timeout time.Duration, what string, f func() bool) time.Duration {
	return p.awaitEvery(5*time.Millisecond, timeout, what, f)
}

// asking is how often a command is asked: each one is a process, and the machine is to be busy with applies.
const asking = 200 * time.Millisecond

// awaitEvery is await for a condition that costs something to look at.
func (p *play) awaitEvery(every, timeout time.Duration, what string, f func() bool) time.Duration {
	began := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			panic(failure{errors.New("interrupted")})
		}
		if time.Since(began) > timeout {
			p.failf("%s: not within %s", what, timeout)
		}
	}
	return time.Since(began)
}

// pause lets a drawn time pass before a blow falls.
func (p *play) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.ctx.Done():
	}
}
