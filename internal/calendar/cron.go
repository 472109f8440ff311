package calendar

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is a parsed cron expression. The zero value never happens.
type Cron struct {
	spec *cron.SpecSchedule
}

// IsZero is whether it is the zero value.
func (c Cron) IsZero() bool { return c.spec == nil }

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// everyHour is the bit by which the library tells that an hour was written as *.
const everyHour = 1 << 63

// jump is more hours than a clock is ever changed by for summer time.
const jump = 3

// ParseCron reads five fields (minute, hour, day of the month, month, day of the week), or @hourly, @daily, @weekly,
// @monthly, @yearly. An expression brings no time zone of its own.
func ParseCron(expr string) (Cron, error) {
	s := strings.TrimSpace(expr)
	if upper := strings.ToUpper(s); strings.HasPrefix(upper, "TZ=") || strings.HasPrefix(upper, "CRON_TZ=") {
		return Cron{}, errors.New("the time zone is said by timezone, not in the expression")
	}
	if strings.HasPrefix(s, "@every") {
		return Cron{}, errors.New("a period is said by every, not by @every")
	}
	parsed, err := parser.Parse(s)
	if err != nil {
		return Cron{}, fmt.Errorf("%q is no cron expression such as \"0 3 * * mon-fri\": %w", expr, err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Cron{}, fmt.Errorf("%q is no cron expression such as \"0 3 * * mon-fri\"", expr)
	}
	c := Cron{spec}
	if c.Next(time.Unix(0, 0), time.UTC).IsZero() {
		return Cron{}, fmt.Errorf("%q names a day that no year has", expr)
	}
	return c, nil
}

// Next is the first time after t, by the clock of the zone. Where an hour is named, a time that the clock skips is as much
// later as the clock jumps, and one that it shows twice is the first: a daily scan happens once on each day of the
// year. An expression for every hour goes on through both. It is zero where there is none.
func (c Cron) Next(t time.Time, zone *time.Location) time.Time {
	if c.spec == nil {
		return time.Time{}
	}
	spec := *c.spec
	if spec.Hour&everyHour != 0 {
		spec.Location = zone
		return spec.Next(t)
	}
	spec.Location = time.UTC
	here := t.In(zone)
	// The clock's own time, as if it were UTC, where no hour is missing or double. It starts early because a time that was
	// skipped lies behind what the clock shows.
	shown := time.Date(here.Year(), here.Month(), here.Day(), here.Hour()-jump, here.Minute(), 0, 0, time.UTC)
	var first, best time.Time
	for {
		shown = spec.Next(shown)
		if shown.IsZero() || !best.IsZero() && shown.Sub(first) > jump*time.Hour {
			return best
		}
		next := clock(shown.Year(), shown.Month(), shown.Day(), shown.Hour()*60+shown.Minute(), zone)
		if !next.After(t) {
			continue
		}
		// A skipped time can come after one that is written later.
		if best.IsZero() {
			first, best = shown, next
		} else if next.Before(best) {
			best = next
		}
	}
}
