package report

import (
	"fmt"
	"strings"

	"github.com/mooring-iac/mooring/runner"
)

// under is where the lines of a unit stand, below its own.
const under = "      "

// units prints each unit that has something to say, in the run's order, and
// counts the quiet ones.
func (p *page) units(r *runner.Run) {
	wide, quiet := 0, 0
	for i := range r.Units {
		wide = max(wide, min(columns(CleanLine(r.Units[i].ID)), 40))
	}
	for i := range r.Units {
		u := &r.Units[i]
		if u.Status == runner.Unchanged && len(u.Notes) == 0 && !p.Full {
			quiet++
			continue
		}
		p.unit(u, wide)
	}
	if quiet > 0 {
		p.line("  %s%s", p.mark(runner.Unchanged), p.paint(dim, fmt.Sprintf("%-11s %s", runner.Unchanged, plural(quiet, "unit"))))
	}
}

func (p *page) unit(u *runner.UnitResult, wide int) {
	_, c := look(u.Status)
	id := pad(CleanLine(u.ID), wide)
	facts := summary(u)
	if u.Status != runner.Skipped && u.Status != runner.Deferred && u.Status != runner.Queued && u.Seconds > 0 {
		if facts != "" {
			facts += "  "
		}
		facts += p.paint(dim, seconds(u.Seconds))
	}
	reason := u.Reason
	if facts == "" {
		facts, reason = p.paint(yellow, CleanLine(reason)), ""
	}
	head := fmt.Sprintf("  %s%s %s", p.mark(u.Status), p.paint(c, pad(CleanLine(string(u.Status)), 11)), p.paint(bold, id))
	if p.Width > 0 && visible(head)+2+visible(facts) > p.Width {
		p.line("%s", strings.TrimRight(head, " "))
		p.text(under, "", bare(facts))
	} else {
		p.line("%s", strings.TrimRight(head+"  "+facts, " "))
	}
	if reason != "" && len(u.Drift) == 0 { // which says it, and more
		p.text(under, yellow, reason)
	}
	for _, d := range u.Drift {
		driftLines(&p.Builder, d, p.Style)
	}
	if u.Removal && u.Reason == "" {
		p.text(under, yellow, "The branch no longer has it: what it made is destroyed.")
	}
	if len(u.Drift) == 0 { // what a plan would do about it is in the plan's text
		p.changes(u)
	}
	p.objects(u)
	p.policy(u)
	if len(u.Outputs) > 0 && (u.Status == runner.Applied || p.Full) {
		p.text(under, dim, "outputs: "+strings.Join(u.Outputs, ", "))
	}
	if u.Error != "" {
		p.quote(under, u.Error)
	}
	p.notes(under, u.Notes)
}

// summary is what a unit did, or would do, in a few words.
func summary(u *runner.UnitResult) string {
	var parts []string
	add := func(n int, done, wanted string) {
		word := wanted
		if u.Status == runner.Applied || u.Kind == runner.KindManifests && u.Status == runner.Failed {
			word = done
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	if u.Kind == runner.KindManifests {
		add(u.Created, "created", "to create")
		add(u.Configured, "configured", "to configure")
		add(u.Recreated, "recreated", "to recreate")
		add(u.Pruned, "pruned", "to prune")
		if u.Same > 0 {
			parts = append(parts, fmt.Sprintf("%d unchanged", u.Same))
		}
	} else {
		add(u.Add, "added", "to add")
		add(u.Change, "changed", "to change")
		add(u.Destroy, "destroyed", "to destroy")
	}
	return strings.Join(parts, ", ")
}

// sign is Terraform's own mark for an action.
func sign(action string) (string, color) {
	switch action {
	case "create", "created":
		return "+", green
	case "update", "configured":
		return "~", yellow
	case "delete", "pruned", "deleted":
		return "-", red
	case "replace", "recreated":
		return "-/+", red
	case "read":
		return "<=", cyan
	case "import":
		return "<-", cyan
	case "failed":
		return "!", red
	}
	return ".", dim
}

func (p *page) changes(u *runner.UnitResult) {
	shown := 0
	for _, c := range u.Changes {
		if !p.Full && shown == fewChanges {
			p.line("%s%s", under, p.paint(dim, fmt.Sprintf("… and %d more", len(u.Changes)-shown)))
			return
		}
		mark, col := sign(c.Action)
		p.line("%s%s %s", under, p.paint(col, fmt.Sprintf("%-3s", mark)), CleanLine(c.Address))
		shown++
	}
}

func (p *page) objects(u *runner.UnitResult) {
	var show []runner.ObjectResult
	wide := 0
	for _, o := range u.Objects {
		if o.Action == "unchanged" && o.Message == "" && !p.Full {
			continue
		}
		show = append(show, o)
		wide = max(wide, min(columns(CleanLine(o.Ref)), 60))
	}
	shown, cut := 0, 0
	for _, o := range show {
		if !p.Full && shown >= fewChanges && o.Action != "pruned" { // what is lost is never cut
			cut++
			continue
		}
		shown++
		mark, col := sign(o.Action)
		p.line("%s", strings.TrimRight(fmt.Sprintf("%s%s %s  %-10s  %s", under, p.paint(col, fmt.Sprintf("%-3s", mark)), pad(CleanLine(o.Ref), wide), CleanLine(o.Action), p.health(o.Health)), " "))
		if o.Message != "" {
			p.quote(under+"    ", o.Message)
		}
		if p.Full {
			p.diff(o)
		}
	}
	if cut > 0 {
		p.line("%s%s", under, p.paint(dim, fmt.Sprintf("… and %d more", cut)))
	}
}

func (p *page) health(h string) string {
	switch h {
	case "Current":
		return p.paint(green, h)
	case "Failed":
		return p.paint(red, h)
	}
	return p.paint(yellow, CleanLine(h))
}

func (p *page) notes(indent string, notes []string) {
	for i, n := range notes {
		if indent == "" && i == 0 {
			p.line("")
		}
		p.text(indent, dim, "note: "+n)
	}
}

// text prints a paragraph, wrapped.
func (p *page) text(indent string, c color, s string) {
	for _, raw := range strings.Split(strings.TrimRight(Clean(s), "\n "), "\n") {
		for _, l := range wrap(raw, p.Width-len(indent)) {
			p.line("%s%s", indent, p.paint(c, l))
		}
	}
}

// quote prints the words of another program, set off by a bar.
func (p *page) quote(indent, s string) {
	bar := "| "
	if p.Symbols {
		bar = "│ "
	}
	room := 0
	if p.Width > 0 {
		room = max(20, p.Width-len(indent)-2)
	}
	for _, raw := range strings.Split(Unbox(s), "\n") {
		for _, l := range wrap(strings.ReplaceAll(Clean(raw), "\t", "    "), room) {
			p.line("%s", strings.TrimRight(indent+p.paint(red, bar)+l, " "))
		}
	}
}

// Unbox takes the frame off Terraform's messages: it is drawn for a terminal of
// its own. Blank lines at both ends go too.
func Unbox(s string) string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		t := strings.TrimRight(l, " \t\r")
		if t == "╷" || t == "╵" {
			continue
		}
		if t == "│" {
			t = ""
		}
		out = append(out, strings.TrimPrefix(t, "│ "))
	}
	return strings.Trim(strings.Join(out, "\n"), "\n")
}
