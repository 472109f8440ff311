package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/workspace"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// pass is one look at one repository: what the branch points at now, what that
// means for the units, and the runs that follow from it.
type pass struct {
	r     *Runner
	repo  *repository
	mode  mode
	head  string
	name  string // of the branch
	moved bool
	last  repositoryMemory
	known map[string]*memory
	graph *workspace.Graph
	made  []string        // runs made or taken further
	done  map[string]bool // units that this pass took further already
	back  map[string]bool // units that one had when this head was taken, and has no more
	lent  map[string]bool // units that a pull request has applied and keeps until it is merged or closed

	hits map[string]map[string]bool // by parent and commit: the units that differ
}

// take looks at the repository once. A poll that finds nothing new costs one
// request and writes nothing. It returns the ids of the runs that it made or
// took further, also when it fails.
func (r *Runner) take(ctx context.Context, repo *repository, m mode) ([]string, error) {
	repo.pass.Lock()
	defer repo.pass.Unlock()

	if err := r.confine(ctx); err != nil {
		return nil, err
	}
	followed, err := r.follow(ctx, repo.cfg.Name)
	if err != nil || ctx.Err() != nil {
		return followed, err
	}
	head, err := repo.mirror.Poll(ctx)
	if errors.Is(err, mirror.ErrEmpty) {
		// Nothing is wrong with a repository that waits for its first commit.
		if repo.note(r.opts.Now(), nil) {
			r.opts.Log.Info("the repository has no commit yet", "repository", repo.cfg.Name)
		}
		return followed, nil
	}
	repo.note(r.opts.Now(), err)
	if err != nil {
		return followed, fmt.Errorf("repository %s: %w", repo.cfg.Name, err)
	}
	if undone := repo.undone.Swap(false); (undone || len(followed) > 0) && m == polled {
		m = retried // what waited for what was followed, or was undone, can be taken now
	}
	p := &pass{r: r, repo: repo, mode: m, head: head.Commit, name: head.Branch, made: followed, done: map[string]bool{}}
	var decided, back bool
	err = r.journal.view(func(tx *bbolt.Tx) error {
		if p.last, err = getRepository(tx, repo.cfg.Name); err != nil {
			return err
		}
		if back, err = r.cameBack(tx, repo, p.last.Lent); err != nil {
			return err
		}
		decided, err = hasDecisions(tx, repo.cfg.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.moved = p.head != p.last.Head
	if !p.moved && m == polled && !decided && !back {
		return nil, nil
	}
	err = p.run(ctx)
	if err != nil && m == retried {
		repo.undone.Store(true) // what was to be tried again still is
	}
	if len(p.made) > 0 && repo.cfg.Apply == BeforeMerge {
		repo.reviews.hint() // whoever waited for a lock of it
	}
	// What a first fetch and a large graph took is not needed while nothing happens.
	repo.mirror.DropCaches()
	debug.FreeOSMemory()
	return p.made, err
}

// sayNotes logs what the mirror has to say of itself; it says each thing once.
func (r *Runner) sayNotes(repo *repository) {
	for _, n := range repo.mirror.Notes() {
		r.opts.Log.Warn(joined(n.File, n.Message), "repository", repo.cfg.Name)
	}
}

func (p *pass) run(ctx context.Context) error {
	if err := p.repo.mirror.Fetch(ctx, p.head); err != nil {
		return fmt.Errorf("repository %s: %w", p.repo.cfg.Name, err)
	}
	p.r.sayNotes(p.repo)
	began := p.r.opts.Now()
	graph, err := p.repo.graphAt(ctx, p.head)
	if err != nil {
		return p.broken(err)
	}
	p.r.counters.scan.WithLabelValues(p.repo.cfg.Name).Set(p.r.opts.Now().Sub(began).Seconds())
	if err := p.r.clusters.cover(graph); err != nil {
		return p.broken(err)
	}
	p.graph = graph
	if p.last.Broken != "" {
		p.moved = true // nothing of this head was taken yet: it counts as new
	}
	if err := p.remember(); err != nil {
		return err
	}
	allowed, err := p.settleWhole()
	if err != nil {
		return err
	}
	if p.last.HeldRun != "" && !p.moved {
		return nil // the head is held as a whole, or was discarded: nothing of it is taken
	}
	gone, err := p.departures(ctx, allowed)
	if err != nil {
		return err
	}
	if gone.whole && !allowed {
		return p.holdWhole(gone)
	}
	if err := p.carryOut(ctx); err != nil {
		return err
	}
	return p.reconcile(ctx, gone)
}

// remember loads what is known of the repository's units.
func (p *pass) remember() error {
	return p.r.journal.view(func(tx *bbolt.Tx) (err error) {
		if p.known, err = memories(tx, p.repo.cfg.Name); err == nil {
			p.lent, err = p.r.lent(tx, p.repo, p.known)
		}
		p.back = map[string]bool{}
		for _, id := range p.last.Lent {
			if !p.lent[id] {
				p.back[id] = true
			}
		}
		return err
	})
}

// reconcile makes the run of the head, where there is something to do, and
// records that the head has been taken.
func (p *pass) reconcile(ctx context.Context, gone departures) error {
	ids := choose(p.graph, p.settled(), p.mode, p.moved, p.back, p.repo.cfg.Apply.applies(), p.changedSince(ctx))
	ids = slices.DeleteFunc(ids, func(id string) bool { return p.done[id] || p.lent[id] })
	release, err := p.preflight(ctx, ids)
	defer release()
	if err != nil {
		return p.broken(err)
	}
	removals := gone.toPlan(p.known, p.mode, p.moved)
	if len(ids) > 0 || len(removals) > 0 {
		if err := p.newRun(ctx, ids, removals, gone); err != nil {
			return err
		}
	} else if len(gone.notes) > 0 {
		for _, n := range gone.notes {
			p.r.opts.Log.Warn(n, "repository", p.repo.cfg.Name, "commit", short(p.head))
		}
	}
	if ctx.Err() != nil {
		return nil // what was not begun is taken by the next pass
	}
	return p.finish()
}

// settled is what is known, with the units that a pull request has applied standing as
// the branch has them: the branch has no news of those.
func (p *pass) settled() map[string]*memory {
	if len(p.lent) == 0 {
		return p.known
	}
	known := maps.Clone(p.known)
	for id := range p.lent {
		if m := known[id]; m != nil {
			stands := *m
			stands.Converged, stands.Base, stands.Taken = p.head, "", nil
			known[id] = &stands
		}
	}
	return known
}

// finish records that the head was taken whole.
func (p *pass) finish() error {
	if !p.moved && len(p.back) == 0 && p.last.HeldRun == "" && p.last.Broken == "" {
		return nil
	}
	here, err := p.mergedHere()
	if err != nil {
		return err
	}
	lent := p.last.Lent
	if p.moved {
		lent = slices.Sorted(maps.Keys(p.lent))
	}
	p.last = repositoryMemory{Head: p.head, Lent: slices.DeleteFunc(slices.Clone(lent), func(id string) bool { return !p.lent[id] })}
	return p.r.journal.update(func(tx *bbolt.Tx) error {
		return errors.Join(putRepository(tx, p.repo.cfg.Name, p.last), p.dropTaken(tx, here))
	})
}

// broken records a commit whose configuration cannot be read: a failed run
// without units, once a commit.
func (p *pass) broken(cause error) error {
	var config *workspace.ConfigError
	if !errors.As(cause, &config) && !errors.Is(cause, errNoCluster) && !errors.Is(cause, errRefused) {
		return cause
	}
	if config != nil {
		cause = errors.New(printed(config))
	}
	if p.last.Broken != "" && !p.moved {
		p.made = append(p.made, p.last.Broken)
		return nil
	}
	run := p.header()
	run.Status, run.Error = Failed, cause.Error()
	now := p.r.opts.Now()
	run.Finished = &now
	err := p.r.journal.update(func(tx *bbolt.Tx) error {
		if err := createRun(tx, run); err != nil {
			return err
		}
		return putRepository(tx, p.repo.cfg.Name, repositoryMemory{Head: p.head, Broken: run.ID, Before: p.before()})
	})
	if err != nil {
		return err
	}
	p.made = append(p.made, run.ID)
	p.r.emit(Event{Repository: run.Repository, Run: run.ID, Phase: PhaseEnd, Status: Failed, Text: run.Error})
	return nil
}

// printed is a configuration's mistakes with file, line and snippet.
func printed(config *workspace.ConfigError) string {
	var all strings.Builder
	if err := config.Print(&all, 100, false); err != nil {
		return config.Error()
	}
	return strings.TrimSpace(all.String())
}

// header is a run of the head with nothing in it yet.
func (p *pass) header() *Run {
	run := &Run{Repository: p.repo.cfg.Name, Commit: p.head, Trigger: OnCommit, Status: Running, Started: p.r.opts.Now(), Units: []UnitResult{}}
	if p.mode == asked && !p.moved {
		run.Trigger = Manual
	}
	if c, err := p.repo.mirror.Commit(p.head); err == nil {
		run.Subject, run.Author = c.Subject, c.Author
	}
	return run
}

// changedSince answers which units are affected directly by what differs between
// what they were read from and the head.
func (p *pass) changedSince(ctx context.Context) func(reading) map[string]bool {
	return p.repo.changedSince(ctx, p.graph, p.head)
}

// newRun makes the run, lets it take the place of what waited for its units, and
// takes its units.
func (p *pass) newRun(ctx context.Context, ids []string, removals []removal, gone departures) error {
	run := p.header()
	run.Notes = append(run.Notes, gone.notes...)
	run.Notes = append(run.Notes, warnings(p.graph)...)
	if p.last.Head != "" && p.moved {
		if linear, err := p.repo.mirror.IsAncestor(p.last.Head, p.head); err == nil && !linear {
			run.Notes = append(run.Notes, fmt.Sprintf("the branch was force-pushed: %s is not an ancestor of %s", short(p.last.Head), short(p.head)))
		}
	}
	from, err := p.originOf(ctx, ids, removals)
	if err != nil {
		return err
	}
	tasks := map[string]task{}
	for _, id := range ids {
		u := p.graph.Unit(id)
		run.Units = append(run.Units, UnitResult{ID: id, Kind: Kind(u.Kind), Status: Queued})
		t := task{unit: u}
		if m := p.known[id]; m != nil && m.Taken != nil && m.Taken.Heals && m.Converged != "" && !p.moved {
			t.heals = true
			run.Notes = withNotes(run.Notes, fmt.Sprintf("heals the drift of %s that %s found", id, m.Taken.Run))
		}
		tasks[id] = from.lend(t)
	}
	for _, rm := range removals {
		run.Units = append(run.Units, UnitResult{ID: rm.unit.ID, Kind: Kind(rm.unit.Kind), Status: Queued, Removal: true})
		tasks[rm.unit.ID] = from.lend(task{unit: rm.unit, removal: true, from: rm.from, after: rm.after})
	}
	x := &execution{r: p.r, repo: p.repo, run: run, graph: p.graph, tasks: tasks, known: p.known, applies: p.repo.cfg.Apply.applies()}
	for _, id := range ids {
		if m := x.memory(id); m.Converged == "" && m.Taken == nil {
			m.Met = p.last.Head
		}
	}
	err = p.r.journal.update(func(tx *bbolt.Tx) error {
		if err := createRun(tx, run); err != nil {
			return err
		}
		waiting := make([]*memory, 0, len(tasks))
		for id, t := range tasks {
			if err := x.refresh(tx, t); err != nil {
				return err
			}
			waiting = append(waiting, p.known[id])
		}
		if err := p.r.supersede(tx, waiting, run.ID); err != nil {
			return err
		}
		return x.adopt(tx, from, p.repo.reviews)
	})
	if err != nil {
		return err
	}
	p.made = append(p.made, run.ID)
	return x.execute(ctx)
}

// mostWarnings is how many warnings of the graph a run carries: a repository of a
// thousand root modules may have as many.
const mostWarnings = 20

func warnings(g *workspace.Graph) []string {
	var notes []string
	for _, w := range g.Warnings[:min(len(g.Warnings), mostWarnings)] {
		notes = append(notes, w.String())
	}
	if more := len(g.Warnings) - mostWarnings; more > 0 {
		notes = append(notes, fmt.Sprintf("and %s more: `mooring graph` lists them all", count(more, "warning")))
	}
	return notes
}

func short(commit string) string { return commit[:min(7, len(commit))] }
