package runner

import (
	"context"
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
	objects, err := s.renderAt(ctx, t, to)
	if err != nil {
		return o, fmt.Errorf("%w; it is not rolled back to %s: %w", why, short(to), err)
	}
	linger, cancel := s.x.r.lingering(ctx, false)
	defer cancel()
	result, err := s.cluster.Apply(linger, s.set, objects, failed.Inventory, s.options())
	o.UnitResult = UnitResult{}
	fillObjects(&o.UnitResult, result)
	o.remember = s.keepInventory(result.Inventory)
	if err != nil {
		return o, fmt.Errorf("%w; rolling back to %s failed as well: %w", why, short(to), err)
	}
	o.Notes = append(o.Notes, fmt.Sprintf("rolled back to %s, where it was healthy, and it is so again; %s was not", short(to), short(s.x.run.Commit)))
	return o, fmt.Errorf("%w; rolled back to %s", why, short(to))
}

// renderAt renders the set as another commit has it.
func (s *manifestSet) renderAt(ctx context.Context, t task, commit string) ([]k8s.Object, error) {
	graph, err := s.x.repo.graphAt(ctx, commit)
	if err != nil {
		return nil, err
	}
	u := graph.Unit(t.unit.ID)
	if u == nil {
		return nil, fmt.Errorf("the set is not in it")
	}
	src, _, err := s.x.source(ctx, u, commit)
	if err != nil {
		return nil, err
	}
	return s.x.r.render(ctx, u, src)
}
