package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/mooring-iac/mooring/runner"
)

// Options of a run's report.
type Options struct {
	Style
	Full     bool   // every change and object; else the first of them
	Preview  bool   // a plan of a working copy: nothing can be approved
	Decided  bool   // a decision was just made: it is not asked for again
	Commands string // what a person types before a command's name; "" is "mooring"
}

// fewChanges is how many lines of one unit a report shows when it is not full.
const fewChanges = 25

type page struct {
	strings.Builder
	Options
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// Runs prints a report of each run, the newest last: nearest to the prompt.
func Runs(w io.Writer, runs []runner.Run, o Options) error {
	for i := range runs {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := Run(w, &runs[i], o); err != nil {
			return err
		}
	}
	return nil
}

// Run prints the report of one run: what changed, what failed and why, and what
// waits with the command that lets it go on.
func Run(w io.Writer, r *runner.Run, o Options) error {
	if o.Commands == "" {
		o.Commands = "mooring"
	}
	p := &page{Options: o}
	p.header(r)
	if len(r.Units) > 0 {
		p.line("")
		p.units(r)
	}
	p.notes("", r.Notes)
	if !o.Preview && !o.Decided {
		p.waiting(r)
		p.reviewed(r)
	}
	if sum := p.sum(r); sum != "" {
		p.line("")
		p.line("%s", sum)
	}
	_, err := io.WriteString(w, p.String())
	return err
}

func (p *page) header(r *runner.Run) {
	title := CleanLine(r.Repository)
	if p.Preview {
		title = "Plan of " + title
	}
	if r.Commit != "" {
		title += " " + shortCommit(r.Commit)
	}
	title = p.paint(bold, title)
	if r.Subject != "" {
		title += " " + cut(CleanLine(r.Subject), p.Width-columns(r.Repository)-14)
	}
	if r.Author != "" {
		title += p.paint(dim, " ("+CleanLine(r.Author)+")")
	}
	p.line("%s", title)
	if r.ID != "" && !p.Preview {
		by := ""
		switch {
		case r.Trigger == runner.OnPullRequest:
			by = ", " + reviewName(r)
		case r.Trigger != "" && r.Trigger != runner.OnCommit:
			by = ", " + CleanLine(strings.ReplaceAll(string(r.Trigger), "_", " "))
		}
		p.line("%srun %s: %s%s, %s, %s", p.mark(r.Status), CleanLine(r.ID), p.status(r.Status), by, p.moment(r.Started), seconds(r.Seconds))
	}
	if r.Base != "" && !p.Preview {
		p.line("%s", p.paint(dim, fmt.Sprintf("%s merged with %s: tree %s", branchOr(r.Branch, "the head"), shortCommit(r.Base), shortCommit(r.Tree))))
	}
	if r.Held != "" {
		p.line("")
		p.text("  ", yellow, "The whole run waits: "+r.Held)
	}
	if r.Error != "" {
		p.line("")
		p.quote("  ", r.Error)
	}
}

// sum is the last line: how many units ended how.
func (p *page) sum(r *runner.Run) string {
	counts := countUnits(r.Units)
	switch {
	case counts == "" && r.Error != "":
		return ""
	case counts == "":
		return p.paint(bold, "Nothing to do.")
	}
	return p.paint(bold, "Units: ") + counts + "."
}

var countOrder = []runner.Status{
	runner.Applied, runner.Planned, runner.Held, runner.Failed, runner.Interrupted, runner.Running, runner.Queued, runner.Skipped,
	runner.Deferred, runner.Discarded, runner.Superseded, runner.Unchanged,
}

func countUnits(units []runner.UnitResult) string {
	n := map[runner.Status]int{}
	for _, u := range units {
		n[u.Status]++
	}
	var parts []string
	for _, st := range countOrder {
		if n[st] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[st], st))
		}
	}
	return strings.Join(parts, ", ")
}

// waiting names what a person must decide, with the commands to type.
func (p *page) waiting(r *runner.Run) {
	var held []string
	for _, u := range r.Units {
		if u.Status == runner.Held || u.Status == runner.Interrupted {
			held = append(held, CleanLine(u.ID))
		}
	}
	if len(held) == 0 && !r.Waits() {
		return
	}
	p.line("")
	what := plural(len(held), "unit")
	if len(held) == 0 || r.Held != "" {
		what = "the run"
	}
	p.line("%s", p.paint(yellow, "Waiting for a person: "+what))
	id := CleanLine(r.ID)
	// A held run is decided whole; else its held units first, then interrupted ones.
	commands := [][2]string{{"show " + id, "read every change"}, {"approve " + id, "let it go on"}, {"discard " + id, "do not do it"}}
	if len(held) > 1 && r.Held == "" {
		commands[1][1] = "let all of them go on"
		commands = append(commands[:2], [2]string{"approve " + id + " " + ShellWord(held[0]), "let this one go on"}, commands[2])
	}
	wide := 0
	for _, c := range commands {
		wide = max(wide, columns(c[0]))
	}
	for _, c := range commands {
		p.line("  %s  %s", p.paint(cyan, p.Commands+" "+pad(c[0], wide)), p.paint(dim, c[1]))
	}
}

// ShellWord quotes a word where a shell would read more than a word in it.
func ShellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:@%+=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
