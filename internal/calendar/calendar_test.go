package calendar

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func mustParse(t *testing.T, expr string) Cron {
	t.Helper()
	c, err := ParseCron(expr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t *testing.T, zone *time.Location, s string) time.Time {
	t.Helper()
	got, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// In Berlin, 2026-03-29 has no 02:00 to 03:00, and 2026-10-25 has it twice.
func TestADailyScanHappensOnceOnEachDayOfTheYear(t *testing.T) {
	zone := berlin(t)
	for _, expr := range []string{"30 2 * * *", "0 2 * * *", "0 3 * * *", "59 23 * * *", "@daily"} {
		c := mustParse(t, expr)
		days := map[string]int{}
		from := at(t, zone, "2025-12-31 23:59")
		for now := c.Next(from, zone); now.Year() == 2026; now = c.Next(now, zone) {
			if gone := now.Sub(from); gone <= 0 || gone > 25*time.Hour {
				t.Errorf("%s: %s comes %s after %s", expr, now, gone, from)
			}
			days[now.In(zone).Format(time.DateOnly)]++
			from = now
		}
		if len(days) != 365 {
			t.Errorf("%s: on %d days", expr, len(days))
		}
		for day, n := range days {
			if n != 1 {
				t.Errorf("%s: %d times on %s", expr, n, day)
			}
		}
	}
}

func TestTimesThatTheClockSkipsAndRepeats(t *testing.T) {
	zone := berlin(t)
	for _, c := range []struct {
		expr, from string
		want       []string // in UTC
	}{
		{"30 2 * * *", "2026-03-28 12:00", []string{"03-29 01:30", "03-30 00:30"}},                    // 03:30 summer time, then 02:30
		{"0,30 2,3 * * *", "2026-03-28 12:00", []string{"03-29 01:00", "03-29 01:30", "03-30 00:00"}}, // two of the four are skipped
		{"30 2 * * *", "2026-10-24 12:00", []string{"10-25 00:30", "10-26 01:30"}},                    // the first 02:30
		{"0 * * * *", "2026-10-25 01:30", []string{"10-25 00:00", "10-25 01:00", "10-25 02:00"}},      // both 02:00
		{"*/30 * * * *", "2026-03-29 01:10", []string{"03-29 00:30", "03-29 01:00", "03-29 01:30"}},   // 01:30, 03:00, 03:30
		{"0 6 * * mon-fri", "2026-03-27 07:00", []string{"03-30 04:00", "03-31 04:00"}},               // over the weekend
		{"@hourly", "2026-03-29 01:10", []string{"03-29 01:00", "03-29 02:00"}},                       // 03:00, 04:00
	} {
		now := at(t, zone, c.from)
		for i, want := range c.want {
			now = mustParse(t, c.expr).Next(now, zone)
			if got := now.UTC().Format("01-02 15:04"); got != want {
				t.Errorf("%s after %s, tick %d: %s, want %s", c.expr, c.from, i, got, want)
			}
		}
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for expr, want := range map[string]string{
		"CRON_TZ=UTC 0 3 * * *": "timezone",
		"tz=UTC 0 3 * * *":      "timezone",
		"TZ=0":                  "timezone",
		"@every 1h":             "every",
		"0 3 * *":               "cron expression",
		"0 3 * * * *":           "cron expression",
		"":                      "cron expression",
		"0 0 31 2 *":            "no year has",
		"61 * * * *":            "cron expression",
	} {
		if _, err := ParseCron(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", expr, err, want)
		}
	}
}

func TestAZeroCronNeverHappens(t *testing.T) {
	if got := (Cron{}).Next(time.Now(), time.UTC); !got.IsZero() {
		t.Errorf("it happens at %s", got)
	}
}

func TestWindowsOpenAndClose(t *testing.T) {
	zone := berlin(t)
	workdays := []time.Weekday{1, 2, 3, 4, 5}
	night := []Window{{Name: "night", Days: workdays, From: 22 * 60, To: 6 * 60}}
	day := []Window{{From: 0, To: 24 * 60}}
	small := []Window{{From: 2 * 60, To: 3 * 60}}
	for _, c := range []struct {
		name       string
		windows    []Window
		t          string
		begin, end string // in UTC
		open       bool
	}{
		{"before it opens", night, "2026-03-04 12:00", "03-04 21:00", "03-05 05:00", false},
		{"as it opens", night, "2026-03-04 22:00", "03-04 21:00", "03-05 05:00", true},
		{"after midnight", night, "2026-03-05 05:59", "03-04 21:00", "03-05 05:00", true},
		{"as it closes", night, "2026-03-05 06:00", "03-05 21:00", "03-06 05:00", false},
		{"Friday's night lasts into Saturday", night, "2026-03-07 03:00", "03-06 21:00", "03-07 05:00", true},
		{"Saturday's night is not one of its days", night, "2026-03-07 23:00", "03-09 21:00", "03-10 05:00", false},
		{"a night with 7 hours", []Window{{From: 22 * 60, To: 6 * 60}}, "2026-03-28 23:00", "03-28 21:00", "03-29 04:00", true},
		{"a night with 9 hours", []Window{{From: 22 * 60, To: 6 * 60}}, "2026-10-24 23:00", "10-24 20:00", "10-25 05:00", true},
		{"a whole day", day, "2026-10-25 12:00", "10-24 22:00", "10-25 23:00", true},
		{"an hour that the day has not", small, "2026-03-29 01:30", "03-30 00:00", "03-30 01:00", false},
		{"an hour that the day has twice", small, "2026-10-25 01:30", "10-25 00:00", "10-25 02:00", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := at(t, zone, c.t)
			o, ok := At(c.windows, now, zone)
			if got := o.Begin.UTC().Format("01-02 15:04") + " " + o.End.UTC().Format("01-02 15:04"); !ok || got != c.begin+" "+c.end {
				t.Errorf("%s, want %s %s", got, c.begin, c.end)
			}
			if o, ok := At(c.windows, now, zone); (ok && !now.Before(o.Begin)) != c.open {
				t.Errorf("open: %v", !c.open)
			}
		})
	}
}

func TestThereIsNoOpeningWithoutWindows(t *testing.T) {
	if _, ok := At(nil, time.Now(), time.UTC); ok {
		t.Error("closed")
	}
}

func TestDaysAndTimesAsTheyAreWritten(t *testing.T) {
	days, err := ParseDays([]string{"fri-mon", "wed"})
	if want := []time.Weekday{5, 6, 0, 1, 3}; err != nil || !slices.Equal(days, want) {
		t.Errorf("%v %v", days, err)
	}
	for _, bad := range []string{"monday", "mon-", "", "mon-fri-sun"} {
		if _, err := ParseDays([]string{bad}); err == nil {
			t.Errorf("%q is a day", bad)
		}
	}
	for s, want := range map[string]int{"00:00": 0, "06:30": 390, "24:00": 1440} {
		if got, err := ParseClock(s); err != nil || got != want {
			t.Errorf("%q: %d %v", s, got, err)
		}
	}
	for _, bad := range []string{"6:30", "24:01", "12:60", "noon", ""} {
		if _, err := ParseClock(bad); err == nil {
			t.Errorf("%q is a time", bad)
		}
	}
}
