package runner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// timetable is when units are scanned by their schedules. One goroutine uses it.
type timetable struct {
	r     *Runner
	queue *drift.Queue
	in    map[drift.Key]bool // units that the queue has
	said  map[string]string  // by repository: why its units could not be read the last time
	ended chan drift.Key
	wg    sync.WaitGroup
}

// longestNap is how long the schedule sleeps at the most: clocks jump, and a laptop that slept is late.
const longestNap = time.Minute

// scanBySchedule begins scans when they are due, until ctx ends, and waits for those under way. A scan begins only while
// slots of plans and applies are free, and never takes one.
func (r *Runner) scanBySchedule(ctx context.Context) {
	limits := drift.Limits{All: r.opts.Drift.Parallel, Groups: map[string]int{}, Repositories: map[string]int{}}
	for _, g := range r.opts.Credentials {
		limits.Groups[g.Name] = g.Parallel
	}
	for _, repo := range r.repos {
		if n := repo.cfg.Drift.Parallel; n > 0 {
			limits.Repositories[repo.cfg.Name] = n
		}
	}
	t := &timetable{r: r, queue: drift.NewQueue(limits), in: map[drift.Key]bool{}, said: map[string]string{}, ended: make(chan drift.Key)}
	for ctx.Err() == nil {
		t.fill(ctx)
		r.scanTurn.Store(r.opts.Now().UnixNano())
		for _, k := range t.queue.Start(r.opts.Now(), cap(r.slots)-len(r.slots)) {
			t.wg.Go(func() {
				r.scanOne(ctx, k)
				t.ended <- k
			})
		}
		t.sleep(ctx)
	}
	go func() {
		t.wg.Wait()
		close(t.ended)
	}()
	for range t.ended { // so that each can say that it did
	}
}

// sleep waits until a scan ended, a unit is due, or something happened that the schedule depends on.
func (t *timetable) sleep(ctx context.Context) {
	nap := longestNap
	if next := t.queue.Wake(); !next.IsZero() {
		nap = min(nap, next.Sub(t.r.opts.Now()))
	}
	if t.queue.Waiting() > 0 {
		nap = min(nap, time.Second) // a slot of the plans may be free again
	}
	timer := time.NewTimer(max(nap, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case k := <-t.ended:
		t.queue.Done(k)
	case <-t.r.scanWake:
	case <-timer.C:
	}
}

// fill says of every unit when it is due. The units of a repository that cannot be read stay as they were: no other's scans
// wait for it.
func (t *timetable) fill(ctx context.Context) {
	now := t.r.opts.Now()
	here := map[drift.Key]bool{}
	for _, repo := range t.r.repos {
		name := repo.cfg.Name
		graph, scans, err := t.r.scanned(ctx, repo)
		if t.say(ctx, name, err); err != nil {
			for k := range t.in {
				here[k] = here[k] || k.Repository == name
			}
			continue
		}
		if graph == nil {
			continue
		}
		for _, u := range graph.Units {
			k := drift.Key{Repository: name, Unit: u.ID}
			due := scheduleOf(u, repo.cfg.Drift).Next(k.String(), scans[u.ID].history(), now)
			if due.IsZero() {
				continue
			}
			here[k] = true
			t.queue.Set(k, due, t.r.opts.CredentialsOf(name, u.ID), 0)
		}
	}
	for k := range t.in {
		if !here[k] {
			t.queue.Remove(k)
		}
	}
	maps.DeleteFunc(here, func(_ drift.Key, is bool) bool { return !is })
	t.in = here
}

// say logs that a repository's units cannot be read, once until that is another matter.
func (t *timetable) say(ctx context.Context, repository string, err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	if ctx.Err() != nil || t.said[repository] == said {
		return
	}
	t.said[repository] = said
	if err != nil {
		t.r.opts.Log.Error("the units to scan for drift cannot be read; trying again", "repository", repository, "error", err)
	}
}

// scanned is the graph that a repository's units are scanned by, nil where nothing was taken yet, and what is known of
// their scans. A unit that is new is known from now on.
func (r *Runner) scanned(ctx context.Context, repo *repository) (*workspace.Graph, map[string]scanMemory, error) {
	name := repo.cfg.Name
	var last repositoryMemory
	scans := map[string]scanMemory{}
	err := r.journal.view(func(tx *bbolt.Tx) (err error) {
		if last, err = getRepository(tx, name); err != nil {
			return err
		}
		scans, err = scansOf(tx, name)
		return err
	})
	head := cmp.Or(last.Before, last.Head)
	if err != nil || head == "" {
		return nil, nil, err
	}
	graph, err := repo.graphAt(ctx, head)
	if err != nil {
		return nil, nil, fmt.Errorf("repository %s: %w", name, err)
	}
	var fresh []string
	for _, u := range graph.Units {
		if scans[u.ID].Known.IsZero() && scheduled(u, repo.cfg.Drift) {
			fresh = append(fresh, u.ID)
		}
	}
	if len(fresh) == 0 {
		return graph, scans, nil
	}
	return graph, scans, r.journal.update(func(tx *bbolt.Tx) error {
		for _, id := range fresh {
			m, err := getScan(tx, name, id)
			if err != nil {
				return err
			}
			m.Known = r.opts.Now()
			if err := putScan(tx, name, id, m); err != nil {
				return err
			}
			scans[id] = m
		}
		return nil
	})
}

// scheduleOf is when a unit is scanned: as the repository says, else as often as the operator does.
func scheduleOf(u *workspace.Unit, server DriftConfig) drift.Schedule {
	d := u.Drift
	if d.Disabled {
		return drift.Schedule{}
	}
	s := drift.Schedule{Every: d.Every, Cron: d.Cron, Zone: d.Timezone, Windows: d.Windows, Backoff: d.Backoff, AfterApply: d.AfterApply}
	if d.Every == 0 && d.Cron.IsZero() {
		s.Every = server.Every
	}
	return s
}

func scheduled(u *workspace.Unit, server DriftConfig) bool {
	s := scheduleOf(u, server)
	return s.Every > 0 || !s.Cron.IsZero()
}

func (m scanMemory) history() drift.History {
	h := drift.History{Known: m.Known, Last: m.Tried, Clean: m.Clean, Failures: m.Failures, Skipped: m.Skipped}
	if m.Applied != nil {
		h.LastApply = *m.Applied
	}
	return h
}

// scanOne scans one unit because it is due.
func (r *Runner) scanOne(ctx context.Context, k drift.Key) {
	repo, err := r.repository(k.Repository)
	if err == nil {
		var x *scanRun
		if x, err = r.newScan(ctx, repo, []string{k.Unit}); err == nil {
			x.schedule = true
			err = x.execute(ctx)
		}
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	r.opts.Log.Error("a scheduled drift scan cannot begin", "repository", k.Repository, "unit", k.Unit, "error", err)
	err = r.journal.update(func(tx *bbolt.Tx) error {
		m, failed := getScan(tx, k.Repository, k.Unit)
		if failed != nil {
			return failed
		}
		m.Tried, m.Failures, m.Error = r.opts.Now(), m.Failures+1, err.Error()
		return putScan(tx, k.Repository, k.Unit, m)
	})
	if err != nil {
		r.opts.Log.Error("what became of a drift scan cannot be written down", "error", err)
	}
}

// reschedule has the schedule looked at again: a head was taken, or something was applied.
func (r *Runner) reschedule() {
	select {
	case r.scanWake <- struct{}{}:
	default: // one is enough
	}
}
