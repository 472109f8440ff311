package notify

import (
	"slices"
	"time"
)

// Quiet are hours of which what comes is told together afterwards.
type Quiet struct {
	From, To time.Duration  // of the day; To may be before From: then it is on the next day. Equal: a whole day
	Location *time.Location // nil is UTC
	Days     []time.Weekday // on which they begin; none is every day
	Except   Severity       // this and worse is told at once; Info excepts nothing
}

// until says when the quiet hours end that t is in; false where it is in none.
func (q *Quiet) until(t time.Time) (time.Time, bool) {
	if q == nil {
		return time.Time{}, false
	}
	zone := q.Location
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := t.In(zone).Date()
	for _, back := range []int{0, 1} { // those of today, and those of yesterday that go on past midnight
		day := time.Date(y, m, d-back, 12, 0, 0, 0, zone)
		if len(q.Days) > 0 && !slices.Contains(q.Days, day.Weekday()) {
			continue
		}
		from := clockOn(day, q.From)
		to := clockOn(day, q.To)
		if q.To <= q.From {
			to = clockOn(day.AddDate(0, 0, 1), q.To)
		}
		if !t.Before(from) && t.Before(to) {
			return to, true
		}
	}
	return time.Time{}, false
}

// clockOn is a time of the day as clocks show it, on days too when they are changed.
func clockOn(day time.Time, of time.Duration) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d, int(of/time.Hour), int(of%time.Hour/time.Minute), 0, 0, day.Location())
}

// excepts reports whether a severity is told in quiet hours too.
func (q *Quiet) excepts(s Severity) bool { return q.Except > Info && s >= q.Except }
