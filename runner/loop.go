package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/locks"
)

// Serve is the pull loop: it looks at every repository at its pace until ctx
// ends, then lets running applies finish within the grace period.
func (r *Runner) Serve(ctx context.Context) error {
	if len(r.repos) == 0 {
		return errors.New("no repository is configured: add a repository block to the server's configuration")
	}
	r.clusters.watch()
	r.serving.Store(true)
	defer r.serving.Store(false)
	var wg sync.WaitGroup
	for _, repo := range r.repos {
		wg.Go(func() { r.watch(ctx, repo) })
		if v := repo.reviews; v != nil {
			wg.Go(func() { v.watch(ctx) })
			wg.Go(func() { v.postUntil(ctx) })
		}
		if d := repo.remedies; d != nil {
			wg.Go(func() { d.watch(ctx) })
		}
	}
	wg.Go(func() { r.scanBySchedule(ctx) })
	wg.Go(func() { r.watchItself(ctx) })
	if r.notifier != nil {
		wg.Go(func() { r.deliver(ctx) })
	}
	wg.Go(func() { r.collectDaily(ctx) })
	wg.Go(func() { terraform.ReapOrphans(ctx) })
	wg.Wait()
	return nil
}

// Backoff of a remote that cannot be reached, and of passes that failed in a way
// that may pass by itself.
const (
	firstPause = 5 * time.Second
	lastPause  = 10 * time.Minute
	firstRetry = time.Minute
	lastRetry  = time.Hour
)

// watch looks at one repository until ctx ends.
func (r *Runner) watch(ctx context.Context, repo *repository) {
	log := r.opts.Log.With("repository", repo.cfg.Name)
	trouble, failures := 0, 0
	var retryAt time.Time
	first := true // what was cut short by the last shutdown is taken again at once
	for {
		m := polled
		if first || failures > 0 && !r.opts.Now().Before(retryAt) {
			m = retried
		}
		first = false
		repo.turned.Store(r.opts.Now().UnixNano())
		made, err := r.take(ctx, repo, m)
		pause := jitter(repo.cfg.Poll)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if trouble++; trouble == 1 { // said once, until it is well again
				log.Error("the repository cannot be taken; trying again until it can", "error", err)
				r.emit(Event{Repository: repo.cfg.Name, Phase: PhasePoll, Text: err.Error()})
			}
			longest := lastPause
			if errors.Is(err, forge.ErrUnavailable) { // the branch is there, and people wait for what was merged
				longest = lastLook
			}
			pause = max(pause, backoff(firstPause, longest, trouble))
		case trouble > 0:
			log.Info("the repository can be taken again", "tries", trouble)
			r.emit(Event{Repository: repo.cfg.Name, Phase: PhasePoll, Text: "back again"})
			trouble = 0
		}
		if len(made) > 0 {
			r.reschedule()
		}
		if err == nil && (len(made) > 0 || m == retried) {
			if r.mayHeal(repo) {
				failures++
				retryAt = r.opts.Now().Add(backoff(firstRetry, lastRetry, failures))
			} else {
				failures = 0
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-repo.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// mayHeal tells whether a unit failed before it changed anything: such a failure
// (a registry, a cluster that is away) may pass by itself.
func (r *Runner) mayHeal(repo *repository) bool {
	heal := false
	err := r.journal.view(func(tx *bbolt.Tx) error {
		known, err := memories(tx, repo.cfg.Name)
		for _, m := range known {
			heal = heal || m.Taken != nil && m.Taken.Status == Failed && !m.Taken.Began
		}
		return err
	})
	return err == nil && heal
}

// backoff doubles from first to last and spreads the result over its upper half,
// so that a thousand servers do not come back at once.
func backoff(first, last time.Duration, tries int) time.Duration {
	d := first
	for i := 1; i < tries && d < last; i++ {
		d *= 2
	}
	d = min(d, last)
	return d/2 + rand.N(d/2+1)
}

// jitter spreads polls by a tenth.
func jitter(d time.Duration) time.Duration { return d - d/20 + rand.N(d/10+1) }

// wish asks the loop for a pass now.
func (repo *repository) wish() {
	select {
	case repo.wake <- struct{}{}:
	default: // one wish is enough
	}
}

// note remembers what a poll came to; first tells that none had an answer before. What went wrong is shown to whoever asks
// and told to people: a remote may answer with what it was asked with.
func (repo *repository) note(now time.Time, err error) (first bool) {
	repo.mu.Lock()
	defer repo.mu.Unlock()
	first = repo.polled.IsZero()
	repo.trouble = repo.hide.Error(err)
	if err == nil {
		repo.polled = now
	}
	return first
}

// SyncOptions selects what a sync takes.
type SyncOptions struct {
	Repository string // "" is every repository
}

// Sync makes one pass over every repository: failed units are planned again and
// approved ones carried out, whether the branch moved or not. It returns the
// runs that it made, took further or that still wait, also when it fails.
func (r *Runner) Sync(ctx context.Context, opts SyncOptions) ([]Run, error) {
	var failed error
	ids := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	found := false
	for _, repo := range r.repos {
		if opts.Repository != "" && repo.cfg.Name != opts.Repository {
			continue
		}
		found = true
		wg.Go(func() {
			made, err := r.take(ctx, repo, asked)
			if v := repo.reviews; v != nil && err == nil {
				var planned []string
				planned, err = v.once(ctx)
				made = append(made, planned...)
			}
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
			for _, id := range made {
				ids[id] = true
			}
		})
	}
	wg.Wait()
	if !found {
		_, err := r.repository(opts.Repository)
		return nil, err
	}
	runs := []Run{}
	err := r.journal.view(func(tx *bbolt.Tx) error {
		open, err := openRuns(tx)
		if err != nil {
			return err
		}
		for _, run := range open {
			// Runs of a repository that is no longer configured wait for nobody here.
			if _, err := r.repository(run.Repository); err == nil && (opts.Repository == "" || run.Repository == opts.Repository) {
				ids[run.ID] = true
			}
		}
		for id := range ids {
			run, err := getRun(tx, id)
			if errors.Is(err, ErrNoRun) {
				continue // ended, and collected at once
			}
			if err != nil {
				return err
			}
			runs = append(runs, *run)
		}
		return nil
	})
	sortRuns(runs)
	return runs, errors.Join(failed, err, r.tellNow(ctx))
}

// Runs lists runs, newest first.
func (r *Runner) Runs(q RunsQuery) (runs []Run, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) error {
		runs, err = listRuns(tx, q)
		return err
	})
	return runs, err
}

// Show returns one run; ErrNoRun where there is none with the id.
func (r *Runner) Show(id string) (Run, error) {
	var run Run
	err := r.journal.view(func(tx *bbolt.Tx) error {
		got, err := getRun(tx, id)
		if err == nil {
			run = *got
		}
		return err
	})
	return run, err
}

// Locks lists who holds what.
func (r *Runner) Locks() (all []locks.Lock, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) error {
		all, err = locks.List(tx)
		return err
	})
	return all, err
}

