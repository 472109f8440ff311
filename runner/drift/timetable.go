package drift

import "container/heap"

// timetable is a heap of units, for container/heap: the first one is units[0].
type timetable struct {
	units  []*queued
	before func(a, b *queued) int
}

func (t *timetable) Len() int           { return len(t.units) }
func (t *timetable) Less(i, j int) bool { return t.before(t.units[i], t.units[j]) < 0 }

func (t *timetable) Swap(i, j int) {
	t.units[i], t.units[j] = t.units[j], t.units[i]
	t.units[i].at, t.units[j].at = i, j
}

func (t *timetable) Push(x any) {
	u := x.(*queued)
	u.list, u.at = t, len(t.units)
	t.units = append(t.units, u)
}

func (t *timetable) Pop() any {
	last := len(t.units) - 1
	u := t.units[last]
	t.units[last] = nil // or the array keeps it
	t.units = t.units[:last]
	u.list = nil
	return u
}

// leave takes the unit out of the timetable that holds it, if one does.
func (u *queued) leave() {
	if u.list != nil {
		heap.Remove(u.list, u.at)
	}
}
