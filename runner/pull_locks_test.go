package runner

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/locks"
)

// queueModel is what pull requests and runs do with locks, at random, beside what may
// be said of it at any moment.
type queueModel struct {
	t     *testing.T
	rand  *rand.Rand
	db    *bbolt.DB
	now   time.Time
	next  int
	runs  map[string]string   // by run: the unit that it holds
	wants map[string][]string // by live pull request: its units
}

const queueUnits = 7

func (q *queueModel) update(f func(tx *bbolt.Tx) error) {
	q.t.Helper()
	if err := q.db.Update(f); err != nil {
		q.t.Fatal(err)
	}
}

func queueKey(unit string) locks.Key { return locks.Key{Kind: "workspace", Dir: unit} }

func (q *queueModel) someUnits() []string {
	var units []string
	for i := range queueUnits {
		if q.rand.IntN(3) == 0 {
			units = append(units, fmt.Sprintf("u%d", i))
		}
	}
	if len(units) == 0 {
		units = append(units, fmt.Sprintf("u%d", q.rand.IntN(queueUnits)))
	}
	return units
}

// live are the pull requests in the order of their numbers.
func (q *queueModel) live() (all []*pull) {
	q.t.Helper()
	err := q.db.View(func(tx *bbolt.Tx) (err error) {
		all, err = pulls(tx, "infra")
		return err
	})
	if err != nil {
		q.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p *pull) bool { return p.Ended })
}

func (q *queueModel) held() map[string]string {
	q.t.Helper()
	held := map[string]string{}
	err := q.db.View(func(tx *bbolt.Tx) error {
		all, err := locks.List(tx)
		for _, l := range all {
			held[l.Unit] = l.Run
		}
		return err
	})
	if err != nil {
		q.t.Fatal(err)
	}
	return held
}

// look is what a look does for one pull request.
func (q *queueModel) look(id string) {
	q.t.Helper()
	before, was := q.held(), q.live()
	q.update(func(tx *bbolt.Tx) error {
		p, err := getPull(tx, "infra", id)
		if err != nil {
			return err
		}
		if p.Stop != "" {
			return nil
		}
		var wants []want
		for _, u := range q.wants[id] {
			wants = append(wants, want{u, queueKey(u)})
		}
		if _, err := claim(tx, p, wants, q.now); err != nil {
			return err
		}
		return putPull(tx, p)
	})
	after := q.held()
	// First come, first served: what it got nobody further ahead stood in line for.
	mine := was[slices.IndexFunc(was, func(p *pull) bool { return p.ID == id })]
	blocked := false
	for _, u := range q.wants[id] {
		blocked = blocked || before[u] != "" && before[u] != id
		for _, p := range was {
			ahead := p.ID != id && p.Queued != 0 && (mine.Queued == 0 || p.Queued < mine.Queued) && slices.Contains(p.Wants, u) && before[u] != id
			blocked = blocked || ahead
			if ahead && after[u] == id {
				q.t.Fatalf("%s got %s before %s, which came first", id, u, p.ID)
			}
		}
	}
	// Nobody waits who need not.
	if got := after[q.wants[id][0]] == id && !q.waits(id); got == blocked && mine.Stop == "" {
		q.t.Fatalf("%s is planned: %t, and something is in its way: %t", id, got, blocked)
	}
}

func (q *queueModel) waits(id string) bool {
	i := slices.IndexFunc(q.live(), func(p *pull) bool { return p.ID == id })
	return q.live()[i].Queued != 0
}

// check is what holds at any moment.
func (q *queueModel) check() {
	q.t.Helper()
	held, live := q.held(), q.live()
	byID := map[string]*pull{}
	for _, p := range live {
		byID[p.ID] = p
		n := 0
		for _, u := range q.wants[p.ID] {
			if held[u] == p.ID {
				n++
			}
		}
		switch {
		case len(p.Trees) > 0: // it keeps what it has applied
		case n != 0 && n != len(q.wants[p.ID]):
			q.t.Fatalf("%s has %d of its %d locks", p.ID, n, len(q.wants[p.ID]))
		case n != 0 && p.Queued != 0:
			q.t.Fatalf("%s has its locks, and stands in the queue", p.ID)
		}
		if (p.Queued == 0) != (len(p.Waits) == 0) || (p.Queued == 0) != (len(p.Wants) == 0) {
			q.t.Fatalf("%s is queued %d, waits for %v and wants %v", p.ID, p.Queued, p.Waits, p.Wants)
		}
	}
	for u, by := range held {
		switch p := byID[by]; {
		case p == nil && q.runs[by] != u:
			q.t.Fatalf("%s is locked by %s, which is not there", u, by)
		case p != nil && !slices.Contains(q.wants[by], u):
			q.t.Fatalf("%s is locked by %s, which does not want it", u, by)
		}
	}
	// Nobody waits, through others, for itself: who waits and has locks is a holder.
	for _, p := range live {
		seen := map[string]bool{}
		line := []string{p.ID}
		for len(line) > 0 {
			at := byID[line[0]]
			line = line[1:]
			if at == nil || at.Queued == 0 {
				continue
			}
			for _, u := range at.Wants {
				by := held[u]
				if by == "" || by == at.ID || seen[by] {
					continue
				}
				if by == p.ID {
					q.t.Fatalf("%s waits for itself", p.ID)
				}
				seen[by] = true
				line = append(line, by)
			}
		}
	}
}

