package runner

import (
	"context"
	"fmt"
	"slices"

	"github.com/mooring-iac/mooring/workspace"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// reading is what units are read from: the files of a commit, by its own mooring.hcl
// or, where rules is not "", by that of another commit.
type reading struct{ files, rules string }

// graphAt reads the units and edges of a commit; the last one read is kept.
func (repo *repository) graphAt(ctx context.Context, commit string) (*workspace.Graph, error) {
	repo.reads.Lock()
	defer repo.reads.Unlock()
	if repo.graphOf == commit {
		return repo.graph, nil
	}
	graph, err := repo.scan(ctx, reading{files: commit})
	if err != nil {
		return nil, err
	}
	repo.graph, repo.graphOf = graph, commit
	return graph, nil
}

// graphFrom is graphAt of what is not always the branch's.
func (repo *repository) graphFrom(ctx context.Context, from reading) (*workspace.Graph, error) {
	if from.rules == "" {
		return repo.graphAt(ctx, from.files)
	}
	return repo.scan(ctx, from)
}

// scan reads the units and edges.
func (repo *repository) scan(ctx context.Context, from reading) (*workspace.Graph, error) {
	files, err := repo.mirror.Tree(from.files)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", short(from.files), err)
	}
	if from.rules == "" {
		return repo.scanner.Scan(ctx, files)
	}
	rules, err := repo.mirror.Tree(from.rules)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", short(from.rules), err)
	}
	ruled, err := newRuledBy(files, rules)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of %s: %w", short(from.rules), err)
	}
	return repo.scanner.Scan(ctx, ruled)
}

// ownRules tells that the mooring.hcl of the files says what the one says that they are read by. Where that cannot be told
// it does not.
func (repo *repository) ownRules(r reading) bool {
	if r.rules == "" {
		return true
	}
	files, err := repo.mirror.Tree(r.files)
	if err != nil {
		return false
	}
	rules, err := repo.mirror.Tree(r.rules)
	if err != nil {
		return false
	}
	own, err := newRuledBy(files, files)
	if err != nil {
		return false
	}
	theirs, err := newRuledBy(files, rules)
	return err == nil && own.id == theirs.id
}

// checkout lends a read-only tree of a commit; release gives it back.
func (repo *repository) checkout(ctx context.Context, commit string) (*mirror.Checkout, error) {
	if err := repo.mirror.Fetch(ctx, commit); err != nil {
		return nil, err
	}
	return repo.mirror.Checkout(ctx, commit)
}

// changedSince answers which units of a graph are affected directly by what differs between what they were read from and the
// commit that the graph is of.
func (repo *repository) changedSince(ctx context.Context, graph *workspace.Graph, head string) func(reading) map[string]bool {
	cache := map[reading]map[string]bool{}
	everything := func() map[string]bool {
		all := map[string]bool{}
		for _, u := range graph.Units {
			all[u.ID] = true
		}
		return all
	}
	return func(since reading) map[string]bool {
		if since == (reading{files: head}) {
			return nil
		}
		if got, ok := cache[since]; ok {
			return got
		}
		direct := map[string]bool{}
		paths, err := repo.mirror.Changes(since.files, head)
		if err == nil && !slices.Contains(paths, workspace.ConfigFile) && !repo.ownRules(since) {
			paths = append(paths, workspace.ConfigFile)
		}
		if err != nil {
			// Unknown means changed: the commit may be gone after a force push.
			direct = everything()
		} else {
			var before *workspace.Graph
			if slices.Contains(paths, workspace.ConfigFile) {
				// Whose declaration changed? Without an answer, everybody's did.
				before, _ = repo.scan(ctx, since)
			}
			for _, id := range graph.Direct(paths, before) {
				direct[id] = true
			}
		}
		cache[since] = direct
		return direct
	}
}
