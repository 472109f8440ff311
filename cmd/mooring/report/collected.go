package report

import (
	"fmt"
	"io"

	"github.com/mooring-iac/mooring/runner"
)

// what says what there is several of, by the kind that was collected.
var what = map[string]string{
	runner.FreedHistory:   "ended run",
	runner.FreedLogs:      "run's log",
	runner.FreedPlans:     "saved plan",
	runner.FreedCheckouts: "checkout",
	runner.FreedMirrors:   "copy of a repository",
	runner.FreedWarm:      "working directory",
	runner.FreedProviders: "provider package",
	runner.FreedCharts:    "chart",
}

var several = map[string]string{
	runner.FreedLogs:    "runs' logs",
	runner.FreedMirrors: "copies of repositories",
	runner.FreedWarm:    "working directories",
}

// CollectedTable prints what a collection removed, or a dry run would have.
func CollectedTable(w io.Writer, c runner.Collected, dryRun bool, s Style) error {
	t := table{head: []string{"KIND", "WHAT", "FREED"}}
	for _, k := range c.Kinds {
		if k.Removed > 0 {
			t.rows = append(t.rows, row{paint: -1, cells: []string{CleanLine(k.Kind), things(k.Removed, k.Kind), size(k.Bytes)}})
		}
	}
	if len(t.rows) > 0 {
		if err := t.write(w, s); err != nil {
			return err
		}
	}
	last := "Nothing is old enough to be removed."
	switch {
	case len(t.rows) > 0 && dryRun:
		last = fmt.Sprintf("Would free %s.", size(c.Total))
	case len(t.rows) > 0:
		last = fmt.Sprintf("Freed %s.", size(c.Total))
	}
	for _, n := range c.Notes {
		last += "\nnote: " + CleanLine(n)
	}
	_, err := fmt.Fprintln(w, last)
	return err
}

func things(n int, kind string) string {
	one, many := what[kind], several[kind]
	if one == "" { // a newer server's
		return fmt.Sprint(n)
	}
	if many == "" {
		many = one + "s"
	}
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// size is a number of bytes as a person reads it.
func size(bytes int64) string {
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	n, unit := float64(bytes)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if n < 1024 {
			break
		}
		n, unit = n/1024, next
	}
	return fmt.Sprintf("%.1f %s", n, unit)
}
