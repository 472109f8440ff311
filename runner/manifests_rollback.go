package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/mooring-iac/mooring/k8s"
)

// rollBack applies what was last healthy again: the set's files of the commit that it last converged at, with the outputs of now. The
// unit fails whatever comes of it, and is not taken again before a commit or a person asks: the same commit would only fail the same way.
func (s *manifestSet) rollBack(ctx context.Context, t task, m memory, failed k8s.Result, why error) (outcome, error) {
	o := outcome{began: true}
	fillObjects(&o.UnitResult, failed)
	o.remember = s.keepInventory(failed.Inventory)
	to := m.Converged
	if to == "" || to == s.x.run.Commit {
		return o, fmt.Errorf("%w; there is no commit at which it was healthy to roll back to", why)
	}
	s.phase(PhaseApply, "rolls back to "+short(to))
	objects, set, err := s.renderAt(ctx, t, m.reading())
	if err != nil {
		return o, fmt.Errorf("%w; it is not rolled back to %s: %w", why, short(to), err)
	}
	linger, cancel := s.x.r.lingering(ctx, false)
	defer cancel()
	result, err := s.cluster.Apply(linger, set, objects, failed.Inventory, s.options())
	o.UnitResult = UnitResult{}
	fillObjects(&o.UnitResult, result)
	o.remember = s.keepInventory(result.Inventory)
	if errors.Is(err, k8s.ErrPruneHeld) {
		o.Notes, err = append(o.Notes, "what the commit added stays: "+err.Error()), nil
	}
	if err != nil {
		return o, fmt.Errorf("%w; rolling back to %s failed as well: %w", why, short(to), err)
	}
	o.Notes = append(o.Notes, fmt.Sprintf("rolled back to %s, where it was healthy, and it is so again; %s was not", short(to), short(s.x.run.Commit)))
	return o, fmt.Errorf("%w; rolled back to %s", why, short(to))
}

// renderAt renders the set as another commit has it, which says as well where its objects are.
func (s *manifestSet) renderAt(ctx context.Context, t task, from reading) ([]k8s.Object, k8s.Set, error) {
	set := s.set
	graph, err := s.x.repo.graphFrom(ctx, from)
	if err != nil {
		return nil, set, err
	}
	u := graph.Unit(t.unit.ID)
	if u == nil {
		return nil, set, fmt.Errorf("the set is not in it")
	}
	if at := s.x.r.clusters; at.resolve(u.Cluster) != at.resolve(t.unit.Cluster) || u.Kubeconfig != t.unit.Kubeconfig {
		return nil, set, fmt.Errorf("the set was in another cluster then")
	}
	then := setOf(s.x.run.Repository, u)
	set.DefaultNamespace, set.Force, set.Prune, set.AllowPrune = then.DefaultNamespace, then.Force, then.Prune, nil
	src, _, err := s.x.source(ctx, u, from.files)
	if err != nil {
		return nil, set, err
	}
	objects, err := s.x.r.render(ctx, u, src)
	return objects, set, err
}
