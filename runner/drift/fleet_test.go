package drift

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// scanSeconds is how long scans take, with the long tail that plans have: half are done in 13 s, the mean is 58 s.
var scanSeconds = []int{4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 18, 22, 26, 30, 40, 60, 90, 180, 600}

// longestWait is what the smallest group may make a unit wait: it has one slot, and a scan can take ten minutes.
const longestWait = 40 * time.Minute

// fleet is a server with many workspaces on a clock that the test moves, in seconds since start.
type fleet struct {
	t        *testing.T
	rng      *rand.Rand
	schedule Schedule
	slots    int // that scans and applies share
	limits   Limits
	queue    *Queue

	units   []*fleetUnit
	byKey   map[Key]*fleetUnit
	ends    map[int][]*fleetUnit // scans, by the second in which they end
	running map[string]int       // scans, by group and by repository

	applying  int
	applyEnds map[int]int
	waiting   []int // applies, by the second in which they came

	starts            []int // by minute
	scans             int
	longest           time.Duration // that a unit which was due waited
	longestApplyDelay int           // seconds
}

type fleetUnit struct {
	key     Key
	group   string
	due     time.Time
	history History
	drifts  bool
}

// newFleet is one whose units were clean so often.
func newFleet(t *testing.T, s Schedule, clean int) *fleet {
	f := &fleet{
		t: t, rng: rand.New(rand.NewPCG(7, 7)), schedule: s, slots: 64,
		limits: Limits{All: 40, Groups: map[string]int{"aws-prod": 9, "azure": 5, "vsphere": 1}, Repositories: map[string]int{"repository-7": 4}},
		byKey:  map[Key]*fleetUnit{}, ends: map[int][]*fleetUnit{}, running: map[string]int{}, applyEnds: map[int]int{}, starts: make([]int, 48*60),
	}
	f.queue = NewQueue(f.limits)
	for i := range 10_000 {
		u := &fleetUnit{key: Key{fmt.Sprint("repository-", i%20), fmt.Sprintf("infra/%d", i)}, drifts: i%33 == 0}
		switch {
		case i%5 == 0:
			u.group = "aws-prod"
		case i%10 == 1:
			u.group = "azure"
		case i%100 == 2:
			u.group = "vsphere"
		case i%2 == 1:
			u.group = "aws-dev" // without a limit of its own
		}
		if u.history.Known = start; !u.drifts {
			u.history.Clean = clean
		}
		f.units, f.byKey[u.key] = append(f.units, u), u
		f.plan(u, start)
	}
	return f
}

func (f *fleet) plan(u *fleetUnit, now time.Time) {
	u.due = f.schedule.Next(u.key.String(), u.history, now)
	f.queue.Set(u.key, u.due, u.group, 0)
}

// second is one second of the server.
func (f *fleet) second(n int) {
	now := start.Add(time.Duration(n) * time.Second)
	for _, u := range f.ends[n] {
		f.running["group "+u.group]--
		f.running["repository "+u.key.Repository]--
		f.queue.Done(u.key)
		f.ended(u)
		f.plan(u, now)
	}
	delete(f.ends, n)
	f.applying -= f.applyEnds[n]
	delete(f.applyEnds, n)
	f.apply(n)
	free := f.slots - f.applying - f.queue.Running()
	if len(f.waiting) > 0 {
		free = 0
	}
	for _, k := range f.queue.Start(now, free) {
		f.start(f.byKey[k], n, now)
	}
	if free = f.slots - f.applying - f.queue.Running(); free < 0 {
		f.t.Fatalf("at %s, %d more run than there are slots", now, -free)
	}
}

