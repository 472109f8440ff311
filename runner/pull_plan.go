package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/internal/forge"
	"github.com/mooring-iac/mooring/workspace"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// plan plans a pull request as it would be after its merge, and records what came of
// it. It fails only where the journal or the repository does: then there is no plan,
// and the next look tries again. waits tells that it stands behind somebody.
func (v *reviewer) plan(ctx context.Context, id string, mine *planning) (waits bool, err error) {
	p, err := v.r.pull(v.repo.cfg.Name, id)
	if err != nil {
		return false, err
	}
	if p.Seen.Head != mine.head || p.Ended {
		return false, nil // the next look knows more
	}
	made := &pullPlan{Head: mine.head, Base: mine.base}
	if why, err := v.mergeWith(ctx, made, mine.merged); err != nil || why != "" {
		return false, v.unplannable(ctx, id, made, why, err)
	}
	if gone, err := v.isMerged(ctx, p, made); err != nil || gone {
		return false, err // the next look knows more
	}
	x, why, err := v.prepare(ctx, p, made)
	if err != nil || why != "" {
		return false, v.unplannable(ctx, id, made, why, err)
	}
	behind, err := v.takeLocks(ctx, p, x, mine)
	if err != nil || len(behind) > 0 {
		return true, err
	}
	if err := v.begin(id, made, x); err != nil {
		return false, err
	}
	return false, x.execute(ctx)
}

// mergeWith finds the commit that merging the head into the branch would give: the
// forge's own where it has made one of these two commits, else a merge file by file.
// why says in words for the author why there is none.
func (v *reviewer) mergeWith(ctx context.Context, made *pullPlan, forges string) (why string, err error) {
	for _, commit := range []string{made.Base, made.Head} {
		if err := v.repo.mirror.Fetch(ctx, commit); err != nil {
			return "", err
		}
	}
	if v.madeOf(ctx, forges, made) {
		made.Commit = forges
		return "", nil
	}
	merged, err := v.repo.mirror.Merge(ctx, made.Base, made.Head)
	var conflict *mirror.ConflictError
	switch {
	case errors.As(err, &conflict):
		return conflict.Error(), nil
	case errors.Is(err, mirror.ErrUnrelated):
		return err.Error(), nil
	case err != nil:
		return "", err
	}
	made.Commit = merged.Commit
	return "", nil
}

// madeOf tells that the forge's merge is one of this head into this commit of the
// branch, and of nothing older.
func (v *reviewer) madeOf(ctx context.Context, merge string, of *pullPlan) bool {
	if merge == "" || v.repo.mirror.Fetch(ctx, merge) != nil {
		return false
	}
	c, err := v.repo.mirror.Commit(merge)
	return err == nil && slices.Equal(c.Parents, []string{of.Base, of.Head})
}

// unplannable records why there is no plan of a head. An error of the machinery is
// returned, and tried again.
func (v *reviewer) unplannable(ctx context.Context, id string, made *pullPlan, why string, err error) error {
	if err != nil || ctx.Err() != nil {
		return err
	}
	return v.r.changePull(v.repo.cfg.Name, id, func(tx *bbolt.Tx, p *pull) error {
		if p.Ended || p.Seen.Head != made.Head {
			return nil
		}
		made.Failed, made.Done = why, true
		if err := errors.Join(v.replacePlan(tx, p, made, "there is no plan of "+short(made.Head)), yield(tx, p)); err != nil {
			return err
		}
		p.Again, p.Only = "", nil // nobody waits behind what cannot be planned
		return v.announce(tx, p)
	})
}

