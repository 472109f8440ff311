package drift

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func finding(address, fingerprint string) Finding {
	return Finding{Address: address, Class: OutOfBand, Change: Changed, Severity: Warning, Fingerprint: fingerprint}
}

func scanAt(n int) Scan {
	return Scan{Repository: "infra", Unit: "network", Run: fmt.Sprint("r", n), At: start.Add(time.Duration(n) * time.Hour)}
}

// told writes events as "new a/f1", "resolved b/f2 by r9".
func told(events []Event) []string {
	var out []string
	for _, e := range events {
		s := fmt.Sprintf("%s %s/%s", e.News, e.Record.Address, e.Record.Fingerprint)
		if e.Record.EndedBy != "" {
			s += " by " + e.Record.EndedBy
		}
		out = append(out, s)
	}
	return out
}

func mustTell(t *testing.T, events []Event, want ...string) {
	t.Helper()
	if got := told(events); !slices.Equal(got, want) {
		t.Fatalf("told %q, want %q", got, want)
	}
}

func TestADriftIsToldOnceInTwentyScans(t *testing.T) {
	var known []Record
	var events []Event
	for n := range 20 {
		now, more := Take(known, []Finding{finding("a", "f1")}, scanAt(n))
		known, events = now, append(events, more...)
	}
	mustTell(t, events, "new a/f1")
	r := known[0]
	if !r.Began.Equal(start) || !r.Seen.Equal(scanAt(19).At) || r.Run != "r19" || r.Changed != nil || r.ID != "" {
		t.Errorf("record %+v", r)
	}
	if r.Repository != "infra" || r.Unit != "network" || r.Told == nil || !r.Told.Equal(start) {
		t.Errorf("record %+v", r)
	}
}

func TestWhatBeginsChangesAndEndsIsTold(t *testing.T) {
	known, events := Take(nil, []Finding{finding("b", "f1"), finding("a", "f1")}, scanAt(0))
	mustTell(t, events, "new a/f1", "new b/f1")

	known, events = Take(known, []Finding{finding("a", "f2"), finding("b", "f1")}, scanAt(1))
	mustTell(t, events, "changed a/f2")
	if known[0].Changed == nil || !known[0].Changed.Equal(scanAt(1).At) || !known[0].Began.Equal(start) {
		t.Errorf("record %+v", known[0])
	}

	s := scanAt(2)
	s.HealedBy = "r2"
	known, events = Take(known, []Finding{finding("b", "f1")}, s)
	mustTell(t, events, "resolved a/f2 by r2")
	if known[0].Ended == nil || !known[0].Ended.Equal(s.At) || known[1].Ended != nil {
		t.Errorf("records %+v", known)
	}

	known, events = Take(known, nil, scanAt(3))
	mustTell(t, events, "resolved b/f1 by outside")
	if len(known) != 1 {
		t.Errorf("an ended record came back: %+v", known)
	}
	_, events = Take(known, nil, scanAt(4))
	mustTell(t, events)
}

func TestAnUndeployedCommitIsNoDrift(t *testing.T) {
	pending := finding("a", "f1")
	pending.Class = Undeployed
	now, events := Take(nil, []Finding{pending}, scanAt(0))
	if len(now)+len(events) != 0 {
		t.Errorf("now %+v, events %+v", now, events)
	}
}

func TestADriftBehindAnUndeployedCommitIsNotCalledResolved(t *testing.T) {
	known, _ := Take(nil, []Finding{finding("a", "f1")}, scanAt(0))
	pending := finding("a", "f9")
	pending.Class = Undeployed
	known, events := Take(known, []Finding{pending}, scanAt(1))
	mustTell(t, events)
	if len(known) != 1 || known[0].Ended != nil || !known[0].Seen.Equal(start) {
		t.Errorf("records %+v", known)
	}
	s := scanAt(2)
	s.HealedBy = "r2"
	_, events = Take(known, nil, s)
	mustTell(t, events, "resolved a/f1 by r2")
}

func TestADriftThatGoesOnIsRemindedOfFromWhenItWasTold(t *testing.T) {
	var known []Record
	var at []int
	for n := range 30 {
		fingerprint := "f1"
		if n >= 5 {
			fingerprint = "f2" // told again here: the time begins anew
		}
		s := scanAt(n)
		s.Remind = 10 * time.Hour
		now, events := Take(known, []Finding{finding("a", fingerprint)}, s)
		for _, e := range events {
			if e.News == Reminder {
				at = append(at, n)
			}
		}
		known = now
	}
	if want := []int{15, 25}; !slices.Equal(at, want) {
		t.Errorf("reminded in scans %v, want %v", at, want)
	}
}

func acknowledged(r Record, until time.Time) []Record {
	r.Ack = &Ack{By: "ada", At: r.Seen, Until: until, Fingerprint: r.Fingerprint}
	return []Record{r}
}

