package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
)

// Errors of a scan that a person asked for.
var (
	ErrNoUnit       = errors.New("no such unit")
	ErrNothingTaken = errors.New("nothing of the repository was taken yet")
)

// ScanOptions selects what a drift scan looks at.
type ScanOptions struct {
	Repository string   // "" is every repository
	Units      []string // none is all
}

// Scan looks for drift now and returns its runs, one a repository. It reads no remote: what a unit is compared with is the
// commit that was converged last. Runs are returned also where it fails.
func (r *Runner) Scan(ctx context.Context, o ScanOptions) ([]Run, error) {
	if err := r.confine(ctx); err != nil {
		return nil, err
	}
	var all []*scanRun
	found := map[string]bool{}
	if o.Repository != "" {
		if _, err := r.repository(o.Repository); err != nil {
			return nil, err
		}
	}
	for _, repo := range r.repos {
		if o.Repository != "" && repo.cfg.Name != o.Repository {
			continue
		}
		x, err := r.newScan(ctx, repo, o.Units)
		if errors.Is(err, ErrNothingTaken) && o.Repository == "" && len(r.repos) > 1 {
			r.opts.Log.Warn("not scanned: " + err.Error())
			continue
		}
		if err != nil {
			return nil, err
		}
		for id := range x.tasks {
			found[id] = true
		}
		if len(x.tasks) > 0 {
			all = append(all, x)
		}
	}
	for _, id := range o.Units {
		if !found[id] {
			return nil, fmt.Errorf("scan %s: %w: `mooring graph` lists them", id, ErrNoUnit)
		}
	}
	runs := []Run{}
	var failed error
	for _, x := range all {
		failed = errors.Join(failed, x.execute(ctx))
		runs = append(runs, *x.run)
	}
	return runs, errors.Join(failed, r.remedyNow(ctx), r.tellNow(ctx))
}

// scanRun looks at units without touching them. What is known of the units is read and not written.
type scanRun struct {
	*execution
	stands   map[string]standpoint               // by unit
	changed  func(since reading) map[string]bool // units, by what differs from the head; asked while the scan is prepared
	schedule bool                                // nobody asked for it: where it finds nothing new, it leaves no run behind
	news     bool                                // it found something that people are told, or could not look; guarded by mu
}

// standpoint is what a unit is compared with.
type standpoint struct {
	commit     string
	undeployed bool // it is not what was converged last: differences may be the commit's
}

