package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
)

// origin tells where what is new of the branch came from.
type origin struct {
	pulls  []string          // the pull requests among it, oldest first
	of     map[string]string // by unit: the last pull request that touched it; none where a direct push did after or before
	agreed map[string]string // by pull request: who said yes to its plan
	plans  map[string]map[string]*reviewed
}

// originOf finds out which pull requests brought what a pass takes. Without a forge
// everything is a direct push. What the forge cannot tell now is asked again by the
// next pass: nothing is taken on a guess.
func (p *pass) originOf(ctx context.Context, ids []string, gone []removal) (*origin, error) {
	o := &origin{of: map[string]string{}, agreed: map[string]string{}, plans: map[string]map[string]*reviewed{}}
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

// attribute finds the pull request of each commit of a chain, newest first. A forge
// knows of a rebase only where it ends: the commits before it count to it back to the
// one from which merging its head gives the same files.
func (v *reviewer) attribute(ctx context.Context, branch string, chain []string) (map[string]string, error) {
	from := map[string]string{}
	for i := 0; i < len(chain); i++ {
		c := chain[i]
		if _, known := from[c]; known {
			continue
		}
		v.mu.Lock()
		id, known := v.brought[c]
		v.mu.Unlock()
		if !known {
			pr, found, err := v.bringer(ctx, c)
			if err != nil {
				return nil, err
			}
			if found && pr.Base == branch { // one that went to another branch brought nothing to this one
				if id, err = v.merged(ctx, pr); err != nil {
					return nil, err
				}
				if !v.brings(ctx, id, c) {
					v.r.opts.Log.Warn("a commit has more than its pull request: it counts as pushed directly", "repository", v.repo.cfg.Name, "commit", short(c), "pull_request", id)
					id = ""
				}
			}
			v.mu.Lock()
			v.brought[c] = id
			v.mu.Unlock()
		}
		from[c] = id
		if id == "" {
			continue
		}
		for _, covered := range v.rebased(ctx, id, chain[i:]) {
			from[covered] = id
		}
	}
	return from, nil
}

// rebased are the commits of a chain that a rebase made beside its first.
func (v *reviewer) rebased(ctx context.Context, id string, chain []string) []string {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil || v.repo.mirror.Fetch(ctx, p.Seen.Head) != nil {
		return nil // its branch is gone: only the commit that the forge names is its own
	}
	if c, err := v.repo.mirror.Commit(chain[0]); err != nil || len(c.Parents) != 1 {
		return nil // a merge: what it brought is not on the chain
	}
	if p.Plan == nil || p.Plan.Head != p.Seen.Head {
		return nil // nobody knows where the branch stood when it was begun
	}
	covered := 0
	for n, older := range chain[1:min(len(chain), 1+v.commitsOf(p.Seen.Head, chain[0]))] {
		// The head merged into one of its own rebased commits gives the same files too:
		// the oldest one counts.
		if merged, err := v.repo.mirror.Merge(ctx, older, p.Seen.Head); err == nil {
			if paths, err := v.repo.mirror.Changes(merged.Commit, chain[0]); err == nil && len(paths) == 0 {
				covered = n
			}
		}
		if older == p.Plan.Base {
			break // that was there before it, as is everything older: a head that holds it would fit those too
		}
	}
	return chain[1 : 1+covered]
}

// brings tells that a commit of the branch has nothing but what its pull request changes:
// who merges by hand may add what they like, and that came by a direct push. Where it
// cannot be told it is so only if direct pushes are not held.
func (v *reviewer) brings(ctx context.Context, id, commit string) bool {
	unknown := !v.repo.cfg.HoldDirect
	c, err := v.repo.mirror.Commit(commit)
	p, missing := v.r.pull(v.repo.cfg.Name, id)
	if err != nil || missing != nil || len(c.Parents) == 0 || v.repo.mirror.Fetch(ctx, p.Seen.Head) != nil {
		return unknown
	}
	parent := c.Parents[0]
	if merged, err := v.repo.mirror.Merge(ctx, parent, p.Seen.Head); err == nil {
		if paths, err := v.repo.mirror.Changes(merged.Commit, commit); err == nil && len(paths) == 0 {
			return true
		}
	}
	// It was merged line by line, or is one commit of several: then nothing of it lies elsewhere.
	if p.Plan == nil || p.Plan.Head != p.Seen.Head || p.Plan.Commit == "" {
		return unknown
	}
	own, err := v.repo.mirror.Changes(p.Plan.Base, p.Plan.Commit)
	if err != nil {
		return unknown
	}
	paths, err := v.repo.mirror.Changes(parent, commit)
	return err == nil && !slices.ContainsFunc(paths, func(path string) bool { return !slices.Contains(own, path) })
}

// commitsOf is how many commits a head has that a commit of the branch does not.
func (v *reviewer) commitsOf(head, branch string) int {
	for n := range mostCommits {
		if here, err := v.repo.mirror.IsAncestor(head, branch); err != nil || here {
			return n
		}
		c, err := v.repo.mirror.Commit(head)
		if err != nil || len(c.Parents) == 0 {
			return n
		}
		head = c.Parents[0]
	}
	return mostCommits
}

// merged takes in that a pull request was merged, where the look has not seen it yet.
func (v *reviewer) merged(ctx context.Context, pr forge.PullRequest) (string, error) {
	id := pullID(pr.Number)
	v.looking.Lock()
	defer v.looking.Unlock()
	known, err := v.r.pull(v.repo.cfg.Name, id)
	switch {
	case errors.Is(err, errNoPull):
		p := &pull{Repository: v.repo.cfg.Name, ID: id, Seen: pr, Ended: true}
		return id, v.r.journal.update(func(tx *bbolt.Tx) error { return putPull(tx, p) })
	case err != nil:
		return "", err
	case known.Ended && known.Seen.State == forge.Merged:
		return id, nil
	}
	if err := v.hearReviews(ctx, id); err != nil {
		return "", err
	}
	return id, v.end(id, pr)
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
	before, err := p.repo.scan(ctx, parent)
	if err != nil {
		return nil
	}
	after, err := p.repo.scan(ctx, commit)
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
	if p.planned() {
		by, _, err := v.agreed(ctx, p)
		if err != nil {
			return err
		}
		o.agreed[id] = by
	}
	return v.r.journal.view(func(tx *bbolt.Tx) error {
		o.plans[id], err = reviewedPlans(tx, v.repo.cfg.Name, id)
		return err
	})
}

// lend gives a task what is known of the review of its unit.
func (o *origin) lend(t task) task {
	id := o.of[t.unit.ID]
	t.brought = id
	if k := o.plans[id][t.unit.ID]; id != "" && k != nil && k.Removal == t.removal {
		t.reviewed, t.agreed, t.by = k, o.agreed[id] != "", o.agreed[id]
	}
	return t
}

// fits tells whether a reviewed plan may be applied as it was saved, without another
// word of a person.
func (t task) fits() bool {
	k := t.reviewed
	return k != nil && k.Status == Planned && !k.Volatile && k.File != "" && (t.agreed || k.Needs == "" && !t.removal)
}

// adopt makes the reviewed plans that may be applied those of the run, and lets the
// pull requests know which run takes what they brought.
func (x *execution) adopt(tx *bbolt.Tx, o *origin, v *reviewer) error {
	for id, t := range x.tasks {
		if !t.fits() {
			continue
		}
		if m := x.memory(id); m.Unseen || m.Intent != nil {
			continue // how its last apply ended nobody saw: a person looks first
		}
		if err := x.promote(tx, id, t); err != nil {
			return err
		}
		t.approved = true
		t.decision = verdict{Repository: x.run.Repository, Run: x.run.ID, Unit: id, Approve: true, By: "the review of " + t.brought, At: x.r.opts.Now()}
		u := x.run.Unit(id)
		if shown, err := getRun(tx, t.reviewed.Run); err == nil && shown.Unit(id) != nil {
			u.foretold(shown.Unit(id))
		}
		if by := o.agreed[t.brought]; by != "" {
			u.Notes = withNotes(u.Notes, fmt.Sprintf("approved by %s in %s", by, t.brought))
		}
		u.Notes = withNotes(u.Notes, reviewedNote(t.brought))
		if err := putResult(tx, x.run.ID, *u); err != nil {
			return err
		}
		x.tasks[id] = t
	}
	for _, id := range o.pulls {
		p, err := getPull(tx, x.run.Repository, id)
		if err != nil {
			return err
		}
		took := false
		for unit, t := range x.tasks {
			if t.brought != id {
				continue
			}
			if p.Took == nil {
				p.Took = map[string]string{}
			}
			took, p.Took[unit] = true, x.run.ID
		}
		if !took {
			continue
		}
		p.Applied = x.run.ID
		if err := errors.Join(v.announce(tx, p), putPull(tx, p)); err != nil {
			return err
		}
	}
	return nil
}

func reviewedNote(pull string) string { return "the plan that was reviewed in " + pull }

// foretold fills a result with what its plan said in review.
func (u *UnitResult) foretold(shown *UnitResult) {
	u.Add, u.Change, u.Destroy, u.Outputs, u.Changes = shown.Add, shown.Change, shown.Destroy, shown.Outputs, shown.Changes
}

// takers are the runs that took, or apply, what a pull request brings, oldest first.
func (p *pull) takers() []string {
	all := slices.Collect(maps.Values(p.Took))
	if p.Applied != "" {
		all = append(all, p.Applied)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return slices.Compact(all)
}

// took tells that a run's word on a unit is the last one of this pull request. Before a
// merge it is of every unit that the run has.
func (p *pull) took(run, unit string) bool {
	return p.Took[unit] == run || p.Took == nil && p.Applied == run
}

// tellPulls has the pull requests of a run say what it came to.
func (r *Runner) tellPulls(tx *bbolt.Tx, repo *repository, run *Run) error {
	v := repo.reviews
	if v == nil {
		return nil
	}
	all, err := pulls(tx, run.Repository)
	if err != nil {
		return err
	}
	for _, p := range all {
		if !slices.Contains(p.takers(), run.ID) {
			continue
		}
		if err := errors.Join(v.announce(tx, p), putPull(tx, p)); err != nil {
			return err
		}
	}
	return nil
}

// dropTaken forgets the reviewed plans of merged pull requests that the head holds, but
// for those of units that have yet to be taken.
func (p *pass) dropTaken(tx *bbolt.Tx) error {
	if p.repo.reviews == nil {
		return nil
	}
	all, err := pulls(tx, p.repo.cfg.Name)
	if err != nil {
		return err
	}
	for _, pr := range all {
		if !pr.Ended || pr.Seen.State != forge.Merged {
			continue
		}
		if left, err := reviewedPlans(tx, pr.Repository, pr.ID); err != nil || len(left) == 0 {
			continue
		}
		if here, err := p.repo.mirror.IsAncestor(pr.Seen.MergeCommit, p.head); err != nil || !here {
			continue // it is the next head's to take
		}
		err := dropReviewed(tx, pr.Repository, pr.ID, func(v *reviewed) bool {
			m := p.known[v.Unit]
			return m != nil && m.Taken != nil && retryable(m.Taken.Status) && !m.Taken.Began
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mostEnded is how many pull requests that have ended a repository remembers: who opens
// an older one again is met for the first time.
const mostEnded = 1000

// forgetEnded forgets the oldest pull requests that have ended.
func forgetEnded(tx *bbolt.Tx, repository string) error {
	all, err := pulls(tx, repository)
	if err != nil {
		return err
	}
	var ended []*pull
	for _, p := range all {
		if p.Ended {
			ended = append(ended, p)
		}
	}
	slices.SortFunc(ended, func(a, b *pull) int { return b.Seen.Updated.Compare(a.Seen.Updated) })
	for i, p := range ended {
		if i < mostEnded {
			continue
		}
		if err := errors.Join(dropReviewed(tx, repository, p.ID, nil), tx.Bucket(pullsBucket).Delete(unitKey(repository, p.ID))); err != nil {
			return err
		}
	}
	return nil
}
