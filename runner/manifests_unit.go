package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
		return set.remove(ctx, t, m)
	}
	if set.objects, err = x.render(ctx, t); err != nil {
		return outcome{}, err
	}
	if why := x.holdsManifests(); why != "" && !(t.approved && x.repo.cfg.Apply.applies()) {
		return set.preview(ctx, why)
	}
	return set.apply(ctx)
}

// manifestSet is one manifest set under way.
type manifestSet struct {
	x         *execution
	id        string
	set       k8s.Set
	cluster   *k8s.Cluster
	inventory k8s.Inventory
	objects   []k8s.Object
	close     func()
}

func (x *execution) openSet(ctx context.Context, t task, m memory) (*manifestSet, error) {
	u := t.unit
	s := &manifestSet{x: x, id: u.ID, set: setOf(x.run.Repository, u)}
	if len(m.Inventory) > 0 {
		if err := json.Unmarshal(m.Inventory, &s.inventory); err != nil {
			return nil, fmt.Errorf("read the inventory of %s: %w", u.ID, err)
		}
	}
	var err error
	if u.Kubeconfig {
		kubeconfig, err := u.KubeconfigFrom(x.upstreamOutputs)
		if err != nil {
			return nil, err
		}
		var text string
		if err := json.Unmarshal(kubeconfig.JSON, &text); err != nil {
			return nil, fmt.Errorf("kubeconfig of %s: the output is no string", u.ID)
		}
		if s.cluster, err = k8s.Connect(k8s.ClusterConfig{Name: u.ID, Kubeconfig: []byte(text), Version: x.r.opts.Version}); err != nil {
			return nil, err
		}
		s.close = s.cluster.Close
		return s, nil
	}
	s.close = func() {} // the server's clusters stay connected
	s.cluster, err = x.r.clusters.connect(u.Cluster)
	return s, err
}

// render makes the objects of the set from the commit's files and the outputs of
// the workspaces it refers to.
func (x *execution) render(ctx context.Context, t task) ([]k8s.Object, error) {
	tree, err := x.checkouts.get(ctx, x.repo, x.run.Commit)
	if err != nil {
		return nil, err
	}
	return renderSet(t.unit, tree.Dir, x.upstreamOutputs, x.r.keys)
}

// renderSet makes the objects of a set from the files below root.
func renderSet(u *workspace.Unit, root string, outs upstreamOutputs, keys *k8s.Keys) ([]k8s.Object, error) {
	inputs, err := u.Inputs(outs)
	if err != nil {
		return nil, err
	}
	src := sourceOf(u, root, keys)
	for name, v := range inputs {
		src.Values[name] = k8s.Value{JSON: v.JSON, Sensitive: v.Sensitive, Unknown: v.Unknown}
	}
	return k8s.Render(src)
}

// sourceOf is where a set's files lie below root, without any values yet.
func sourceOf(u *workspace.Unit, root string, keys *k8s.Keys) k8s.Source {
	return k8s.Source{
		Root: root, Path: u.Path, Exclude: u.Exclude, Values: map[string]k8s.Value{}, Keys: keys,
		Chart: k8s.Chart{
			Release: u.Chart.Release, Namespace: u.Namespace, ValuesFiles: u.Chart.ValuesFiles,
			KubeVersion: u.Chart.KubeVersion, APIVersions: u.Chart.APIVersions, IgnoreHooks: u.Chart.IgnoreHooks,
		},
	}
}

func setOf(repository string, u *workspace.Unit) k8s.Set {
	return k8s.Set{ID: repository + "/" + u.ID, DefaultNamespace: u.Namespace, Prune: u.Prune, Force: u.Force, Timeout: u.Timeout}
}

// holdsManifests says why manifests may not be applied without a person, or "".
func (x *execution) holdsManifests() string {
	switch {
	case !x.repo.cfg.Apply.applies():
		return fmt.Sprintf("apply is %q", x.repo.cfg.Apply)
	case x.repo.cfg.HoldDirect:
		return "direct pushes are held"
	case x.repo.cfg.AutoApply != policies.NoDestroy && x.repo.cfg.AutoApply != policies.Always:
		return "auto_apply is never"
	}
	return ""
}

// preview finds out what the cluster would change, and changes nothing.
func (s *manifestSet) preview(ctx context.Context, why string) (outcome, error) {
	plan, err := s.cluster.Plan(ctx, s.set, s.objects, s.inventory)
	if err != nil {
		return outcome{}, err
	}
	var o outcome
	fillObjects(&o.UnitResult, plan.Result)
	switch {
	case o.Created+o.Configured+o.Pruned == 0:
		o.Status = Unchanged
	case !s.x.repo.cfg.Apply.applies():
		o.Status = Planned
	default:
		o.Status, o.Reason = Held, why
	}
	return o, nil
}

func (s *manifestSet) apply(ctx context.Context) (outcome, error) {
	s.phase(PhaseApply, "")
	linger, cancel := s.x.r.lingering(ctx, false)
	defer cancel()
	result, err := s.cluster.Apply(linger, s.set, s.objects, s.inventory, s.options())
	var o outcome
	o.began = false // server-side apply may be repeated at any time
	fillObjects(&o.UnitResult, result)
	o.remember = s.keepInventory(result.Inventory)
	if err != nil {
		return o, err
	}
	o.Status = Unchanged
	if o.Created+o.Configured+o.Pruned > 0 {
		o.Status = Applied
	}
	return o, nil
}

// remove deletes everything the set made: only after a person said so.
func (s *manifestSet) remove(ctx context.Context, t task, m memory) (outcome, error) {
	var o outcome
	if len(s.inventory.Items) == 0 {
		o.Status, o.gone = Unchanged, true
		return o, nil
	}
	if !t.approved || !s.x.repo.cfg.Apply.applies() {
		for _, item := range s.inventory.Items {
			o.Objects = append(o.Objects, ObjectResult{Ref: item.Ref(), Action: "pruned"})
		}
		o.Pruned = len(o.Objects)
		if !s.x.repo.cfg.Apply.applies() {
			o.Status = Planned
			return o, nil
		}
		o.Status, o.Reason = Held, fmt.Sprintf("the set is gone from the branch: this deletes its %s", count(o.Pruned, "object"))
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
		o.Notes = append(o.Notes, fmt.Sprintf("%s stay in the cluster because they are protected (namespaces, CRDs, volumes): delete them by hand", count(n, "object")))
	}
	return o, nil
}

func (s *manifestSet) options() k8s.ApplyOptions {
	return k8s.ApplyOptions{
		Save: s.save,
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
	u.Created, u.Configured, u.Same, u.Pruned = result.Created, result.Configured, result.Unchanged, result.Pruned
	for _, o := range result.Objects {
		u.Objects = append(u.Objects, ObjectResult{Ref: o.Ref, Action: string(o.Action), Health: string(o.Health), Message: cmp.Or(o.Error, o.Message)})
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
