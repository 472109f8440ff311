package calendar

import "time"

// clock is when the zone's clock shows a time: the first of two, and as much later as the clock jumps where it never does.
// Minutes may be more than an hour has.
func clock(year int, month time.Month, day, minutes int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, 0, minutes, 0, 0, zone)
	_, now := t.Zone()
	_, before := t.Add(-jump * time.Hour).Zone()
	if first := t.Add(time.Duration(now-before) * time.Second); before > now && sameClock(first, t) {
		return first
	}
	return t
}

func sameClock(a, b time.Time) bool {
	return a.Day() == b.Day() && a.Hour() == b.Hour() && a.Minute() == b.Minute()
}
