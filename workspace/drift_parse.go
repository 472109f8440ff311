package workspace

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/internal/calendar"
)

const (
	longestEvery = 366 * 24 * time.Hour
	mostBackoff  = 64
)

// driftReader reads one drift block over what holds without it.
type driftReader struct {
	DriftSettings
	unit  *Unit // nil for the block at the top
	attrs hcl.Attributes
	diags hcl.Diagnostics
}

// parseDrift answers base with what a drift block says in its place. u is the unit whose block it stands in, nil at the top.
func parseDrift(hb *hcl.Block, base DriftSettings, u *Unit) (DriftSettings, hcl.Diagnostics) {
	r := &driftReader{DriftSettings: base, unit: u}
	content, diags := hb.Body.Content(driftSchema)
	r.attrs, r.diags = content.Attributes, diags
	r.File, r.Line = hb.DefRange.Filename, hb.DefRange.Start.Line
	r.when()
	r.what()
	blocks := content.Blocks.ByType()
	r.windows(blocks["window"])
	r.rules(blocks["ignore"], blocks["severity"])
	return r.DriftSettings, r.diags
}

func (r *driftReader) match() []string {
	if r.unit == nil {
		return nil
	}
	return r.unit.match
}

func (r *driftReader) fail(rng hcl.Range, summary, detail string) {
	r.diags = append(r.diags, fault(rng, summary, detail))
}

// value reads an attribute where it is written.
func value[T any](r *driftReader, name string, read func(*hcl.Attribute, []string) (T, hcl.Diagnostics), set func(*hcl.Attribute, T)) {
	attr := r.attrs[name]
	if attr == nil {
		return
	}
	v, diags := read(attr, r.match())
	r.diags = append(r.diags, diags...)
	if !diags.HasErrors() {
		set(attr, v)
	}
}

// when reads what makes the schedule.
func (r *driftReader) when() {
	value(r, "enabled", boolValue, func(_ *hcl.Attribute, on bool) { r.Disabled = !on })
	if every, cron := r.attrs["every"], r.attrs["cron"]; every != nil && cron != nil {
		r.fail(cron.NameRange, "Two schedules", fmt.Sprintf("Say every or cron, not both; every is in line %d.", every.NameRange.Start.Line))
	}
	value(r, "every", durationValue, func(attr *hcl.Attribute, d time.Duration) {
		if d > longestEvery {
			r.fail(attr.Expr.Range(), "Bad every", "Scans are at most a year apart; with enabled = false there are none.")
			return
		}
		r.Every, r.Cron = d, calendar.Cron{}
	})
	value(r, "cron", stringValue, func(attr *hcl.Attribute, s string) {
		c, err := calendar.ParseCron(s)
		if err != nil {
			r.fail(attr.Expr.Range(), "Bad cron", sentence(err))
			return
		}
		r.Every, r.Cron = 0, c
	})
	value(r, "timezone", stringValue, func(attr *hcl.Attribute, s string) {
		zone, err := calendar.LoadZone(s)
		if err != nil {
			r.fail(attr.Expr.Range(), "Bad timezone", sentence(err))
			return
		}
		r.Timezone = zone
	})
	value(r, "backoff", wholeValue, func(attr *hcl.Attribute, n int) {
		if n < 1 || n > mostBackoff {
			r.fail(attr.Expr.Range(), "Bad backoff", fmt.Sprintf("backoff is how many times its period a clean unit waits at most: 1 to %d.", mostBackoff))
			return
		}
		r.Backoff = n
	})
	value(r, "after_apply", durationOrNever, func(_ *hcl.Attribute, d time.Duration) { r.AfterApply = d })
	value(r, "remind", durationOrNever, func(_ *hcl.Attribute, d time.Duration) { r.Remind = d })
}

// what reads what follows from drift.
func (r *driftReader) what() {
	value(r, "remediate", func(attr *hcl.Attribute, match []string) (string, hcl.Diagnostics) {
		return choiceValue(attr, match, remediations...)
	}, func(_ *hcl.Attribute, s string) { r.Remediate = Remediate(s) })
	value(r, "heal", boolValue, func(attr *hcl.Attribute, on bool) {
		if r.unit != nil && r.unit.Kind == KindWorkspace {
			r.fail(attr.NameRange, "Not a manifest set", "heal puts Kubernetes objects right; for a workspace say remediate = \"apply\".")
			return
		}
		r.Heal = on
	})
}

// windows reads the window blocks; with any, those of the top do not count.
func (r *driftReader) windows(blocks hcl.Blocks) {
	if len(blocks) == 0 {
		return
	}
	r.Windows = nil
	first := map[string]hcl.Range{}
	for _, hb := range blocks {
		w := calendar.Window{Name: hb.Labels[0]}
		if at, twice := first[w.Name]; twice {
			r.fail(hb.DefRange, "Duplicate window", fmt.Sprintf("There is a window %q already in line %d.", w.Name, at.Start.Line))
			continue
		}
		first[w.Name] = hb.DefRange
		content, diags := hb.Body.Content(windowSchema)
		r.diags = append(r.diags, diags...)
		in := &driftReader{unit: r.unit, attrs: content.Attributes}
		value(in, "days", stringsValue, func(attr *hcl.Attribute, words []string) {
			days, err := calendar.ParseDays(words)
			switch {
			case err != nil:
				in.fail(attr.Expr.Range(), "Bad day", sentence(err)+didYouMeanDay(words))
			case len(days) == 0:
				in.fail(attr.Expr.Range(), "Empty list", "Without any day, the window never opens: leave days out for every day.")
			}
			w.Days = days
		})
		w.From, w.To = in.clock("from", hb.DefRange), in.clock("to", hb.DefRange)
		if w.From == w.To && !in.diags.HasErrors() {
			in.fail(hb.DefRange, "Empty window", "from and to are the same; a whole day is from = \"00:00\" to \"24:00\".")
		}
		r.diags = append(r.diags, in.diags...)
		r.Windows = append(r.Windows, w)
	}
}

func (r *driftReader) clock(name string, header hcl.Range) (minutes int) {
	if r.attrs[name] == nil {
		r.fail(header, "Missing "+name, fmt.Sprintf("A window says when it opens and closes: %s = \"06:00\".", name))
	}
	value(r, name, stringValue, func(attr *hcl.Attribute, s string) {
		var err error
		if minutes, err = calendar.ParseClock(s); err != nil || name == "from" && minutes == 24*60 {
			r.fail(attr.Expr.Range(), "Bad time", fmt.Sprintf("%s = %q is no time of day such as \"06:00\" or \"22:30\".", name, s))
		}
	})
	return minutes
}

// didYouMeanDay offers the short name for a day that was written out.
func didYouMeanDay(words []string) string {
	for _, word := range words {
		for _, day := range calendar.DayNames() {
			if len(word) > len(day) && word[:len(day)] == day {
				return fmt.Sprintf(" Did you mean %q?", day)
			}
		}
	}
	return ""
}
