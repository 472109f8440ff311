package notify

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func hours(t *testing.T, from, to int, zone string, days ...time.Weekday) *Quiet {
	t.Helper()
	l, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return &Quiet{From: time.Duration(from) * time.Hour, To: time.Duration(to) * time.Hour, Location: l, Days: days, Except: Critical}
}

func TestQuietHoursAreWhatClocksShow(t *testing.T) {
	berlin := hours(t, 22, 7, "Europe/Berlin")
	monday := hours(t, 22, 7, "UTC", time.Monday)
	weekend := hours(t, 0, 0, "UTC", time.Saturday, time.Sunday)
	tests := []struct {
		name    string
		q       *Quiet
		t, want string // "" is not quiet
	}{
		{"none at all", nil, "2026-03-02T23:00:00Z", ""},
		{"before midnight", berlin, "2026-03-02T21:30:00Z", "2026-03-03T06:00:00Z"},
		{"after midnight", berlin, "2026-03-03T05:59:59Z", "2026-03-03T06:00:00Z"},
		{"they end", berlin, "2026-03-03T06:00:00Z", ""},
		{"they begin", berlin, "2026-03-02T21:00:00Z", "2026-03-03T06:00:00Z"},
		{"the night in which clocks go forward", berlin, "2026-03-28T23:00:00Z", "2026-03-29T05:00:00Z"},
		{"the night of a Monday goes on into Tuesday", monday, "2026-03-03T06:30:00Z", "2026-03-03T07:00:00Z"},
		{"the night of a Tuesday is none", monday, "2026-03-03T23:00:00Z", ""},
		{"the morning of a Monday is none", monday, "2026-03-02T06:00:00Z", ""},
		{"a whole day", weekend, "2026-03-07T13:00:00Z", "2026-03-08T00:00:00Z"},
		{"Monday after it", weekend, "2026-03-09T00:00:00Z", ""},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.RFC3339, tt.t)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if end, quiet := tt.q.until(at); quiet {
			got = end.UTC().Format(time.RFC3339)
		}
		if got != tt.want {
			t.Errorf("%s: until %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestADigestTellsOnceWhatCameWithinAnHour(t *testing.T) {
	r, c := newReceiver(t), newClock()
	hook := r.channel("hook")
	hook.Digest = time.Hour
	n := notifier(t, fresh(t), c, Config{Channels: []Channel{hook}})
	stop := running(t, n)
	for _, key := range []string{"one", "two", "one"} {
		put(t, n, titled(key, "Drift "+key))
		c.advance(20 * time.Minute)
	}
	eventually(t, "the digest", r.came, func() bool { return waiting(t, n) == 0 })
	put(t, n, titled("three", "Drift three"))
	c.advance(59 * time.Minute)
	if _, err := n.flush(n.lines["hook"]); err != nil || len(r.titles()) != 1 {
		t.Errorf("%v, and told %v before the hour is over", err, r.titles())
	}
	c.advance(time.Minute)
	eventually(t, "the second", r.came, func() bool { return waiting(t, n) == 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Mooring: 2 messages", "Drift three"}; !slices.Equal(r.titles(), want) {
		t.Fatalf("told %q, want %q", r.titles(), want)
	}
	for _, want := range []string{"Drift one\n", "Drift two\n", "aws_instance.web: tags.Owner", "https://mooring.example.com/runs/r7"} {
		if !strings.Contains(r.calls[0].Text, want) {
			t.Errorf("the digest has no %q:\n%s", want, r.calls[0].Text)
		}
	}
}

func TestQuietHoursHoldBackAllButTheExcepted(t *testing.T) {
	r, c := newReceiver(t), newClock()
	hook := r.channel("hook")
	hook.Quiet = hours(t, 10, 14, "UTC")
	n := notifier(t, fresh(t), c, Config{Channels: []Channel{hook}})
	stop := running(t, n)
	put(t, n, titled("one", "One"))
	put(t, n, titled("two", "Two"))
	m := titled("bad", "Bad")
	m.Severity = Critical
	put(t, n, m)
	eventually(t, "what is excepted", r.came, func() bool { return waiting(t, n) == 2 })
	c.advance(119 * time.Minute)
	if _, err := n.flush(n.lines["hook"]); err != nil || waiting(t, n) != 2 {
		t.Errorf("%v, and %d wait in quiet hours, want 2", err, waiting(t, n))
	}
	c.advance(time.Minute)
	eventually(t, "the rest", r.came, func() bool { return waiting(t, n) == 0 })
	put(t, n, titled("after", "After"))
	eventually(t, "what comes afterwards", r.came, func() bool { return waiting(t, n) == 0 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"[critical] Bad", "Mooring: 2 messages", "After"}; !slices.Equal(r.titles(), want) {
		t.Errorf("told %q, want %q", r.titles(), want)
	}
}

func TestADigestThatIsFullInQuietHoursWaitsForTheirEnd(t *testing.T) {
	l := &line{Channel: Channel{Digest: time.Hour, Quiet: hours(t, 13, 15, "UTC")}}
	got := l.due([]held{{Put: noon.Add(30 * time.Minute)}}, noon.Add(31*time.Minute))
	if want := noon.Add(3 * time.Hour); !got.Equal(want) {
		t.Errorf("due at %s, want %s", got, want)
	}
}