// prepare reads what the pull request changes, and makes the run that plans it. What
// the repository says of itself (mooring.hcl) is taken from the branch: a head does
// not make its own rules. why says why nothing can be planned.
func (v *reviewer) prepare(ctx context.Context, p *pull, made *pullPlan) (_ *reviewRun, why string, err error) {
	before, err := v.repo.graphAt(ctx, made.Base)
	if why, err := configFault(err); why != "" || err != nil {
		return nil, "the branch itself cannot be planned: " + why, err
	}
	graph, err := v.repo.scan(ctx, reading{made.Commit, made.Base})
	if why, err := configFault(err); why != "" || err != nil {
		return nil, why, err
	}
	if err := v.r.clusters.cover(graph); err != nil {
		return nil, err.Error(), nil
	}
	made.Rules = v.r.rulesAt(ctx, v.repo, made.Base)
	paths, err := v.repo.mirror.Changes(made.Base, made.Commit)
	if err != nil {
		return nil, "", err
	}
	known, err := v.r.known(v.repo.cfg.Name)
	if err != nil {
		return nil, "", err
	}
	run := &Run{
		Repository: v.repo.cfg.Name, Commit: made.Head, Trigger: OnPullRequest, PullRequest: p.number(), Branch: p.Seen.HeadRef, Base: made.Base, Tree: made.Commit, Review: true,
		Status: Running, Started: v.r.opts.Now(), Subject: p.Seen.Title, Author: p.Seen.Author.Login, Units: []UnitResult{},
	}
	if slices.Contains(paths, workspace.ConfigFile) {
		run.Notes = append(run.Notes, "it changes mooring.hcl: this plan goes by the one of the branch, and what the new one says holds after the merge")
	}
	x := &reviewRun{
		execution: &execution{r: v.r, repo: v.repo, run: run, graph: graph, tasks: map[string]task{}, known: known, changed: paths},
		v:         v, pull: p, plan: made, before: before, planned: map[string]map[string]workspace.Output{},
	}
	x.ahead, x.uses = x.afterPlans, x.usesOfPull()
	ids := x.withApplied(graph.Affected(paths, before))
	for _, id := range ids {
		u := graph.Unit(id)
		x.tasks[id] = task{unit: u}
		run.Units = append(run.Units, UnitResult{ID: id, Kind: Kind(u.Kind), Status: Queued})
	}
	x.removals(before)
	return x, "", x.keepOthers(ctx)
}

// configFault tells a configuration that people have to mend from everything else.
func configFault(err error) (string, error) {
	var config *workspace.ConfigError
	if !errors.As(err, &config) {
		return "", err
	}
	return printed(config), nil
}

