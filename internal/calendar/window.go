package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window is a part of each week. Its times are minutes from midnight by the clock of a zone. Where To is not after From it
// ends on the day after; its days are those on which it opens.
type Window struct {
	Name string
	Days []time.Weekday // nil is every day
	From int
	To   int // up to 1440, the end of the day
}

// Opening is one time that a window is open, from Begin until before End.
type Opening struct{ Begin, End time.Time }

// At is the opening that holds t, the one with the latest end where several do, else the first after t. There is none
// without windows.
func At(windows []Window, t time.Time, zone *time.Location) (Opening, bool) {
	var holds, next Opening
	here := t.In(zone)
	// A week ahead has every window; two, should a change of the clock leave one without its only hour.
	for day := -1; day <= 15; day++ {
		for _, w := range windows {
			o := w.on(here.Year(), here.Month(), here.Day()+day, zone)
			switch {
			case !o.End.After(t) || !o.End.After(o.Begin):
			case !o.Begin.After(t):
				if o.End.After(holds.End) {
					holds = o
				}
			case next.Begin.IsZero() || o.Begin.Before(next.Begin):
				next = o
			}
		}
	}
	if !holds.End.IsZero() {
		return holds, true
	}
	return next, !next.Begin.IsZero()
}

// on is the opening of a day, empty where the window does not open on it.
func (w Window) on(year int, month time.Month, day int, zone *time.Location) Opening {
	weekday := time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Weekday()
	if w.Days != nil && !slices.Contains(w.Days, weekday) {
		return Opening{}
	}
	last := day
	if w.To <= w.From {
		last++
	}
	return Opening{
		Begin: clock(year, month, day, w.From, zone),
		End:   clock(year, month, last, w.To, zone),
	}
}

// ParseClock reads a time of day, "22:00", as minutes from midnight. "24:00" is the end of the day.
func ParseClock(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of day such as \"06:00\" or \"22:30\"", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// DayNames are the days as configurations write them, from Sunday as time.Weekday counts.
func DayNames() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// ParseDays reads days and spans of days, "mon" or "mon-fri".
func ParseDays(words []string) ([]time.Weekday, error) {
	var days []time.Weekday
	for _, word := range words {
		first, last, span := strings.Cut(word, "-")
		if !span {
			last = first
		}
		from, to := slices.Index(DayNames(), first), slices.Index(DayNames(), last)
		if from < 0 || to < 0 {
			return nil, fmt.Errorf("%q is no day: days are %s, and spans of them such as \"mon-fri\"", word, strings.Join(DayNames(), ", "))
		}
		for d := from; ; d = (d + 1) % 7 {
			if !slices.Contains(days, time.Weekday(d)) {
				days = append(days, time.Weekday(d))
			}
			if d == to {
				break
			}
		}
	}
	return days, nil
}
