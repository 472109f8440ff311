package drift

import (
	"fmt"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/internal/calendar"
)

func cronOf(t *testing.T, expr string) calendar.Cron {
	t.Helper()
	c, err := calendar.ParseCron(expr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func zoneOf(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func keys(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("infra/unit-%d", i)
	}
	return all
}

func TestAZeroScheduleNeverScans(t *testing.T) {
	if got := (Schedule{AfterApply: time.Minute}).Next("a", History{LastApply: start, Failures: 3}, start); !got.IsZero() {
		t.Errorf("it scans at %s", got)
	}
}

func TestAUnitKeepsItsPlaceInEachPeriod(t *testing.T) {
	s := Schedule{Every: 6 * time.Hour}
	for _, key := range keys(50) {
		first := s.Next(key, History{Known: start}, start)
		if wait := first.Sub(start); wait <= 0 || wait > s.Every {
			t.Fatalf("%s waits %s for its first scan", key, wait)
		}
		late := first.Add(40 * time.Minute) // it had to queue, and must not drift away for it
		if got := s.Next(key, History{Last: late}, late); !got.Equal(first.Add(s.Every)) {
			t.Errorf("%s: %s, want %s", key, got, first.Add(s.Every))
		}
		if got := s.Next(key, History{Known: start}, start.Add(99*time.Hour)); !got.Equal(first) {
			t.Errorf("%s: its due time moves with the clock: %s, was %s", key, got, first)
		}
	}
}

func TestUnitsAreSpreadEvenly(t *testing.T) {
	for name, s := range map[string]Schedule{
		"every":  {Every: time.Hour},
		"cron":   {Cron: cronOf(t, "0 3 * * *")},
		"window": {Every: time.Hour, Windows: []Window{{From: 22 * 60, To: 23 * 60}}},
	} {
		minutes := map[time.Time]int{}
		for _, key := range keys(10_000) {
			minutes[s.Next(key, History{Known: start}, start).Truncate(time.Minute)]++
		}
		for minute, n := range minutes {
			if n > 2*10_000/60 {
				t.Errorf("%s: %d of 10,000 at %s", name, n, minute)
			}
		}
		if len(minutes) < 60 || len(minutes) > 61 {
			t.Errorf("%s: spread over %d minutes", name, len(minutes))
		}
	}
}

func TestAUnitThatStaysCleanIsScannedLessOften(t *testing.T) {
	for _, c := range []struct{ backoff, clean, periods int }{
		{4, 0, 1}, {4, 3, 1}, {4, 4, 2}, {4, 7, 2}, {4, 8, 4}, {4, 11, 4}, {4, 12, 4}, {4, 900, 4},
		{0, 900, 1}, {1, 900, 1}, {2, 900, 2}, {3, 900, 2}, {8, 900, 8},
	} {
		s := Schedule{Every: time.Hour, Backoff: c.backoff}
		in := make([]int, c.periods)
		for _, key := range keys(100 * c.periods) {
			first := s.Next(key, History{Known: start}, start)
			next := s.Next(key, History{Last: first, Clean: c.clean}, first)
			wait := int(next.Sub(first) / time.Hour)
			if wait < 1 || wait > c.periods || next.Sub(first)%time.Hour != 0 {
				t.Fatalf("%+v: %s waits %s for the next", c, key, next.Sub(first))
			}
			in[wait-1]++
			if again := s.Next(key, History{Last: next, Clean: c.clean}, next); again.Sub(next) != time.Duration(c.periods)*time.Hour {
				t.Fatalf("%+v: %s has no rhythm: %s", c, key, again.Sub(next))
			}
		}
		for period, n := range in {
			if n < 50 || n > 150 {
				t.Errorf("%+v: %d of %d come in period %d", c, n, 100*c.periods, period)
			}
		}
	}
}

func TestAnApplyBringsTheNextScanForward(t *testing.T) {
	s := Schedule{Every: 24 * time.Hour, Backoff: 4, AfterApply: 10 * time.Minute}
	last := s.Next("a", History{Known: start}, start)
	applied := last.Add(time.Hour)
	h := History{Last: last, Clean: 20, LastApply: applied}
	if got := s.Next("a", h, applied); !got.Equal(applied.Add(10 * time.Minute)) {
		t.Errorf("after an apply at %s: %s", applied, got)
	}
	h.LastApply = last.Add(-time.Hour) // the last scan saw it
	if got := s.Next("a", h, applied); got.Sub(last)%(24*time.Hour) != 0 {
		t.Errorf("after an apply that was scanned: %s", got)
	}
	h.LastApply = last.Add(23*time.Hour + 55*time.Minute) // the period ends sooner
	if got := s.Next("a", h, applied); !got.Equal(last.Add(24 * time.Hour)) {
		t.Errorf("just before the next scan: %s", got)
	}
	if got := s.Next("a", History{Known: start, LastApply: start.Add(-time.Hour)}, start); !got.Equal(last) {
		t.Errorf("an apply before the unit was known: %s, want %s", got, last)
	}
}

func TestAUnitThatWasLockedOrFailedIsTriedAgain(t *testing.T) {
	s := Schedule{Every: time.Hour, Backoff: 4}
	last := s.Next("a", History{Known: start}, start)
	for tries, want := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 6: 32, 7: 60, 8: 60, 10_000: 60} {
		for _, h := range []History{{Last: last, Skipped: tries}, {Last: last, Failures: tries}, {Last: last, Failures: tries - 1, Skipped: 1, Clean: 12}} {
			if got := s.Next("a", h, last); !got.Equal(last.Add(want * time.Minute)) {
				t.Errorf("%+v: after %s, want %d minutes", h, got.Sub(last), want)
			}
		}
	}
}

func TestCronScansOnceAfterEachTick(t *testing.T) {
	s := Schedule{Cron: cronOf(t, "*/10 * * * *"), Backoff: 4}
	for _, key := range keys(50) {
		first := s.Next(key, History{Known: start}, start)
		if tick := start.Add(10 * time.Minute); first.Before(tick) || !first.Before(tick.Add(10*time.Minute)) {
			t.Fatalf("%s: %s", key, first)
		}
		if got := s.Next(key, History{Last: first, Clean: 20}, first); !got.Equal(first.Add(10 * time.Minute)) {
			t.Errorf("%s: %s after %s", key, got, first)
		}
	}
	daily := Schedule{Cron: cronOf(t, "0 3 * * *"), Zone: zoneOf(t)}
	for _, day := range []string{"2026-03-29", "2026-10-25", "2026-06-01"} {
		for _, key := range keys(50) {
			now, _ := time.ParseInLocation("2006-01-02 15:04", day+" 00:30", daily.Zone)
			got := daily.Next(key, History{Last: now.Add(-time.Hour)}, now).In(daily.Zone)
			if got.Format("2006-01-02 15") != day+" 03" {
				t.Errorf("%s on %s: %s", key, day, got)
			}
		}
	}
}

func TestNoScanIsDueOutsideAWindow(t *testing.T) {
	zone := zoneOf(t)
	s := Schedule{Every: 5 * time.Hour, Zone: zone, AfterApply: time.Minute, Backoff: 4, Windows: []Window{
		{From: 22 * 60, To: 6 * 60, Days: []time.Weekday{0, 1, 2, 3, 4}},
		{From: 12 * 60, To: 13 * 60},
	}}
	for _, start := range []time.Time{start, time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC)} {
		for i, key := range keys(40) {
			h := History{Known: start}
			for range 60 {
				due := s.Next(key, h, h.Last)
				if o, ok := calendar.At(s.Windows, due, zone); !ok || due.Before(o.Begin) || !due.After(h.Last) {
					t.Fatalf("%s: due at %s after %s", key, due.In(zone), h.Last.In(zone))
				}
				if again := s.Next(key, h, due); !again.Equal(due) {
					t.Fatalf("%s: due at %s, and once it is then, at %s", key, due, again)
				}
				h = History{Last: due, Clean: i, Failures: i % 3}
				if i%5 == 0 {
					h.LastApply = due.Add(time.Second)
				}
			}
		}
	}
}