// ErrAmbiguous is returned where a unit's id is found in several repositories.
var ErrAmbiguous = errors.New("several repositories have it")

// Unlock takes a lock from whoever holds it: a person's decision. A pull request loses
// all of its locks with it, and its plans: it has them all or none.
func (r *Runner) Unlock(repository, unit, by string) (locks.Lock, error) {
	var broken locks.Lock
	r.stopHolders(repository, unit, by)
	err := r.journal.update(func(tx *bbolt.Tx) error {
		all, err := locks.List(tx)
		if err != nil {
			return err
		}
		var found []locks.Lock
		for _, l := range all {
			if l.Unit == unit && (repository == "" || l.Repository == repository) {
				found = append(found, l)
			}
		}
		switch len(found) {
		case 0:
			return fmt.Errorf("unlock %s: %w", unit, locks.ErrNotHeld)
		case 1:
			broken = found[0]
			if r.heldByPull(tx, broken) {
				return r.unlockHolder(tx, broken, by)
			}
			_, err = locks.Break(tx, broken.Key)
			return err
		}
		return fmt.Errorf("unlock %s: %w: %s and %s; name one with --repository", unit, ErrAmbiguous, found[0].Repository, found[1].Repository)
	})
	if err == nil {
		r.opts.Log.Warn("a person broke a lock", "unit", broken.Unit, "repository", broken.Repository, "run", broken.Run, "by", by)
		r.Hint(broken.Repository, false)
	}
	return broken, err
}

// sortRuns orders runs by their number, oldest first.
func sortRuns(runs []Run) {
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Compare(number(a.ID), number(b.ID)) })
}

func number(id string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimPrefix(id, "r"), 10, 64) // ids come from the journal
	return n
}