// withApplied adds the units that an earlier head of the pull request applied: what the
// head no longer changes is taken back.
func (x *reviewRun) withApplied(ids []string) []string {
	for id, m := range x.known {
		if m.takenBy(x.pull) && x.graph.Unit(id) != nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	order := x.graph.Order()
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
	return ids
}

// removals adds the units that the branch has and the head takes away: what their
// end would destroy is planned from the branch's files.
func (x *reviewRun) removals(before *workspace.Graph) {
	var had []workspace.Known
	for _, u := range before.Units {
		m := x.known[u.ID]
		if m == nil || m.pristine() {
			continue
		}
		had = append(had, workspace.Known{ID: u.ID, Kind: u.Kind, Dir: u.Dir, Workspace: u.Workspace, Path: u.Path, StateIdentity: u.StateIdentity()})
	}
	for _, l := range workspace.Departed(had, x.graph).Units {
		switch l.Fate {
		case workspace.Moved:
			x.run.Notes = append(x.run.Notes, fmt.Sprintf("%s moves to %s: the same state, nothing is destroyed", l.Unit.ID, l.To))
			moved := *x.known[l.Unit.ID]
			moved.ID, moved.Converged, moved.Base, moved.Taken, moved.Plan = l.To, "", "", nil, nil
			x.known[l.To] = &moved
		case workspace.Orphaned:
			x.run.Notes = append(x.run.Notes, fmt.Sprintf("%s would be orphaned: its files stay and it is no longer a unit (%s)", l.Unit.ID, l.Reason))
		default:
			u := before.Unit(l.Unit.ID)
			x.tasks[u.ID] = task{unit: u, removal: true, from: x.plan.Base}
			x.run.Units = append(x.run.Units, UnitResult{ID: u.ID, Kind: Kind(u.Kind), Status: Queued, Removal: true})
		}
	}
}

// begin makes the run, in place of the one before it.
func (v *reviewer) begin(id string, made *pullPlan, x *reviewRun) error {
	return v.r.changePull(v.repo.cfg.Name, id, func(tx *bbolt.Tx, p *pull) error {
		if err := v.replacePlan(tx, p, made, "superseded by a plan of "+short(made.Head)); err != nil {
			return err
		}
		if err := dropReviewed(tx, p.Repository, p.ID, func(old *reviewed) bool {
			_, again := x.tasks[old.Unit]
			return !again && x.run.Unit(old.Unit) != nil
		}); err != nil {
			return err
		}
		if err := createRun(tx, x.run); err != nil {
			return err
		}
		made.Run = x.run.ID
		p.Again, p.Only = "", nil
		x.pull = p
		return v.pending(tx, p)
	})
}

// replacePlan puts a plan into the place of the last one, whose run ends. A plan of
// another head leaves nothing pending at the old one, and what was applied of that was
// not applied of this.
func (v *reviewer) replacePlan(tx *bbolt.Tx, p *pull, made *pullPlan, why string) error {
	if err := v.r.settlePlan(tx, p, why); err != nil {
		return err
	}
	old := p.Plan
	p.Plan = made
	p.apart()
	if old == nil || old.Head == made.Head {
		return nil
	}
	if v.forge == nil || p.number() == 0 || old.Done && old.Failed == "" {
		return nil
	}
	s := forge.Status{Context: planStatus, Check: forge.Error, Description: "a newer push took its place", URL: v.runPage(old.Run)}
	return v.r.put(tx, p.Repository, "status "+old.Head+" "+s.Context, note{Pull: p.ID, Commit: old.Head, Status: &s})
}

// settlePlan ends the run of a plan that something takes the place of: a run that
// nobody will carry on is not left running.
func (r *Runner) settlePlan(tx *bbolt.Tx, p *pull, why string) error {
	if p.Plan == nil || p.Plan.Run == "" {
		return nil
	}
	run, err := getRun(tx, p.Plan.Run)
	if errors.Is(err, ErrNoRun) {
		return nil
	}
	if err != nil {
		return err
	}
	if run.Finished != nil {
		return nil
	}
	end := r.opts.Now()
	run.Finished = &end
	for i := range run.Units {
		if u := &run.Units[i]; u.Status == Queued || u.Status == Running {
			u.Status, u.Reason = Superseded, why
			if err := putResult(tx, run.ID, *u); err != nil {
				return err
			}
		}
	}
	run.Settle()
	return putRun(tx, run)
}

// ruledBy is a tree whose mooring.hcl is another tree's, and a plain file there even
// where that has a link: what a link leads to in this tree is this tree's word.
type ruledBy struct {
	workspace.Tree
	rules workspace.Tree
	file  string // that has the rules; "" is none
	mode  fs.FileMode
	id    string
}

// mostLinks is how many links lead to a configuration at the most.
const mostLinks = 10

func newRuledBy(tree, rules workspace.Tree) (ruledBy, error) {
	t := ruledBy{Tree: tree, rules: rules}
	at := workspace.ConfigFile
	for range mostLinks {
		mode, id, err := find(rules, at)
		if err != nil || id == "" {
			return t, err
		}
		if mode&fs.ModeSymlink == 0 {
			t.file, t.mode, t.id = at, mode, id
			return t, nil
		}
		to, err := rules.ReadLink(at)
		if err != nil {
			return t, err
		}
		at = path.Join(path.Dir(at), to)
	}
	return t, nil
}

// find returns what a tree has at a path; no id is nothing.
func find(t workspace.Tree, at string) (mode fs.FileMode, id string, err error) {
	err = t.Walk(func(path string, m fs.FileMode, i string) error {
		if path == at {
			mode, id = m, i
			return fs.SkipAll
		}
		return nil
	})
	if errors.Is(err, fs.SkipAll) {
		err = nil
	}
	return mode, id, err
}

func (t ruledBy) Walk(fn func(path string, mode fs.FileMode, id string) error) error {
	said := t.file == ""
	say := func() error {
		if said {
			return nil
		}
		said = true
		return fn(workspace.ConfigFile, t.mode, t.id)
	}
	err := t.Tree.Walk(func(path string, m fs.FileMode, i string) error {
		if path == workspace.ConfigFile {
			return nil
		}
		if path > workspace.ConfigFile {
			if err := say(); err != nil {
				return err
			}
		}
		return fn(path, m, i)
	})
	return errors.Join(err, say())
}

func (t ruledBy) ReadFile(path string) ([]byte, error) {
	if path == workspace.ConfigFile && t.file != "" {
		return t.rules.ReadFile(t.file)
	}
	return t.Tree.ReadFile(path)
}
