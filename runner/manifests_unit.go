package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/workspace"
)

// manifests renders a manifest set, hands it to the applier and records what
// became of each object. The caller holds its lock.
func (x *execution) manifests(ctx context.Context, t task) (outcome, error) {
	if t.unit.Err != nil {
		return outcome{}, t.unit.Err
	}
	m := x.recall(t.unit.ID)
	set, err := x.openSet(ctx, t, m)
	if err != nil {
		return outcome{}, err
	}
	defer set.close()
	if t.removal {
		return set.remove(ctx, t)
	}
	if set.source, set.digest, err = x.source(ctx, t.unit, x.commit()); err != nil {
		return outcome{}, err
	}
	set.digest = set.cluster.Bound(set.set, set.digest)
	if result, settled := set.cluster.Settled(ctx, set.set, set.inventory, set.digest); settled {
		o := outcome{UnitResult: UnitResult{Status: Unchanged}}
		fillObjects(&o.UnitResult, result)
		return o, nil
	}
	if set.objects, err = x.r.render(ctx, t.unit, set.source); err != nil {
		return outcome{}, err
	}
	why, err := x.holdsManifests(t, set.objects)
	if err != nil {
		return outcome{}, err
	}
	if why != "" && !(t.approved && x.applies) {
		return set.preview(ctx, t, why)
	}
	said, asked, err := set.judgeApply(ctx, t)
	if err != nil {
		return outcome{UnitResult: UnitResult{Policy: said}}, err
	}
	if asked != "" {
		return set.preview(ctx, t, asked)
	}
	o, err := set.apply(ctx, t, m)
	o.Policy = said
	return o, err
}

// manifestSet is one manifest set under way.
type manifestSet struct {
	x         *execution
	id        string
	unit      *workspace.Unit
	set       k8s.Set
	cluster   *k8s.Cluster
	inventory k8s.Inventory
	source    k8s.Source
	digest    string // of source, "" where there is no telling
	objects   []k8s.Object
	others    func(k8s.ID) (string, error)
	close     func()
}

func (x *execution) openSet(ctx context.Context, t task, m memory) (*manifestSet, error) {
	u := t.unit
	s := &manifestSet{x: x, id: u.ID, unit: u, set: setOf(x.run.Repository, u), others: x.otherSets(ctx, u)}
	var err error
	if s.set.Health, err = healthRules(u.Health); err != nil {
		return nil, err // the scan has said so before
	}
	s.set.Key = x.r.seal.derive("manifest sets")
	if t.heals {
		if s.set.Heal, err = x.r.drifted(x.run.Repository, u.ID); err != nil {
			return nil, err
		}
	}
	if t.approved && m.Plan != nil { // a yes is one to what was shown, and to nothing more
		s.set.AllowMove, s.set.AllowPrune = m.Plan.Leaves, map[k8s.ID]bool{}
		for _, id := range m.Plan.Prunes {
			s.set.AllowPrune[id] = true
		}
	}
	if k := t.reviewed; k != nil && t.agreed && s.set.AllowPrune == nil {
		s.set.AllowPrune = map[k8s.ID]bool{}
		for _, id := range k.Prunes {
			s.set.AllowPrune[id] = true
		}
	}
	if len(m.Inventory) > 0 {
		if err := json.Unmarshal(m.Inventory, &s.inventory); err != nil {
			return nil, fmt.Errorf("read the inventory of %s: %w", u.ID, err)
		}
	}
	s.cluster, s.close, err = x.r.clusters.reach(x.run.Repository, u, x.upstreamOutputs, &s.set)
	return s, err
}

// source is where a set's manifests lie at a commit and what stands for their
// ${names}: the outputs of the workspaces that it refers to.
func (x *execution) source(ctx context.Context, u *workspace.Unit, commit string) (k8s.Source, string, error) {
	tree, err := x.checkouts.get(ctx, x.repo, commit)
	if err != nil {
		return k8s.Source{}, "", err
	}
	src, err := sourceOf(u, tree.Dir, x.upstreamOutputs, x.r.keys)
	if err != nil {
		return src, "", err
	}
	src.Revision = commit
	digest, err := src.Digest(x.r.seal.derive("manifest sets, rendered by " + x.r.opts.Version)) // another version may render otherwise
	return src, digest, err
}

// sourceOf is the source of a set in the files below root.
func sourceOf(u *workspace.Unit, root string, outs upstreamOutputs, keys *k8s.Keys) (k8s.Source, error) {
	inputs, err := u.Inputs(outs)
	if err != nil {
		return k8s.Source{}, err
	}
	src := filesOf(u, root, keys)
	for name, v := range inputs {
		src.Values[name] = k8s.Value{JSON: v.JSON, Sensitive: v.Sensitive, Unknown: v.Unknown}
	}
	return src, nil
}

