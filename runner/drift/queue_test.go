package drift

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func key(unit string) Key { return Key{"infra", unit} }

func mustStart(t *testing.T, q *Queue, now time.Time, free int, want ...string) {
	t.Helper()
	var got []string
	for _, k := range q.Start(now, free) {
		got = append(got, k.Unit)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("began %v, want %v", got, want)
	}
}

func minutes(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

func TestTheUnitThatWaitsLongestBeginsFirst(t *testing.T) {
	q := NewQueue(Limits{All: 2})
	q.Set(key("c"), minutes(1), "", 0)
	q.Set(key("a"), minutes(3), "", 0)
	q.Set(key("b"), minutes(2), "", 0)
	q.Set(key("later"), minutes(9), "", 0)
	mustStart(t, q, start, 5)
	if !q.Wake().Equal(minutes(1)) {
		t.Errorf("wake at %s", q.Wake())
	}
	mustStart(t, q, minutes(5), 1, "c")
	mustStart(t, q, minutes(5), 5, "b")
	mustStart(t, q, minutes(5), 5)
	if q.Running() != 2 || q.Waiting() != 1 || !q.Wake().Equal(minutes(9)) {
		t.Errorf("%d run, %d wait, wake at %s", q.Running(), q.Waiting(), q.Wake())
	}
	q.Done(key("c"))
	q.Done(key("c")) // twice is once
	mustStart(t, q, minutes(5), 0)
	mustStart(t, q, minutes(5), 5, "a")
	mustStart(t, q, minutes(9), 5)
}

func TestAFullGroupHoldsUpNoOther(t *testing.T) {
	q := NewQueue(Limits{All: 10, Groups: map[string]int{"aws-prod": 1, "closed": 0}})
	for i := range 5 {
		q.Set(key(fmt.Sprint("prod", i)), start, "aws-prod", 0)
		q.Set(key(fmt.Sprint("closed", i)), start, "closed", 0)
	}
	q.Set(key("dev"), minutes(1), "aws-dev", 0)
	q.Set(key("none"), minutes(2), "", 0)
	mustStart(t, q, minutes(5), 9, "prod0", "dev", "none")
	q.Done(key("dev"))
	mustStart(t, q, minutes(5), 9)
	q.Done(key("prod0"))
	mustStart(t, q, minutes(5), 9, "prod1")
}

func TestASmallGroupNeedNotWaitForALargeOne(t *testing.T) {
	q := NewQueue(Limits{All: 4})
	for i := range 100 {
		q.Set(key(fmt.Sprintf("large%02d", i)), start, "large", 0)
	}
	q.Set(key("small0"), minutes(1), "small", 0)
	q.Set(key("small1"), minutes(1), "small", 0)
	q.Set(key("small2"), minutes(1), "small", 0)
	mustStart(t, q, minutes(5), 4, "large00", "small0", "large01", "small1")
}

func TestARepositoryHasItsOwnLimitAndItsShare(t *testing.T) {
	q := NewQueue(Limits{All: 5, Repositories: map[string]int{"small": 1}})
	for i := range 9 {
		q.Set(Key{"large", fmt.Sprint("l", i)}, start, "", 0)
	}
	for i := range 3 {
		q.Set(Key{"small", fmt.Sprint("s", i)}, minutes(1), "", 0)
		q.Set(Key{"other", fmt.Sprint("o", i)}, minutes(2), "", 0)
	}
	mustStart(t, q, minutes(5), 9, "l0", "s0", "o0", "l1", "o1")
	q.Done(Key{"small", "s0"})
	mustStart(t, q, minutes(5), 9, "s1")
}

func TestPriorityIsAHeadStartOfAnHour(t *testing.T) {
	q := NewQueue(Limits{All: 9})
	q.Set(key("asked for"), minutes(90), "", 1)
	q.Set(key("waits long"), minutes(29), "", 0)
	q.Set(key("waits"), minutes(31), "", 0)
	q.Set(key("not due"), minutes(95), "", 100)
	mustStart(t, q, minutes(91), 9, "waits long", "asked for", "waits")
}

func TestAUnitThatRunsBeginsAgainOnceItIsDone(t *testing.T) {
	q := NewQueue(Limits{All: 9, Groups: map[string]int{"g": 1}})
	q.Set(key("a"), start, "g", 0)
	mustStart(t, q, start, 9, "a")
	q.Set(key("a"), minutes(1), "h", 0) // its group changes while it runs
	q.Set(key("b"), start, "g", 0)
	mustStart(t, q, minutes(2), 9)
	q.Done(key("a"))
	mustStart(t, q, minutes(2), 9, "b", "a")
}

func TestARemovedUnitDoesNotBegin(t *testing.T) {
	q := NewQueue(Limits{All: 1})
	for _, u := range []string{"a", "b", "c", "d"} {
		q.Set(key(u), start, "", 0)
	}
	q.Remove(key("b")) // coming
	mustStart(t, q, start, 9, "a")
	q.Remove(key("a")) // running: it counts until it is done
	q.Remove(key("c")) // ready
	q.Remove(key("nobody"))
	q.Set(key("d"), time.Time{}, "", 0)
	mustStart(t, q, start, 9)
	if q.Running() != 1 {
		t.Errorf("%d run", q.Running())
	}
	q.Done(key("a"))
	mustStart(t, q, start, 9)
	if len(q.units) != 0 || q.Waiting() != 0 || q.Running() != 0 {
		t.Errorf("left: %d units, %d wait, %d run", len(q.units), q.Waiting(), q.Running())
	}
}

func TestWithoutALimitNothingBegins(t *testing.T) {
	q := NewQueue(Limits{Repositories: map[string]int{"infra": 9}})
	q.Set(key("a"), start, "", 0)
	mustStart(t, q, minutes(1), 9)
}

// The queue against a plain list that is looked through at each step.
func TestTheQueueDoesWhatAPlainListDoes(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		p := plain{due: map[Key]time.Time{}, group: map[Key]string{}, running: map[Key]string{}, limits: Limits{
			All: 4, Groups: map[string]int{"g0": 2, "g1": 1}, Repositories: map[string]int{"r0": 2},
		}}
		q := NewQueue(p.limits)
		for step := range 300 {
			n := rng.IntN(20)
			k := Key{fmt.Sprint("r", n%3), fmt.Sprint("u", n)}
			switch rng.IntN(5) {
			case 0, 1:
				p.due[k], p.group[k] = minutes(step+rng.IntN(20)), fmt.Sprint("g", rng.IntN(3))
				q.Set(k, p.due[k], p.group[k], 0)
			case 2:
				delete(p.due, k)
				q.Remove(k)
			case 3:
				delete(p.running, k)
				q.Done(k)
			case 4:
				free := rng.IntN(4)
				mustStart(t, q, minutes(step), free, p.start(minutes(step), free)...)
			}
		}
	}
}

// plain is the queue said plainly.
type plain struct {
	due            map[Key]time.Time
	group, running map[Key]string
	limits         Limits
}

func (p plain) start(now time.Time, free int) []string {
	var begin []string
	for ; free > 0 && len(p.running) < p.limits.All; free-- {
		groups, repos := map[string]int{}, map[string]int{}
		for k, g := range p.running {
			groups[g]++
			repos[k.Repository]++
		}
		rank := func(k Key) string {
			return fmt.Sprintf("%3d %3d %s %s %s", groups[p.group[k]], repos[k.Repository], p.due[k].Format(time.RFC3339), k.Repository, k.Unit)
		}
		var best Key
		for k, at := range p.due {
			if _, runs := p.running[k]; runs || at.After(now) || full(p.limits.Groups, groups, p.group[k]) || full(p.limits.Repositories, repos, k.Repository) {
				continue
			}
			if best == (Key{}) || rank(k) < rank(best) {
				best = k
			}
		}
		if best == (Key{}) {
			break
		}
		delete(p.due, best)
		p.running[best] = p.group[best]
		begin = append(begin, best.Unit)
	}
	return begin
}
