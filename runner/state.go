package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/locks"
	"github.com/mooring-iac/mooring/workspace"
)

// KeptState is a state that a workspace's backend did not take. It is newer than
// what the backend has, and kept sealed until it is pushed.
type KeptState struct {
	Repository string    `json:"repository"`
	Unit       string    `json:"unit"`
	Kept       time.Time `json:"kept"`
	File       string    `json:"file"`
}

var (
	// ErrNoState is returned where no state of a unit is kept.
	ErrNoState = errors.New("no state of it is kept")
	// ErrNoWorkspace is returned for a unit that is not known, or no workspace.
	ErrNoWorkspace = errors.New("no workspace is known by this id")
)

// KeptStates lists the states that no backend took, by unit and oldest first.
func (r *Runner) KeptStates() ([]KeptState, error) {
	all := []KeptState{}
	for _, repo := range r.repos {
		known, err := r.known(repo.cfg.Name)
		if err != nil {
			return nil, err
		}
		for _, id := range slices.Sorted(maps.Keys(known)) {
			if known[id].Key == "" {
				continue
			}
			kept, err := r.home.Unstored(repo.cfg.Name, known[id].Key)
			if err != nil {
				return nil, err
			}
			for _, k := range kept {
				all = append(all, KeptState{Repository: repo.cfg.Name, Unit: id, Kept: k.Kept, File: k.File})
			}
		}
	}
	return all, nil
}

func (r *Runner) known(repository string) (known map[string]*memory, err error) {
	err = r.journal.view(func(tx *bbolt.Tx) error {
		known, err = memories(tx, repository)
		return err
	})
	return known, err
}

// PushState stores the kept states of a workspace in its backend, oldest first, and
// returns how many that were. The next pass plans the workspace again. Errors:
// ErrNoWorkspace, ErrNoState, ErrAmbiguous, locks.ErrHeld, Terraform's own refusal of
// an older state or one of another lineage.
func (r *Runner) PushState(ctx context.Context, name, unit, by string) (pushed int, err error) {
	err = r.withState(ctx, name, unit, by, "state push", func(s *terraform.Session, repo *repository, key string) error {
		kept, err := r.home.Unstored(repo.cfg.Name, key)
		if err != nil {
			return err
		}
		if pushed = s.Restored(); pushed+len(kept) == 0 {
			return ErrNoState
		}
		for _, k := range kept {
			if err := s.PushState(ctx, k); err != nil {
				return err
			}
			pushed++
		}
		return nil
	})
	if err == nil {
		err = r.takeAgain(name, unit, "a push of its state by "+by)
	}
	return pushed, err
}

// takeAgain lets the next pass plan a unit that waited for something which has happened.
func (r *Runner) takeAgain(name, unit, why string) error {
	repo, _, err := r.workspaceNamed(name, unit)
	if err != nil {
		return err
	}
	defer repo.wish()
	return r.journal.update(func(tx *bbolt.Tx) error {
		m, err := getMemory(tx, repo.cfg.Name, unit)
		if err != nil || m.Taken == nil || m.Taken.Status != Held {
			return err
		}
		if err := r.supersede(tx, []*memory{m}, why); err != nil {
			return err
		}
		m.Taken.Status = Skipped
		return putMemory(tx, m)
	})
}

// BreakStateLock frees Terraform's own lock on a workspace's state, by its id: a
// person's decision. Mooring itself frees only locks of its own dead runs.
func (r *Runner) BreakStateLock(ctx context.Context, name, unit, id, by string) error {
	return r.withState(ctx, name, unit, by, "state unlock", func(s *terraform.Session, _ *repository, _ string) error {
		return s.BreakStateLock(ctx, id)
	})
}

// withState opens a session of a workspace for something a person asked for, with its
// lock held and passes of its repository kept away.
func (r *Runner) withState(ctx context.Context, name, unit, by, what string, f func(*terraform.Session, *repository, string) error) (failed error) {
	defer func() {
		if failed != nil {
			failed = fmt.Errorf("%s %s: %w", what, unit, failed)
		}
	}()
	if err := r.confine(ctx); err != nil {
		return err
	}
	repo, m, err := r.workspaceNamed(name, unit)
	if err != nil {
		return err
	}
	repo.pass.Lock()
	defer repo.pass.Unlock()
	// What goes on without us must end first: it holds the state.
	if _, err := r.follow(ctx, repo.cfg.Name); err != nil {
		return err
	}
	from := m.reading()
	if m.Taken != nil {
		from = m.Taken.reading()
	}
	if m.Departed != nil {
		from = reading{files: m.Departed.From}
	}
	graph, err := repo.graphFrom(ctx, from)
	if err != nil {
		return err
	}
	u := graph.Unit(unit)
	if u == nil || u.Kind != workspace.Kind(KindWorkspace) {
		return ErrNoWorkspace
	}
	if u.Err != nil {
		return u.Err
	}
	tree, err := repo.checkout(ctx, from.files)
	if err != nil {
		return err
	}
	defer tree.Release()
	spec, err := specWithoutVariables(ctx, r.tools, u, r.opts.environments(repo.cfg))
	if err != nil {
		return err
	}
	spec.Repository, spec.Tree, spec.Run = repo.cfg.Name, tree.Dir, "person"
	spec.Secrets = append(spec.Secrets, r.serverSecrets()...)
	key := r.lockKey(repo, u)
	holder := locks.Holder{Unit: unit, Repository: repo.cfg.Name, Run: what, Reason: what + " by " + by, Since: r.opts.Now()}
	if err := r.journal.update(func(tx *bbolt.Tx) error { return locks.Acquire(tx, key, holder) }); err != nil {
		return err
	}
	defer func() {
		// Release even when it failed, or the next run waits for a ghost.
		failed = errors.Join(failed, r.journal.update(func(tx *bbolt.Tx) error { return locks.Release(tx, key, what) }))
	}()
	r.lookers.giveWay(key)
	s, err := r.home.Open(ctx, spec)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Init(ctx, io.Discard); err != nil {
		return err
	}
	r.opts.Log.Warn("a person changes a state", "what", what, "unit", unit, "repository", repo.cfg.Name, "by", by)
	return f(s, repo, spec.Key)
}

// workspaceNamed finds what is known of a workspace; "" looks in every repository.
func (r *Runner) workspaceNamed(name, unit string) (found *repository, m *memory, err error) {
	for _, repo := range r.repos {
		if name != "" && repo.cfg.Name != name {
			continue
		}
		known, err := r.known(repo.cfg.Name)
		if err != nil {
			return nil, nil, err
		}
		k := known[unit]
		if k == nil || k.Kind != KindWorkspace {
			continue
		}
		if found != nil {
			return nil, nil, fmt.Errorf("%w: %s and %s; name one with --repository", ErrAmbiguous, found.cfg.Name, repo.cfg.Name)
		}
		found, m = repo, k
	}
	if found == nil {
		return nil, nil, ErrNoWorkspace
	}
	return found, m, nil
}