// filesOf is the source of a set without any values yet.
func filesOf(u *workspace.Unit, root string, keys *k8s.Keys) k8s.Source {
	return k8s.Source{
		Root: root, Path: u.Path, Exclude: u.Exclude, Values: map[string]k8s.Value{}, Keys: keys,
		Chart: remoteOf(k8s.Chart{
			Release: u.Chart.Release, Namespace: u.Namespace, ValuesFiles: u.Chart.ValuesFiles,
			KubeVersion: u.Chart.KubeVersion, APIVersions: u.Chart.APIVersions, IgnoreHooks: u.Chart.IgnoreHooks,
		}, u.Chart.Remote),
	}
}

func setOf(repository string, u *workspace.Unit) k8s.Set {
	return k8s.Set{ID: repository + "/" + u.ID, DefaultNamespace: u.Namespace, Prune: u.Prune, Force: u.Force, Timeout: u.Timeout}
}

// holdsManifests says why manifests may not be applied without a person, or "".
func (x *execution) holdsManifests(t task, objects []k8s.Object) (string, error) {
	if !x.applies {
		return fmt.Sprintf("apply is %q", x.repo.cfg.Apply), nil
	}
	if k := t.reviewed; k != nil && k.Whole && k.Content != "" {
		content, err := x.r.objectsContent(objects)
		if err != nil || content != k.Content {
			return fmt.Sprintf("what its files make is not what was reviewed in %s", t.brought), err
		}
		if t.agreed {
			return "", nil
		}
	}
	if x.repo.cfg.HoldDirect && t.brought == "" && !t.heals {
		return "direct pushes are held", nil
	}
	if x.repo.cfg.AutoApply != policies.NoDestroy && x.repo.cfg.AutoApply != policies.Always {
		return "auto_apply is never", nil
	}
	return "", nil
}

// preview finds out what the cluster would change, and changes nothing.
func (s *manifestSet) preview(ctx context.Context, t task, why string) (outcome, error) {
	plan, err := s.cluster.Plan(ctx, s.set, s.objects, s.inventory, s.options())
	if errors.Is(err, k8s.ErrOtherCluster) {
		return s.holdMove(err), nil
	}
	if err != nil {
		return outcome{}, err
	}
	var o outcome
	fillObjects(&o.UnitResult, plan.Result)
	hideInDiffs(o.Objects, sensitiveIn(s.source))
	boundDiffs(o.Objects)
	v := s.judge(ctx, t, s.objects, plan)
	o.Policy = policyResult(v)
	switch {
	case plan.Changes() == 0:
		o.Status = Unchanged
	case denied(v):
		return o, deniedError(*v)
	case !s.x.applies:
		o.Status = Planned
	default:
		if v != nil && !strings.Contains(why, "needs the yes of") {
			why = joined(why, asksFor(v, v.Needs()))
		}
		o.Status, o.Reason = Held, why
		judged := ""
		if v != nil {
			content, err := s.x.r.objectsContent(s.objects)
			if err != nil {
				return o, err
			}
			judged = v.Digest + content
		}
		keep := s.keepPrunes(plan.Prunes(), nil)
		o.remember = func(m *memory) {
			keep(m)
			m.Plan.Judged = judged
		}
	}
	return o, nil
}

// keepPrunes remembers what a person is shown as going, for the yes to it.
func (s *manifestSet) keepPrunes(ids []k8s.ID, before func(*memory)) func(*memory) {
	return func(m *memory) {
		if before != nil {
			before(m)
		}
		m.Plan = &heldPlan{Bound: binding{Commit: s.x.run.Commit}, Prunes: ids, Made: s.x.r.opts.Now()}
	}
}

func (s *manifestSet) apply(ctx context.Context, t task, m memory) (outcome, error) {
	s.phase(PhaseApply, "")
	linger, cancel := s.x.r.lingering(ctx, false)
	defer cancel()
	options := s.options()
	options.Source = s.digest
	left := s.inventory
	result, err := s.cluster.Apply(linger, s.set, s.objects, s.inventory, options)
	if errors.Is(err, k8s.ErrOtherCluster) {
		return s.holdMove(err), nil
	}
	var o outcome
	o.began = false // server-side apply may be repeated at any time
	fillObjects(&o.UnitResult, result)
	o.remember = s.keepInventory(result.Inventory)
	if left.Cluster != "" && result.Inventory.Cluster != left.Cluster {
		o.Notes = append(o.Notes, leftBehind(left)...)
	}
	switch {
	case errors.Is(err, k8s.ErrPruneHeld):
		o.Status, o.Reason = Held, err.Error()
		o.remember = s.keepPrunes(result.Held, o.remember)
		return o, nil
	case errors.Is(err, k8s.ErrUnhealthy) && t.unit.OnFailure == workspace.RollBack && ctx.Err() == nil:
		return s.rollBack(ctx, t, m, result, err)
	case err != nil:
		return o, err
	}
	o.Status = Unchanged
	if result.Changes() > 0 {
		o.Status = Applied
	}
	return o, nil
}