// apply begins the applies that came, before any scan.
func (f *fleet) apply(n int) {
	come := 0
	if n%97 == 0 {
		come = 1
	}
	if n%(4*3600) == 0 {
		come = 30 // a release: more than scans leave slots
	}
	for range come {
		f.waiting = append(f.waiting, n)
	}
	for len(f.waiting) > 0 && f.applying+f.queue.Running() < f.slots {
		f.longestApplyDelay = max(f.longestApplyDelay, n-f.waiting[0])
		f.waiting = f.waiting[1:]
		f.applying++
		f.applyEnds[n+30+f.rng.IntN(200)]++
		u := f.units[f.rng.IntN(len(f.units))]
		u.history.LastApply = start.Add(time.Duration(n) * time.Second)
	}
	if room := f.slots - f.limits.All; len(f.waiting) > 0 && f.applying < room {
		f.t.Fatalf("second %d: an apply waits, and only %d run", n, f.applying)
	}
}

func (f *fleet) start(u *fleetUnit, n int, now time.Time) {
	if u.due.After(now) || len(f.waiting) > 0 {
		f.t.Fatalf("%s began at %s, due at %s, %d applies waiting", u.key, now, u.due, len(f.waiting))
	}
	f.longest = max(f.longest, now.Sub(u.due))
	f.scans++
	f.starts[n/60]++
	group, repository := "group "+u.group, "repository "+u.key.Repository
	f.running[group]++
	f.running[repository]++
	most := func(limits map[string]int, name string) int {
		if limit, ok := limits[name]; ok {
			return limit
		}
		return f.limits.All
	}
	if f.running[group] > most(f.limits.Groups, u.group) || f.running[repository] > most(f.limits.Repositories, u.key.Repository) || f.queue.Running() > f.limits.All {
		f.t.Fatalf("%d run in %s, %d in %s, %d in all", f.running[group], group, f.running[repository], repository, f.queue.Running())
	}
	u.history.Last = now
	end := n + scanSeconds[f.rng.IntN(len(scanSeconds))]
	f.ends[end] = append(f.ends[end], u)
}

// ended says how a scan did: one in fifty fails, one in fifty finds its unit locked.
func (f *fleet) ended(u *fleetUnit) {
	h := &u.history
	switch f.rng.IntN(50) {
	case 0:
		h.Failures, h.Clean = h.Failures+1, 0
		return
	case 1:
		h.Skipped++
		return
	}
	h.Failures, h.Skipped = 0, 0
	if h.Clean++; u.drifts {
		h.Clean = 0
	}
}

func TestAFleetOfTenThousandIsScannedEvenly(t *testing.T) {
	// A fleet of which fewer than some fifteen begin in a minute cannot show it: chance alone makes one of 2,880 minutes more
	// than twice the mean then. So the one that stays clean has a shorter period, and was scanned for days before.
	for _, c := range []struct {
		name  string
		every time.Duration
		most  int // periods that a unit may wait
		clean int
	}{
		{"each period", 6 * time.Hour, 1, 0},
		{"less often while it stays clean", 2 * time.Hour, 4, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, Schedule{Every: c.every, Backoff: c.most, AfterApply: 10 * time.Minute}, c.clean)
			for n := range 48 * 3600 {
				f.second(n)
			}
			largest, at := 0, 0
			for minute, n := range f.starts {
				if n > largest {
					largest, at = n, minute
				}
			}
			mean := float64(f.scans) / float64(len(f.starts))
			t.Logf("%d scans, %.1f a minute, at most %d (minute %d); a due unit waited %s at most, an apply %d s", f.scans, mean, largest, at, f.longest, f.longestApplyDelay)
			if float64(largest) > 2*mean {
				t.Errorf("%d began in minute %d, the mean is %.1f", largest, at, mean)
			}
			if f.longest > longestWait {
				t.Errorf("a unit waited %s", f.longest)
			}
			if f.longestApplyDelay > 30 {
				t.Errorf("an apply waited %d s, and scans end all the time", f.longestApplyDelay)
			}
			for _, u := range f.units {
				wait := start.Add(48 * time.Hour).Sub(u.history.Last)
				if wait > time.Duration(c.most)*c.every+longestWait {
					t.Errorf("%s was not scanned for %s", u.key, wait)
				}
			}
		})
	}
}