// newScan prepares a scan of a repository's units; without names of all.
func (r *Runner) newScan(ctx context.Context, repo *repository, units []string) (*scanRun, error) {
	var last repositoryMemory
	var known map[string]*memory
	err := r.journal.view(func(tx *bbolt.Tx) (err error) {
		if last, err = getRepository(tx, repo.cfg.Name); err != nil {
			return err
		}
		known, err = memories(tx, repo.cfg.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	head := cmp.Or(last.Before, last.Head)
	if head == "" {
		return nil, fmt.Errorf("repository %s: %w: `mooring sync` takes it", repo.cfg.Name, ErrNothingTaken)
	}
	graph, err := repo.graphAt(ctx, head)
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", repo.cfg.Name, err)
	}
	if err := r.clusters.cover(graph); err != nil {
		return nil, fmt.Errorf("repository %s: %w", repo.cfg.Name, err)
	}
	run := &Run{Repository: repo.cfg.Name, Commit: head, Trigger: OnDrift, Status: Running, Started: r.opts.Now(), Units: []UnitResult{}}
	x := &scanRun{
		execution: &execution{r: r, repo: repo, run: run, graph: graph, tasks: map[string]task{}, known: known},
		stands:    map[string]standpoint{},
		changed:   repo.changedSince(ctx, graph, head),
	}
	graphs := map[reading]*workspace.Graph{{files: head}: graph}
	for _, id := range graph.Order() {
		if len(units) > 0 && !slices.Contains(units, id) {
			continue
		}
		u, at, err := x.standpoint(ctx, graphs, head, id)
		if err != nil {
			return nil, err
		}
		x.tasks[id], x.stands[id] = task{unit: u}, at
		run.Units = append(run.Units, UnitResult{ID: id, Kind: Kind(u.Kind), Status: Queued})
	}
	run.Subject = "drift scan of " + count(len(run.Units), "unit")
	return x, nil
}

// standpoint finds the commit that a unit was converged at, and the unit as it is there. Where nothing of the unit differs
// from it, that is as good as the head; it differs also where the unit is ahead: while a commit is taken, the head is the last
// to move. Where there is no such commit, or it is not to be had any more, that is the head: what differs may then be
// undeployed, unless the unit stands. What the repository says of drift is always the head's.
func (x *scanRun) standpoint(ctx context.Context, graphs map[reading]*workspace.Graph, head, id string) (*workspace.Unit, standpoint, error) {
	m, now := x.known[id], x.graph.Unit(id)
	if m == nil || m.Converged == "" {
		return now, standpoint{head, true}, nil
	}
	if m.stands() && !x.changed(m.reading())[id] {
		return now, standpoint{head, false}, nil
	}
	g := graphs[m.reading()]
	if g == nil {
		if err := x.repo.mirror.Fetch(ctx, m.Converged); err != nil {
			return now, standpoint{head, !m.stands()}, ctx.Err()
		}
		var err error
		if g, err = x.repo.scan(ctx, m.reading()); err != nil {
			return now, standpoint{head, !m.stands()}, ctx.Err()
		}
		graphs[m.reading()] = g
	}
	if u := g.Unit(id); u != nil && u.Err == nil {
		then := *u
		then.Drift = now.Drift
		return &then, standpoint{m.Converged, false}, nil
	}
	return now, standpoint{head, true}, nil
}

// execute looks at every unit, and records the run.
func (x *scanRun) execute(ctx context.Context) error {
	began := x.r.opts.Now()
	if err := x.r.journal.update(func(tx *bbolt.Tx) error { return createRun(tx, x.run) }); err != nil {
		return err
	}
	ctx, done := x.r.cancellable(ctx, x.run.ID)
	defer done()
	defer x.checkouts.release()
	if x.heard() {
		x.emit(Event{Phase: PhaseBegin, Text: x.run.Subject, Units: len(x.tasks)})
	}
	var failed error
	steps := make([]step, 0, len(x.tasks)) // none waits for another: each is compared with itself
	for _, id := range slices.Sorted(maps.Keys(x.tasks)) {
		steps = append(steps, step{id: id})
	}
	walk(ctx, steps, x.r.scanSlots, func(id string) Status {
		status, err := x.unit(ctx, id)
		if err != nil {
			x.mu.Lock()
			failed = errors.Join(failed, err)
			x.mu.Unlock()
			return Failed
		}
		return status
	})
	if failed != nil {
		return failed
	}
	return x.finish(ctx, seconds(x.r.opts.Now().Sub(began)))
}

// finish records how the scan ended.
func (x *scanRun) finish(ctx context.Context, took float64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	end := x.r.opts.Now()
	x.run.Finished, x.run.Seconds = &end, took
	x.run.Notes = append(x.run.Notes, x.checkouts.notes...)
	x.run.Cancelled = cancelledBy(ctx)
	err := x.r.journal.update(func(tx *bbolt.Tx) error {
		for i := range x.run.Units {
			if u := &x.run.Units[i]; u.Status == Queued || u.Status == Running {
				u.Status, u.Reason = Superseded, cmp.Or(x.run.Cancelled, "Mooring was stopped")+" before it was looked at"
				if err := putResult(tx, x.run.ID, *u); err != nil {
					return err
				}
			}
		}
		x.run.Settle()
		if !x.heard() {
			_, _, err := forgetRun(tx, x.run.ID, false)
			if err != nil {
				return err
			}
			key, err := runKey(x.run.ID)
			return errors.Join(err, tx.Bucket(openBucket).Delete(key))
		}
		return putRun(tx, x.run)
	})
	if err != nil {
		return err
	}
	if !x.heard() {
		x.r.dropLogs(x.run.ID)
		return nil
	}
	x.r.counters.run(x.run)
	x.emit(Event{Phase: PhaseEnd, Status: x.run.Status})
	return nil
}

// heard tells that people hear of the scan: they asked for it, or it brings news. The caller holds mu, once units are looked at.
func (x *scanRun) heard() bool { return !x.schedule || x.news }

func (x *scanRun) emit(e Event) {
	e.Repository, e.Run = x.run.Repository, x.run.ID
	x.r.emit(e)
}

// looked is what became of one unit.
type looked struct {
	UnitResult
	found    []drift.Finding
	whole    bool         // it was looked at to the end
	refused  string       // why rules do not let the plan pass; "" where they do, or where nobody wants to know
	partial  bool         // not everything could be looked at: what is not found may be there
	state    *stateMemory // from which on others have moved the state; nil leaves it as it is
	ahead    string       // a unit that has made something since, which this one reads and has not taken yet; "" is none
	unhealed string       // why no apply heals what was found, where one was asked for and people should know; else ""
}

// unit looks at one unit and records what was found. It fails only where the journal does.
func (x *scanRun) unit(ctx context.Context, id string) (Status, error) {
	t := x.tasks[id]
	started := x.r.opts.Now()
	if err := x.say(id, func(u *UnitResult) { u.Status, u.Started = Running, &started }); err != nil {
		return Failed, err
	}
	l, err := x.look(ctx, t)
	switch {
	case errors.Is(context.Cause(ctx), context.Canceled) || cancelledBy(ctx) != "":
		return Superseded, nil // finish says it
	case err != nil:
		l.Status, l.Error = Failed, err.Error()
	}
	l.Notes = append(l.Notes, x.about(id, &l)...)
	l.ID, l.Kind, l.Started, l.Seconds = id, Kind(t.unit.Kind), &started, seconds(x.r.opts.Now().Sub(started))
	if err := x.record(&l); err != nil {
		return Failed, err
	}
	x.r.counters.unit(&l.UnitResult)
	x.r.counters.drift.scanned(&l)
	x.mu.Lock()
	told := x.heard()
	x.mu.Unlock()
	if told {
		x.emit(Event{Unit: id, Phase: PhaseDone, Status: l.Status, Text: joined(l.Error, l.Reason), Add: l.Add, Change: l.Change, Destroy: l.Destroy})
	}
	return l.Status, nil
}

// about says with what a unit was compared, where that is not the commit of the branch.
func (x *scanRun) about(id string, l *looked) (notes []string) {
	at, m := x.stands[id], x.known[id]
	if at.commit != x.run.Commit {
		notes = append(notes, fmt.Sprintf("compared with %s, its last converged commit", short(at.commit)))
	}
	n := 0
	for _, f := range l.found {
		if f.Class == drift.Undeployed {
			n++
		}
	}
	if n == 0 {
		return notes
	}
	why := "it has never converged"
	switch {
	case m != nil && m.Taken != nil:
		why = saidOf(m.Taken.Status)
	case l.ahead != "":
		why = "it reads the state of " + l.ahead + ", which was applied since it converged"
	}
	return append(notes, fmt.Sprintf("%s of an undeployed commit (%s): no drift", count(n, "difference"), why))
}

// look compares one unit with the world, unless somebody holds it.
func (x *scanRun) look(ctx context.Context, t task) (looked, error) {
	if t.unit.Err != nil {
		return looked{}, t.unit.Err
	}
	key := x.r.lockKey(x.repo, t.unit)
	ctx, done, ok := x.r.lookers.look(ctx, key)
	if !ok {
		return blockedBy("another scan of it is under way"), nil
	}
	killed := false
	defer func() { done(killed) }()
	holder, locked, err := x.r.holder(key)
	if err != nil {
		return looked{}, err
	}
	if locked {
		return blockedBy(fmt.Sprintf("locked by %s (%s): it is tried again", holder.Run, holder.Reason)), nil
	}
	if moved, err := x.moved(t.unit.ID); err != nil || moved {
		return blockedBy("a run has worked on it since the scan began: it is tried again"), err
	}
	var l looked
	if Kind(t.unit.Kind) == KindManifests {
		l, err = x.objects(ctx, t)
	} else {
		l, err = x.resources(ctx, t)
	}
	if failed := (*terraform.CommandError)(nil); errors.As(err, &failed) {
		killed = failed.Killed
	}
	if errors.Is(context.Cause(ctx), errGaveWay) {
		return blockedBy(errGaveWay.Error()), nil
	}
	return l, err
}

// moved tells that a run has worked on a unit since the scan read what is known of it: what the unit is to be compared with
// may be another commit now. Asked once nobody holds the unit, that is the last word: who takes the lock ends the scan.
func (x *scanRun) moved(id string) (bool, error) {
	was, moved := x.recall(id), false
	err := x.r.journal.view(func(tx *bbolt.Tx) error {
		now, err := getMemory(tx, x.run.Repository, id)
		if err != nil {
			return err
		}
		moved = now.Converged != was.Converged || now.State != was.State || !reflect.DeepEqual(now.Taken, was.Taken)
		return nil
	})
	return moved, err
}

func blockedBy(why string) looked {
	return looked{UnitResult: UnitResult{Status: Skipped, Reason: why}}
}

// say changes the result of a unit and records it.
func (x *scanRun) say(id string, change func(*UnitResult)) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	u := x.run.Unit(id)
	change(u)
	return x.r.journal.update(func(tx *bbolt.Tx) error { return putResult(tx, x.run.ID, *u) })
}

// driftWords say in one line what was found.
func driftWords(found []drift.Record) string {
	var all []string
	for i, f := range found {
		if i == 3 {
			all = append(all, fmt.Sprintf("and %d more", len(found)-i))
			break
		}
		all = append(all, fmt.Sprintf("%s %s", f.Address, f.Change))
	}
	return strings.Join(all, ", ")
}