// holdMove waits for a person where the set would leave what it holds behind in another cluster.
func (s *manifestSet) holdMove(err error) outcome {
	var o outcome
	o.Status, o.Reason = Held, err.Error()
	o.remember = func(m *memory) {
		m.Plan = &heldPlan{Bound: binding{Commit: s.x.run.Commit}, Leaves: true, Made: s.x.r.opts.Now()}
	}
	return o
}

// leftBehind says what stays in a cluster that the set has left.
func leftBehind(inv k8s.Inventory) []string {
	notes := []string{fmt.Sprintf("%s stay behind in the cluster %s, and nothing remembers them but this note: delete them there by hand", count(len(inv.Items), "object"), inv.Cluster)}
	for _, item := range inv.Items {
		notes = append(notes, "left behind: "+item.Ref())
	}
	return notes
}

// remove deletes everything the set made: only after a person said so. What another set has taken over is not
// deleted, and where nothing else is left nobody has to be asked.
func (s *manifestSet) remove(ctx context.Context, t task) (outcome, error) {
	var o outcome
	if len(s.inventory.Items) == 0 {
		o.Status, o.gone = Unchanged, true
		return o, nil
	}
	plan, err := s.cluster.PlanDelete(ctx, s.set, s.inventory, s.options())
	if err != nil {
		return o, err
	}
	if plan.Pruned == 0 && plan.Skipped == 0 {
		o.Status, o.gone = Unchanged, true
		o.Notes = append(o.Notes, "nothing of it is left to delete: its objects are gone, or in other sets")
		return o, nil
	}
	v := s.judge(ctx, t, nil, plan)
	o.Policy = policyResult(v)
	if denied(v) {
		fillObjects(&o.UnitResult, plan.Result)
		return o, deniedError(*v)
	}
	asked := v != nil && len(v.Needs()) > 0 && !t.met
	if !t.approved && (asked || !t.sawAll(plan.Prunes())) || !s.x.applies {
		fillObjects(&o.UnitResult, plan.Result)
		if !s.x.applies {
			o.Status = Planned
			return o, nil
		}
		o.Status, o.Reason = Held, fmt.Sprintf("the set is gone from the branch: this deletes its %s", count(o.Pruned, "object"))
		if asked {
			o.Reason = joined(o.Reason, asksFor(v, v.Needs()))
		}
		o.remember = func(m *memory) {
			m.Plan = &heldPlan{Bound: binding{Commit: s.x.run.Commit}, Destroy: true, Made: s.x.r.opts.Now()}
		}
		return o, nil
	}
	s.phase(PhasePrune, "")
	result, err := s.cluster.Delete(ctx, s.set, s.inventory, s.options())
	fillObjects(&o.UnitResult, result)
	o.remember = s.keepInventory(result.Inventory)
	if err != nil {
		return o, err
	}
	o.Status, o.gone = Applied, true
	if n := len(result.Inventory.Items); n > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("%s stay in the cluster because they are protected (namespaces, CRDs, volumes) or not the set's to touch: delete them by hand", count(n, "object")))
	}
	return o, nil
}

// sawAll tells that somebody said yes in review to a deletion of all these objects.
func (t task) sawAll(ids []k8s.ID) bool {
	return t.reviewed != nil && t.agreed && !slices.ContainsFunc(ids, func(id k8s.ID) bool { return !slices.Contains(t.reviewed.Prunes, id) })
}

func (s *manifestSet) options() k8s.ApplyOptions {
	return k8s.ApplyOptions{
		Save:      s.save,
		Elsewhere: s.others,
		Events: func(e k8s.Event) {
			s.phase(PhaseWait, strings.TrimSpace(e.Ref+" "+joined(string(e.Action)+string(e.Health), e.Message)))
		},
	}
}

// save keeps the inventory as the applier hands it out: before its first write
// with everything old and new, after its last with what is really there.
func (s *manifestSet) save(inv k8s.Inventory) error {
	keep := s.keepInventory(inv)
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	m := s.x.memory(s.id)
	keep(m)
	return s.x.r.journal.update(func(tx *bbolt.Tx) error { return putMemory(tx, m) })
}

func (s *manifestSet) keepInventory(inv k8s.Inventory) func(*memory) {
	data, err := json.Marshal(inv)
	return func(m *memory) {
		if err == nil { // an inventory is strings: it always marshals
			m.Inventory = data
		}
		m.Plan = nil
	}
}

func fillObjects(u *UnitResult, result k8s.Result) {
	u.Created, u.Configured, u.Recreated = result.Created, result.Configured, result.Recreated
	u.Same, u.Pruned = result.Unchanged, result.Pruned
	for _, o := range result.Objects {
		u.Objects = append(u.Objects, ObjectResult{Ref: o.Ref, Action: string(o.Action), Health: string(o.Health), Message: cmp.Or(o.Error, o.Message), Diff: o.Diff})
	}
}

func (s *manifestSet) phase(p Phase, text string) {
	s.x.r.emit(Event{Repository: s.x.run.Repository, Run: s.x.run.ID, Unit: s.id, Phase: p, Text: text})
}

// joined puts two texts into one, either of which may be empty.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}
