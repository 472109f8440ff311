package drift

import (
	"cmp"
	"container/heap"
	"time"
)

// headStart is how much longer a unit counts as having waited for each step of its priority. It never starves another for
// that: sooner or later that one has waited longer.
const headStart = time.Hour

// Key names a unit of a repository.
type Key struct{ Repository, Unit string }

func (k Key) String() string { return k.Repository + "/" + k.Unit }

// Limits are how many scans may run at once. A group or repository that is not named has only All.
type Limits struct {
	All          int            // at least one for any scan at all
	Groups       map[string]int // by credential group: units that use the same credentials
	Repositories map[string]int
}

// Queue says which of the due units may begin, within its limits. What is full holds up nothing else. Where several wait, the
// group with the fewest running goes first, then the repository with the fewest, and then the unit that waited longest. It asks
// no clock, and is not safe for use by several goroutines.
type Queue struct {
	limits  Limits
	lanes   map[laneKey]*lane
	units   map[Key]*queued
	coming  timetable // not due when Start was called last, by due time
	running int
	groups  map[string]int // scans that run, by group
	repos   map[string]int // and by repository
}

type laneKey struct{ repository, group string }

// lane is the units that share all limits: where the first of them may not begin, none may.
type lane struct {
	laneKey
	ready timetable // due, by how long they wait
}

// queued is a unit in the queue.
type queued struct {
	key      Key
	due      time.Time // zero where it is only running
	group    string
	priority int
	within   *lane      // in which it runs; nil where it does not
	list     *timetable // that holds it; nil where none does
	at       int        // its place there
}

// since is what orders units that are due.
func (u *queued) since() time.Time { return u.due.Add(-headStart * time.Duration(u.priority)) }

// NewQueue makes a queue without units.
func NewQueue(limits Limits) *Queue {
	return &Queue{
		limits: limits, lanes: map[laneKey]*lane{}, units: map[Key]*queued{}, groups: map[string]int{}, repos: map[string]int{},
		coming: timetable{before: func(a, b *queued) int { return cmp.Or(a.due.Compare(b.due), inKeyOrder(a, b)) }},
	}
}

// Set says when a unit is due, in place of what was said before; a zero time takes it out. Each step of priority, of which 0
// is the usual one, counts as an hour of waiting. A unit that is running begins again once it is done.
func (q *Queue) Set(k Key, due time.Time, group string, priority int) {
	u := q.units[k]
	if u == nil {
		u = &queued{key: k}
		q.units[k] = u
	}
	u.leave()
	u.due, u.group, u.priority = due, group, priority
	q.place(u)
}

// Remove takes a unit out. One that is running counts until it is done.
func (q *Queue) Remove(k Key) {
	if q.units[k] != nil {
		q.Set(k, time.Time{}, "", 0)
	}
}

// Start takes the units that begin now, in order: at most free, the slots that neither run nor are waited for by an apply or
// a review. Each runs until Done, and comes again once Set says when.
func (q *Queue) Start(now time.Time, free int) []Key {
	for len(q.coming.units) > 0 && !q.coming.units[0].due.After(now) {
		u := q.coming.units[0]
		u.leave()
		heap.Push(&q.laneOf(u).ready, u)
	}
	var begin []Key
	for ; free > 0 && q.running < q.limits.All; free-- {
		l := q.first()
		if l == nil {
			break
		}
		u := l.ready.units[0]
		u.leave()
		u.due, u.within = time.Time{}, l
		q.count(l, 1)
		begin = append(begin, u.key)
	}
	return begin
}

// Done says that the scan of a unit ended, however it did.
func (q *Queue) Done(k Key) {
	u := q.units[k]
	if u == nil || u.within == nil {
		return
	}
	q.count(u.within, -1)
	u.within = nil
	q.place(u)
}

// Wake is when the next unit gets due that was not when Start was called last; zero where none does. Those that are due
// already wait for a Done, or for a free slot.
func (q *Queue) Wake() time.Time {
	if len(q.coming.units) == 0 {
		return time.Time{}
	}
	return q.coming.units[0].due
}

// Running is how many scans run.
func (q *Queue) Running() int { return q.running }

// Waiting is how many units were due at the last Start and did not begin.
func (q *Queue) Waiting() int {
	n := 0
	for _, l := range q.lanes {
		n += len(l.ready.units)
	}
	return n
}

// place puts a unit that does not run where it belongs, and forgets one that is never due.
func (q *Queue) place(u *queued) {
	switch {
	case u.within != nil:
	case u.due.IsZero():
		delete(q.units, u.key)
	default:
		heap.Push(&q.coming, u)
	}
}

// first is the lane whose turn it is, nil where none may begin a scan.
func (q *Queue) first() *lane {
	var best *lane
	for _, l := range q.lanes {
		if len(l.ready.units) == 0 || full(q.limits.Groups, q.groups, l.group) || full(q.limits.Repositories, q.repos, l.repository) {
			continue
		}
		if best == nil || q.inLaneOrder(l, best) < 0 {
			best = l
		}
	}
	return best
}

func full(limits, running map[string]int, name string) bool {
	limit, ok := limits[name]
	return ok && running[name] >= limit
}

func (q *Queue) inLaneOrder(a, b *lane) int {
	return cmp.Or(cmp.Compare(q.groups[a.group], q.groups[b.group]), cmp.Compare(q.repos[a.repository], q.repos[b.repository]),
		inTurn(a.ready.units[0], b.ready.units[0]))
}

func (q *Queue) count(l *lane, n int) {
	q.running += n
	q.groups[l.group] += n
	q.repos[l.repository] += n
}

func (q *Queue) laneOf(u *queued) *lane {
	k := laneKey{u.key.Repository, u.group}
	l := q.lanes[k]
	if l == nil {
		l = &lane{laneKey: k, ready: timetable{before: inTurn}}
		q.lanes[k] = l
	}
	return l
}

// inTurn orders units that are due by how long they wait.
func inTurn(a, b *queued) int { return cmp.Or(a.since().Compare(b.since()), inKeyOrder(a, b)) }

func inKeyOrder(a, b *queued) int {
	return cmp.Or(cmp.Compare(a.key.Repository, b.key.Repository), cmp.Compare(a.key.Unit, b.key.Unit))
}
