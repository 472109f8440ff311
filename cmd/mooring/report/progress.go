package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mooring-iac/mooring/runner"
)

// Progress shows what runs now, from events. On a terminal it keeps a line for
// each unit that runs below the lines that stay; elsewhere it writes only the
// lines that stay. Make one with NewProgress and Close it.
type Progress struct {
	w     io.Writer
	style Style
	live  bool
	now   func() time.Time
	stop  chan struct{}
	done  sync.WaitGroup

	mu     sync.Mutex // guards what follows, and the writer
	active []*active  // in the order in which they began
	drawn  int        // status lines on the screen now
	wrote  bool       // a line that stays
	closed bool
}

type active struct {
	run, unit string
	phase     runner.Phase
	text      string
	began     time.Time
}

// maxActive bounds the status lines: a screen is not scrolled by them.
const maxActive = 8

// NewProgress starts. A live one redraws ten times a second, which Close ends.
func NewProgress(w io.Writer, s Style, live bool, now func() time.Time) *Progress {
	p := &Progress{w: w, style: s, live: live, now: now, stop: make(chan struct{})}
	if live {
		p.done.Add(1)
		go p.redraw()
	}
	return p
}

func (p *Progress) redraw() {
	defer p.done.Done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			if len(p.active) > 0 || p.drawn > 0 {
				p.draw("")
			}
			p.mu.Unlock()
		}
	}
}

// Close takes the status lines off the screen.
func (p *Progress) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed, p.active = true, nil
	switch {
	case p.live && p.wrote: // the report that follows stands apart
		p.draw("\n")
	case p.live:
		p.draw("")
	}
	p.mu.Unlock()
	close(p.stop)
	p.done.Wait()
}

// Observe takes one event; many goroutines may call it.
func (p *Progress) Observe(e runner.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.note(e)
	if line := p.stays(e); line != "" {
		p.wrote = true
		p.draw(line + "\n")
	}
}

// note keeps the list of what runs.
func (p *Progress) note(e runner.Event) {
	at := -1
	for i, a := range p.active {
		if a.run == e.Run && a.unit == e.Unit {
			at = i
		}
	}
	switch e.Phase {
	case runner.PhaseInit, runner.PhasePlan, runner.PhaseApply, runner.PhaseWait, runner.PhasePrune:
		if at < 0 {
			p.active = append(p.active, &active{run: e.Run, unit: e.Unit, began: p.now()})
			at = len(p.active) - 1
		}
		p.active[at].phase, p.active[at].text = e.Phase, e.Text
	case runner.PhaseOutput:
		if at >= 0 {
			p.active[at].text = e.Text
		}
	case runner.PhaseDone:
		if at >= 0 {
			p.active = append(p.active[:at], p.active[at+1:]...)
		}
	case runner.PhaseEnd:
		var left []*active
		for _, a := range p.active {
			if a.run != e.Run {
				left = append(left, a)
			}
		}
		p.active = left
	}
}

// stays is the line of an event that is kept on the screen; "" for none.
func (p *Progress) stays(e runner.Event) string {
	name := CleanLine(e.Unit)
	if name == "" {
		name = CleanLine(e.Repository)
	}
	// Of a long reason the first line is enough here: the report has all of it.
	text, _, _ := strings.Cut(strings.TrimSpace(Unbox(e.Text)), "\n")
	text = CleanLine(strings.TrimRight(text, " "))
	switch e.Phase {
	case runner.PhaseBegin:
		if name == "" { // a preview: the person knows what was asked for
			return ""
		}
		if text != "" {
			text += " "
		}
		return fmt.Sprintf("%s: %s(%s)", p.style.paint(bold, name), text, plural(e.Units, "unit"))
	case runner.PhaseDone:
		line := p.style.mark(e.Status) + name + ": " + p.style.status(e.Status)
		if c := counts(e); c != "" {
			line += ", " + c
		}
		if text != "" {
			line += ": " + text
		}
		return cut(line, p.style.Width*4) // a long reason may take some lines, not a screen
	case runner.PhasePoll, runner.PhaseWarning:
		if text == "" {
			return ""
		}
		if e.Phase == runner.PhaseWarning {
			text = "warning: " + text
		}
		return p.style.paint(yellow, name+": "+text)
	}
	return ""
}

func counts(e runner.Event) string {
	return summary(&runner.UnitResult{Status: e.Status, Add: e.Add, Change: e.Change, Destroy: e.Destroy})
}

// draw writes text above the status lines and those again. A screen that cannot
// be written to is not worth a word: the result follows on standard output.
func (p *Progress) draw(text string) {
	var b strings.Builder
	if p.live && p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", p.drawn)
	}
	b.WriteString(text)
	if p.live {
		lines := p.status()
		p.drawn = len(lines)
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	_, _ = io.WriteString(p.w, b.String())
}

func (p *Progress) status() []string {
	var lines []string
	for i, a := range p.active {
		if i == maxActive {
			lines = append(lines, p.style.paint(dim, fmt.Sprintf("  … and %d more", len(p.active)-i)))
			break
		}
		l := fmt.Sprintf("  %s  %-5s %s", CleanLine(a.unit), a.phase, seconds(p.now().Sub(a.began).Seconds()))
		if t := strings.TrimSpace(CleanLine(a.text)); t != "" {
			l += "  " + t
		}
		// A line that the terminal wraps would not be taken back whole.
		lines = append(lines, p.style.paint(cyan, cut(l, max(20, p.style.Width)-1)))
	}
	return lines
}
