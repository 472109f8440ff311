package drift

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/mooring-iac/mooring/internal/calendar"
)

const (
	// widest is how far after its tick a cron scan may begin: who writes a time means about that time.
	widest = time.Hour
	// firstRetry is when a unit is tried again that was locked or whose scan failed; each time after it waits double.
	firstRetry = time.Minute
	// steady is after how many clean scans in a row the interval doubles.
	steady = 4
)

// Window is a part of the week in which scans may begin.
type Window = calendar.Window

// Schedule says when a unit is scanned. The zero value says never.
//
// Every scans a unit once in each period, at a place in it that a hash of its key gives: units are spread evenly, and a
// unit keeps its place when the server starts again. Cron scans after each tick, spread over as much as lies before the
// next one, at most an hour. With both, Cron counts.
type Schedule struct {
	Every time.Duration
	Cron  calendar.Cron
	Zone  *time.Location // of Cron and Windows; nil is UTC
	// Windows are when a scan may begin; none is always. What falls between them is spread over the start of the next.
	Windows []Window
	// Backoff is how many times Every a unit that stays clean may wait at most; 0 and 1 are once. Twice after four clean
	// scans in a row, four times after eight. Cron is not stretched: it names its times.
	Backoff int
	// AfterApply is how long after an apply a unit is scanned, if that is sooner; 0 is not.
	AfterApply time.Duration
}

// History is what is known of the scans of one unit.
type History struct {
	Known     time.Time // since when the unit is known; counts where it was never scanned
	Last      time.Time // when the last scan began, or was to and could not; zero is never
	LastApply time.Time // when the last apply ended; zero is never
	Clean     int       // scans in a row, up to the last, that found nothing
	Failures  int       // scans in a row, up to the last, that failed
	Skipped   int       // tries in a row, up to the last, that found the unit locked
}

// Next is when the unit of that key is due; it may lie in the past. It is zero for never. The answer for one history does
// not change while time goes by, unless a window closes before the scan began: then it is in
// the next one.
func (s Schedule) Next(key string, h History, now time.Time) time.Time {
	from := h.Last
	if from.IsZero() {
		from = h.Known
	}
	if from.IsZero() {
		from = now
	}
	place := hash(key)
	due := s.rhythm(place, from, 1)
	if due.IsZero() {
		return due
	}
	applied := h.LastApply.After(from) // what was applied before the unit was known is no reason to hurry
	switch tries := h.Failures + h.Skipped; {
	case tries > 0 && !h.Last.IsZero():
		due = earlier(due, h.Last.Add(retry(tries, due.Sub(h.Last))))
	case !applied:
		due = s.rhythm(place, from, s.stretch(h.Clean))
	}
	if applied && s.AfterApply > 0 {
		due = earlier(due, h.LastApply.Add(s.AfterApply))
	}
	return s.within(place, due, now)
}

// Late is for how long a unit that was scanned last at a time, or is known since, should have been scanned again, had it
// waited as long as it may; 0 where it should not. A locked unit, one that fails and one that always comes too late get later
// and later.
func (s Schedule) Late(key string, last, now time.Time) time.Duration {
	place := hash(key)
	due := s.rhythm(place, last, max(1, s.Backoff))
	if due.IsZero() {
		return 0
	}
	return max(0, now.Sub(s.within(place, due, last)))
}

// rhythm is the first scan after from by Every or Cron alone, with one in so many periods of Every; zero is never.
func (s Schedule) rhythm(place uint64, from time.Time, periods int) time.Time {
	if tick := s.Cron.Next(from, s.zone()); !tick.IsZero() {
		return tick.Add(spread(place, min(widest, s.Cron.Next(tick, s.zone()).Sub(tick))))
	}
	if s.Every <= 0 {
		return time.Time{}
	}
	// Its place among so many periods is also one in each of them. To count them from the last scan instead would bring units
	// that were seen first on one day back on one day, and leave the others idle.
	period := s.Every * time.Duration(periods)
	gone := time.Duration((from.UnixNano() - int64(spread(place, period))) % int64(period))
	if gone < 0 {
		gone += period
	}
	return from.Add(period - gone)
}

// stretch is how many periods a unit waits that was clean so often.
func (s Schedule) stretch(clean int) int {
	periods := 1
	for ; clean >= steady && 2*periods <= s.Backoff; clean -= steady {
		periods *= 2
	}
	return periods
}

// within moves what is due to a time at which a window is open.
func (s Schedule) within(place uint64, due, now time.Time) time.Time {
	opening, ok := calendar.At(s.Windows, due, s.zone())
	if !ok {
		return due
	}
	if !opening.End.After(now) { // it closed before the scan began
		opening, _ = calendar.At(s.Windows, now, s.zone())
	}
	if !due.Before(opening.Begin) {
		return due
	}
	over := widest
	if s.Cron.IsZero() {
		over = s.Every
	}
	return opening.Begin.Add(spread(place, min(over, opening.End.Sub(opening.Begin))))
}

func (s Schedule) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}
	return s.Zone
}

// retry is how long to wait after so many tries, at most the interval.
func retry(tries int, interval time.Duration) time.Duration {
	wait := firstRetry
	for ; tries > 1 && wait < interval; tries-- {
		wait *= 2
	}
	return min(wait, interval)
}

// spread is the place of a unit in a stretch of time.
func spread(place uint64, over time.Duration) time.Duration {
	if over <= 0 {
		return 0
	}
	return time.Duration(place % uint64(over))
}

// hash is even over keys that differ in one digit; a cheaper one is not.
func hash(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:8])
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
