package main

import (
	"fmt"
	"slices"
)

// verdict is what a journal shows.
type verdict struct {
	applies  int      // process trees that had an effect
	effects  int      // effects that ended
	overlaps []string // two trees in one workspace at once
	doubled  []string // effects that happened again without a person's word
	broken   []string // everything else that cannot be: an end without a start, a survivor of a kill
}

func (v verdict) problems() []string { return slices.Concat(v.overlaps, v.doubled, v.broken) }

// replay plays a journal against "one holder per workspace, each effect once".
//
// A tree holds its workspace from its first line to its last. Another tree's line in between, or the start of one while an
// effect of the first is still under way, is an overlap. An effect is a resource of a generation; it may start once, and
// once more for each time that a person approved in the workspace since. A kill ends what is under way: what is heard of it
// afterwards is a survivor.
func replay(lines []line) verdict {
	r := replayer{spaces: map[string]*space{}, sessions: map[string]string{}}
	for i, l := range lines {
		r.step(i+1, l)
	}
	return r.verdict
}

type effect struct{ generation, resource string }

// space is one workspace while a journal is played.
type space struct {
	session string            // the tree that wrote the last line
	past    map[string]bool   // trees that had their turn
	open    map[effect]string // what is under way, and whose it is
	dead    map[string]bool   // trees that were killed
	done    map[effect]int    // starts since the last approval
}

type replayer struct {
	verdict
	spaces   map[string]*space
	sessions map[string]string // workspace and generation of each tree
}

func (r *replayer) space(name string) *space {
	s := r.spaces[name]
	if s == nil {
		s = &space{past: map[string]bool{}, open: map[effect]string{}, dead: map[string]bool{}, done: map[effect]int{}}
		r.spaces[name] = s
	}
	return s
}

func (r *replayer) step(n int, l line) {
	switch l.event {
	case eventKilled:
		for name, s := range r.spaces {
			if l.workspace == name || l.workspace == everyWorkspace {
				s.kill()
			}
		}
		return
	case eventApproved:
		for name, s := range r.spaces {
			if l.workspace == name || l.workspace == everyWorkspace {
				s.done = map[effect]int{}
			}
		}
		return
	}
	s, e := r.space(l.workspace), effect{l.generation, l.resource}
	r.belongs(n, l)
	if s.dead[l.session] {
		r.brokenf("line %d: %s %s %s of %s, which was killed", n, l.workspace, l.resource, l.event, l.session)
		return
	}
	r.turn(n, l, s)
	if l.event == eventStart {
		r.start(n, l, s, e)
		return
	}
	if s.open[e] != l.session {
		r.brokenf("line %d: %s %s of %s ends and never started", n, l.workspace, l.resource, l.session)
		return
	}
	delete(s.open, e)
	r.effects++
}

// belongs holds that a tree is one apply: of one workspace and one generation.
func (r *replayer) belongs(n int, l line) {
	is := l.workspace + " " + l.generation
	was, known := r.sessions[l.session]
	switch {
	case !known:
		r.sessions[l.session] = is
		r.applies++
	case was != is:
		r.brokenf("line %d: %s worked on %s and on %s", n, l.session, was, is)
	}
}

// turn holds that a tree is alone from its first line to its last.
func (r *replayer) turn(n int, l line, s *space) {
	if l.session == s.session {
		return
	}
	if s.past[l.session] {
		r.overlaps = append(r.overlaps, fmt.Sprintf("line %d: %s: %s goes on after %s began", n, l.workspace, l.session, s.session))
	}
	if s.session != "" {
		s.past[s.session] = true
	}
	for e, whose := range s.open {
		if whose != l.session {
			r.overlaps = append(r.overlaps, fmt.Sprintf("line %d: %s: %s begins while %s of %s is under way", n, l.workspace, l.session, e.resource, whose))
		}
	}
	s.session = l.session
}

func (r *replayer) start(n int, l line, s *space, e effect) {
	if s.done[e] > 0 {
		r.doubled = append(r.doubled, fmt.Sprintf("line %d: %s %s %s starts again", n, l.workspace, l.generation, l.resource))
	}
	s.done[e]++
	s.open[e] = l.session
}

func (s *space) kill() {
	if s.session != "" {
		s.dead[s.session] = true
	}
	for _, whose := range s.open {
		s.dead[whose] = true
	}
	s.open = map[effect]string{}
}

func (r *replayer) brokenf(format string, args ...any) {
	r.broken = append(r.broken, fmt.Sprintf(format, args...))
}

// missing names the effects of a generation that did not end.
func missing(lines []line, generation string, want []string) []string {
	return unseen(lines, want, func(l line) bool { return l.generation == generation && l.event == eventEnd }, "of "+generation+" did not end")
}

// lost is missing where processes were killed. An effect that a kill cut off has happened as far as anybody can tell:
// Terraform writes a resource to the state before its provisioners run, and a dead one cannot taint it any more.
func lost(lines []line, generation string, want []string) []string {
	var seen []line
	open := map[string]line{}
	for _, l := range lines {
		key := l.workspace + " " + l.resource
		switch l.event {
		case eventStart:
			open[key] = l
		case eventEnd:
			seen = append(seen, l)
			delete(open, key)
		case eventKilled:
			for k, o := range open {
				if l.workspace == o.workspace || l.workspace == everyWorkspace {
					seen = append(seen, o)
					delete(open, k)
				}
			}
		}
	}
	return unseen(seen, want, func(l line) bool { return l.generation == generation }, "of "+generation+" neither ended nor was cut off")
}

func unseen(lines []line, want []string, counts func(line) bool, words string) []string {
	seen := map[string]bool{}
	for _, l := range lines {
		if counts(l) {
			seen[l.workspace+" "+l.resource] = true
		}
	}
	var out []string
	for _, w := range want {
		if !seen[w] {
			out = append(out, w+" "+words)
		}
	}
	return out
}

// cut names the workspaces that had an effect under way when the last kill came.
func cut(lines []line) []string {
	open, at := map[string]int{}, map[string]int{}
	for _, l := range lines {
		switch l.event {
		case eventStart:
			open[l.workspace]++
		case eventEnd:
			open[l.workspace]--
		case eventKilled:
			at = map[string]int{}
			for ws, n := range open {
				if l.workspace == ws || l.workspace == everyWorkspace {
					at[ws] = n
					open[ws] = 0
				}
			}
		}
	}
	var all []string
	for ws, n := range at {
		if n > 0 {
			all = append(all, ws)
		}
	}
	slices.Sort(all)
	return all
}
