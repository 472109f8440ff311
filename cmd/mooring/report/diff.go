package report

import (
	"fmt"
	"strings"

	"github.com/mooring-iac/mooring/runner"
)

// longCreated is how many lines of an object that would be created a report shows: a CustomResourceDefinition has
// thousands. Changes of objects that exist are shown whole, whatever their length.
const longCreated = 40

// diff prints what would change of one object, below its line.
func (p *page) diff(o runner.ObjectResult) {
	d := o.Diff
	if d == nil {
		return
	}
	indent := under + "    "
	if d.Note != "" {
		p.text(indent, dim, "note: "+d.Note)
	}
	if d.Adopts && o.Action != "created" {
		p.text(indent, dim, "It becomes part of this set.")
	}
	lines := strings.Split(strings.TrimSuffix(d.Text, "\n"), "\n")
	if d.Text == "" {
		return
	}
	rest := 0
	if o.Action == "created" && len(lines) > longCreated {
		rest = len(lines) - longCreated
		lines = lines[:longCreated]
	}
	for _, line := range lines {
		p.line("%s%s", indent, p.paint(diffColor(line), strings.ReplaceAll(Clean(line), "\t", "    ")))
	}
	if rest > 0 {
		p.line("%s%s", indent, p.paint(dim, fmt.Sprintf("… and %d more lines (-o json has them all)", rest)))
	}
}

func diffColor(line string) color {
	switch {
	case strings.HasPrefix(line, "@@"):
		return cyan
	case strings.HasPrefix(line, "+"):
		return green
	case strings.HasPrefix(line, "-"):
		return red
	}
	return ""
}