func TestAnAcknowledgedDriftIsQuietUntilItsTimeIsOver(t *testing.T) {
	known, _ := Take(nil, []Finding{finding("a", "f1")}, scanAt(0))
	known = acknowledged(known[0], scanAt(5).At)
	var at []int
	for n := 1; n < 12; n++ {
		s := scanAt(n)
		s.Remind = 2 * time.Hour
		if n > 5 {
			s.Remind = 0 // the end of the word reminds once, whether reminders are wanted or not
		}
		now, events := Take(known, []Finding{finding("a", "f1")}, s)
		if len(events) > 0 {
			mustTell(t, events, "reminder a/f1")
			at = append(at, n)
		}
		known = now
	}
	if !slices.Equal(at, []int{5}) {
		t.Errorf("reminded in scans %v", at)
	}
}

func TestAnAcknowledgementLapsesWhenTheDriftChanges(t *testing.T) {
	known, _ := Take(nil, []Finding{finding("a", "f1")}, scanAt(0))
	known, events := Take(acknowledged(known[0], scanAt(99).At), []Finding{finding("a", "f2")}, scanAt(1))
	mustTell(t, events, "changed a/f2")
	if known[0].Ack != nil {
		t.Errorf("still acknowledged: %+v", known[0].Ack)
	}
}

func TestAnAcknowledgedDriftIsResolvedLikeAnyOther(t *testing.T) {
	known, _ := Take(nil, []Finding{finding("a", "f1")}, scanAt(0))
	_, events := Take(acknowledged(known[0], scanAt(99).At), nil, scanAt(1))
	mustTell(t, events, "resolved a/f1 by outside")
}

func TestADriftThatARuleLeavesOutEndsForItsReason(t *testing.T) {
	known, _ := Take(nil, []Finding{finding("a", "f1")}, scanAt(0))
	s := scanAt(1)
	s.HealedBy = "r1"
	s.LeftOut = []LeftOut{{Address: "a", Class: OutOfBand, Reason: "the autoscaler owns it"}}
	now, events := Take(known, nil, s)
	mustTell(t, events, "resolved a/f1 by ignored: the autoscaler owns it")
	if now[0].Healing() {
		t.Error("a rule is counted as healing")
	}
}

func TestTheSameAddressCanDriftAndBeUnhealthy(t *testing.T) {
	sick := finding("a", "f7")
	sick.Class = Unhealthy
	_, events := Take(nil, []Finding{sick, finding("a", "f1"), finding("a", "f1")}, scanAt(0))
	mustTell(t, events, "new a/f1", "new a/f7")
}

func TestADriftThatWeHealedAndThatCameBackIsCounted(t *testing.T) {
	var all []Record
	for n := range 3 {
		open, _ := Take(all, []Finding{finding("a", "f1")}, scanAt(10*n))
		if open[0].Healed != n {
			t.Errorf("round %d: healed %d times", n, open[0].Healed)
		}
		s := scanAt(10*n + 1)
		s.HealedBy = "r1"
		gone, _ := Take(open, nil, s)
		all = append(all, gone...)
	}
	byHand, _ := Take(nil, []Finding{finding("a", "f1")}, scanAt(40))
	byHand, _ = Take(byHand, nil, scanAt(41))
	all = append(all, byHand...)
	for _, c := range []struct {
		since time.Time
		want  int
	}{{time.Time{}, 3}, {scanAt(11).At, 2}, {scanAt(12).At, 1}, {scanAt(22).At, 0}} {
		if got := Recurrences(all, "a", OutOfBand, c.since); got != c.want {
			t.Errorf("since %s: %d, want %d", c.since, got, c.want)
		}
	}
	if Recurrences(all, "a", Unhealthy, time.Time{})+Recurrences(all, "b", OutOfBand, time.Time{}) != 0 {
		t.Error("another drift is counted")
	}
}

// Whatever scans find: a drift begins before it ends, and ends before it begins again; what is said is what is open.
func TestBeginningsAndEndsAlternateWhateverIsFound(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var known []Record
		open := map[string]string{}
		for n := range 40 {
			var found []Finding
			want := map[string]string{}
			for _, a := range []string{"a", "b", "c"} {
				if rng.IntN(2) == 0 {
					f := finding(a, fmt.Sprint("f", rng.IntN(2)))
					found, want[a] = append(found, f), f.Fingerprint
				}
			}
			s := scanAt(n)
			s.Remind = 5 * time.Hour
			now, events := Take(known, found, s)
			for _, e := range events {
				f, is := open[e.Record.Address]
				switch e.News {
				case New:
					if is {
						t.Fatalf("seed %d: %s began twice", seed, e.Record.Address)
					}
				case Altered:
					if !is || f == e.Record.Fingerprint {
						t.Fatalf("seed %d: %s changed from %q to %q", seed, e.Record.Address, f, e.Record.Fingerprint)
					}
				default:
					if !is {
						t.Fatalf("seed %d: %s of %s, which is not open", seed, e.News, e.Record.Address)
					}
				}
				if open[e.Record.Address] = e.Record.Fingerprint; e.News == Resolved {
					delete(open, e.Record.Address)
				}
			}
			if fmt.Sprint(open) != fmt.Sprint(want) {
				t.Fatalf("seed %d, scan %d: open %v, found %v", seed, n, open, want)
			}
			known = now
		}
	}
}