func TestAScanThatMissedItsWindowWaitsForTheNext(t *testing.T) {
	s := Schedule{Every: time.Hour, Windows: []Window{{From: 22 * 60, To: 24 * 60}}}
	due := s.Next("a", History{Known: start}, start)
	begin := time.Date(2026, 3, 4, 22, 0, 0, 0, time.UTC)
	if due.Before(begin) || due.After(begin.Add(time.Hour)) {
		t.Fatalf("due at %s", due)
	}
	if got := s.Next("a", History{Known: start}, begin.Add(119*time.Minute)); !got.Equal(due) {
		t.Errorf("while it is open: %s, want %s", got, due)
	}
	for _, now := range []time.Time{begin.Add(2 * time.Hour), begin.Add(25 * time.Hour)} {
		if got := s.Next("a", History{Known: start}, now); !got.Equal(due.Add(24 * time.Hour)) {
			t.Errorf("at %s: %s, want %s", now, got, due.Add(24*time.Hour))
		}
	}
}

func TestAUnitIsLateOnceItWaitedLongerThanItMay(t *testing.T) {
	s := Schedule{Every: time.Hour, Backoff: 4}
	last := s.Next("a", History{Known: start, Clean: 8}, start)
	for after, want := range map[time.Duration]time.Duration{time.Hour: 0, 4 * time.Hour: 0, 9 * time.Hour: 5 * time.Hour} {
		if got := s.Late("a", last, last.Add(after)); got != want {
			t.Errorf("after %s: %s late, want %s", after, got, want)
		}
	}
	workdays := Schedule{Cron: cronOf(t, "0 6 * * mon-fri")}
	friday := time.Date(2026, 3, 6, 6, 30, 0, 0, time.UTC)
	if got := workdays.Late("a", friday, friday.Add(48*time.Hour)); got != 0 {
		t.Errorf("on Sunday: %s late", got)
	}
	if got := workdays.Late("a", friday, friday.Add(96*time.Hour)); got < 22*time.Hour || got > 25*time.Hour {
		t.Errorf("on Tuesday: %s late", got)
	}
	if got := (Schedule{}).Late("a", start, start.Add(9999*time.Hour)); got != 0 {
		t.Errorf("what is never scanned is %s late", got)
	}
}