// Who wants locks gets them in the order of coming, all or none, and whatever happens
// everybody's turn comes once those ahead have ended.
func TestPullRequestsQueueForLocksInOrder(t *testing.T) {
	t.Parallel()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "queue.db"), 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const seed = 20261126
	q := &queueModel{t: t, rand: rand.New(rand.NewPCG(seed, seed)), db: db, now: time.Unix(0, 0), runs: map[string]string{}, wants: map[string][]string{}}
	q.update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(pullsBucket); return err })
	steps := 10_000
	if testing.Short() {
		steps = 1_000
	}
	for range steps {
		q.step()
		q.check()
	}
	// Those who have locks end; then all the others have been planned, in a bounded number of rounds.
	for round := 0; len(q.live()) > 0; round++ {
		if round > steps {
			t.Fatal("somebody waits for ever")
		}
		for run := range q.runs {
			q.end(run)
		}
		planned := false
		for _, p := range q.live() {
			q.change(p.ID, func(_ *bbolt.Tx, p *pull) { p.Stop = "" })
			q.look(p.ID)
			if !q.waits(p.ID) {
				planned = true
				q.close(p.ID)
			}
			q.check()
		}
		if !planned {
			t.Fatalf("nobody's turn comes: %d wait", len(q.live()))
		}
	}
	if held := q.held(); len(held) != 0 {
		t.Fatalf("left behind: %v", held)
	}
}

func (q *queueModel) step() {
	q.t.Helper()
	live := q.live()
	some := func() *pull { return live[q.rand.IntN(len(live))] }
	switch n := q.rand.IntN(20); {
	case n < 3 && len(live) < 8 || len(live) == 0: // opened
		q.next++
		p := &pull{Repository: "infra", ID: pullID(q.next), Seen: forge.PullRequest{Title: "t"}}
		q.wants[p.ID] = q.someUnits()
		q.update(func(tx *bbolt.Tx) error { return putPull(tx, p) })
		q.look(p.ID)
	case n < 11: // looked at, in any order
		q.look(some().ID)
	case n < 13: // merged or closed
		q.close(some().ID)
	case n < 14: // unlocked by a person
		q.change(some().ID, func(tx *bbolt.Tx, p *pull) {
			p.leaveQueue()
			p.Stop, p.Trees = "x", nil
			if err := releasePull(tx, p); err != nil {
				q.t.Fatal(err)
			}
		})
	case n < 15: // asked to be planned again
		q.change(some().ID, func(_ *bbolt.Tx, p *pull) { p.Stop = "" })
	case n < 16: // pushed to: it wants something else, and what it has applied too
		p := some()
		units := q.someUnits()
		held := q.held()
		for _, u := range q.wants[p.ID] {
			if held[u] == p.ID && !slices.Contains(units, u) {
				units = append(units, u)
			}
		}
		if len(p.Trees) == 0 {
			units = q.someUnits()
		}
		q.wants[p.ID] = units
		q.change(p.ID, func(_ *bbolt.Tx, p *pull) { p.Stop = "" })
		q.look(p.ID)
	case n < 17: // applied in part or whole
		p := some()
		if q.held()[q.wants[p.ID][0]] == p.ID && p.Queued == 0 {
			q.change(p.ID, func(_ *bbolt.Tx, p *pull) { p.Trees = []string{"tree"} })
		}
	case n < 18: // a pass of the branch locks a unit while it plans it
		u := q.someUnits()[0]
		if q.held()[u] == "" {
			q.next++
			run := fmt.Sprintf("r%d", q.next)
			q.runs[run] = u
			q.update(func(tx *bbolt.Tx) error {
				return locks.Acquire(tx, queueKey(u), locks.Holder{Unit: u, Repository: "infra", Run: run, Since: q.now})
			})
		}
	case n < 19:
		for run := range q.runs {
			q.end(run)
			break
		}
	default: // a draft, a conflict: there will be no plan for now
		q.change(some().ID, func(tx *bbolt.Tx, p *pull) {
			p.Stop = "x"
			if err := yield(tx, p); err != nil {
				q.t.Fatal(err)
			}
		})
	}
}

func (q *queueModel) change(id string, f func(tx *bbolt.Tx, p *pull)) {
	q.t.Helper()
	q.update(func(tx *bbolt.Tx) error {
		p, err := getPull(tx, "infra", id)
		if err != nil {
			return err
		}
		f(tx, p)
		return putPull(tx, p)
	})
}

func (q *queueModel) close(id string) {
	q.t.Helper()
	q.change(id, func(tx *bbolt.Tx, p *pull) {
		p.Ended = true
		p.leaveQueue()
		if err := releasePull(tx, p); err != nil {
			q.t.Fatal(err)
		}
	})
	q.update(func(tx *bbolt.Tx) error { return tx.Bucket(pullsBucket).Delete(unitKey("infra", id)) })
	delete(q.wants, id)
}

func (q *queueModel) end(run string) {
	q.t.Helper()
	q.update(func(tx *bbolt.Tx) error { return locks.Release(tx, queueKey(q.runs[run]), run) })
	delete(q.runs, run)
}
