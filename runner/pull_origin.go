package runner

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// origin tells where what is new of the branch came from.
type origin struct {
	pulls []string                   // the pull requests among it, oldest first
	of    map[string]string          // by unit: the last pull request that touched it; none where a direct push did after or before
	yes   map[string][]yes           // by pull request: those to its plan
	met   map[string]map[string]bool // by pull request and unit: they are all whom the rules ask for
	plans map[string]map[string]*reviewed
}

// originOf finds out which pull requests brought what a pass takes. Without a forge
// everything is a direct push. What the forge cannot tell now is asked again by the
// next pass: nothing is taken on a guess.
func (p *pass) originOf(ctx context.Context, ids []string, gone []removal) (*origin, error) {
	o := &origin{of: map[string]string{}, yes: map[string][]yes{}, met: map[string]map[string]bool{}, plans: map[string]map[string]*reviewed{}}
	v := p.repo.reviews
	if v == nil || v.forge == nil || !p.repo.cfg.Apply.applies() {
		return o, nil
	}
	oldest := map[string]string{} // by unit: the commit from which on everything counts
	for _, id := range ids {
		oldest[id] = p.since(id)
	}
	for _, rm := range gone {
		oldest[rm.unit.ID] = p.since(rm.unit.ID)
	}
	chain, met, err := p.chain(oldest)
	if err != nil {
		return nil, err
	}
	from, err := v.attribute(ctx, p.name, chain)
	if err != nil {
		return nil, fmt.Errorf("ask which pull requests brought %s: %w", short(p.head), err)
	}
	for unit, since := range oldest {
		if met[since] { // else there may be more than was looked at
			o.of[unit] = p.broughtBy(ctx, unit, since, chain, from)
		}
	}
	for i := len(chain) - 1; i >= 0; i-- {
		if id := from[chain[i]]; id != "" && !slices.Contains(o.pulls, id) {
			o.pulls = append(o.pulls, id)
		}
	}
	for _, id := range o.pulls {
		if err := o.read(ctx, v, id); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// since is the last commit that a unit had everything of; "" where there is none.
func (p *pass) since(id string) string {
	m := p.known[id]
	switch {
	case m == nil || m.Converged == "" && m.Taken == nil:
		return p.last.Head // it is new: what came since the last pass brought it
	case m.Converged == "" && m.Departed == nil:
		return m.Met
	case m.Departed != nil:
		return m.Departed.From
	}
	if m.Base != "" {
		return m.Base // what a pull request brought counts, though it applied that: by another mooring.hcl
	}
	return m.Converged
}

// mostCommits is how far back a pass looks for pull requests: what is older than that
// counts as pushed directly.
const mostCommits = 100

// chain lists the commits that became the branch's head one after another, newest
// first, back to the oldest of those given. met are those of them that it came to.
func (p *pass) chain(oldest map[string]string) (all []string, met map[string]bool, err error) {
	met = map[string]bool{}
	stop := map[string]bool{}
	for _, c := range oldest {
		stop[c] = true
	}
	for c := p.head; len(all) < mostCommits && len(stop) > 0; {
		if stop[c] {
			met[c] = true
			delete(stop, c)
		}
		if len(stop) == 0 {
			break
		}
		all = append(all, c)
		commit, err := p.repo.mirror.Commit(c)
		if err != nil {
			return nil, nil, fmt.Errorf("read the history of the branch: %w", err)
		}
		if len(commit.Parents) == 0 {
			break
		}
		c = commit.Parents[0]
	}
	return all, met, nil
}

// broughtBy is the last pull request that touched a unit since a commit; "" where a
// direct push did too.
func (p *pass) broughtBy(ctx context.Context, unit, since string, chain []string, from map[string]string) string {
	by := ""
	for i, c := range chain {
		if c == since {
			return by
		}
		parent := ""
		if i+1 < len(chain) {
			parent = chain[i+1]
		} else if commit, err := p.repo.mirror.Commit(c); err == nil && len(commit.Parents) > 0 {
			parent = commit.Parents[0]
		}
		if !p.touches(ctx, unit, parent, c) {
			continue
		}
		if from[c] == "" {
			return ""
		}
		if by == "" {
			by = from[c]
		}
	}
	return by
}

// touches tells whether a commit affects a unit, directly or through what it depends
// on. What cannot be told does.
func (p *pass) touches(ctx context.Context, unit, parent, commit string) bool {
	if parent == "" {
		return true
	}
	key := parent + " " + commit
	hit, ok := p.hits[key]
	if !ok {
		hit = p.affectedBy(ctx, parent, commit)
		if p.hits == nil {
			p.hits = map[string]map[string]bool{}
		}
		p.hits[key] = hit
	}
	return hit == nil || hit[unit]
}

// affectedBy are the units that differ between two commits, those that go and what
// depends on them included; nil where that cannot be told.
func (p *pass) affectedBy(ctx context.Context, parent, commit string) map[string]bool {
	paths, err := p.repo.mirror.Changes(parent, commit)
	if err != nil {
		return nil
	}
	before, err := p.repo.scan(ctx, reading{files: parent})
	if err != nil {
		return nil
	}
	after, err := p.repo.scan(ctx, reading{files: commit})
	if err != nil {
		return nil
	}
	hit := map[string]bool{}
	for _, id := range after.Affected(paths, before) {
		hit[id] = true
	}
	for _, u := range before.Units {
		if after.Unit(u.ID) == nil {
			hit[u.ID] = true
		}
	}
	return hit
}

// read takes from the journal what was planned of a merged pull request, and whether
// anybody's yes holds for it.
func (o *origin) read(ctx context.Context, v *reviewer, id string) error {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return err
	}
	err = v.r.journal.view(func(tx *bbolt.Tx) error {
		o.plans[id], err = reviewedPlans(tx, v.repo.cfg.Name, id)
		return err
	})
	if err != nil || !p.planned() {
		return err
	}
	if o.yes[id], _, err = v.approvers(ctx, p); err != nil {
		return err
	}
	o.met[id] = map[string]bool{}
	for unit, k := range o.plans[id] {
		if k.Verdict == nil {
			continue
		}
		left, err := v.unmet(ctx, k.Verdict.Needs(), o.yes[id])
		if err != nil {
			return err
		}
		o.met[id][unit] = len(left) == 0
	}
	return nil
}
