package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/mooring-iac/mooring/internal/charts"
	"github.com/mooring-iac/mooring/internal/terraform"
	"github.com/mooring-iac/mooring/internal/terraform/holder"
	"github.com/mooring-iac/mooring/internal/terraform/redact"
	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/policies"
	"github.com/mooring-iac/mooring/workspace"
)

// PreviewOptions says what `mooring plan` looks at.
type PreviewOptions struct {
	Dir  string                 // a working copy, as it lies
	Tree workspace.Tree         // the same, as discovery reads it
	Skip func(path string) bool // files of the working copy that do not count: ignored ones
	// Base is what the working copy is compared with: what it uses already is not new. Without one everything is.
	Base workspace.Tree
	// States is the directory in which a server keeps the states of this repository
	// that would lie in its checkout; "" where there is no such server here. They
	// are copied, so that the plan is one against what the server has applied.
	States string
	// Repository is the working copy's name in the server's configuration, which decides about clusters and whose
	// objects are whose; "" where it is not known, and the working copy is taken for any.
	Repository string
	// Own is what the server's configuration says of the repository's own rules.
	Own RepositoryPolicies
	// Kubeconfig is a file whose current context is the cluster that every manifest set is compared with, whatever
	// cluster it names; "" takes Clusters.
	Kubeconfig string
	Only       func(*workspace.Graph) ([]string, error) // the units to plan, with their dependants; nil is all

	LetRun bool // plan with a server's environment what preflight would hold: the person has looked at it
	// AsPerson gives Terraform the whole environment and the home of the person who
	// asks, as if they had typed terraform plan; else the allowlist holds.
	AsPerson bool

	Options // Env, Environ, Clusters, CLIConfig, Releases…, Parallel, Observe, Now; DataDir and Repositories are not used
}

// home is the person's own where they plan as themselves.
func (o *PreviewOptions) home() string {
	if !o.AsPerson {
		return ""
	}
	return environment(o.Environ, []string{"HOME"})["HOME"]
}

// asked is the environment that Terraform sees here.
func (o *PreviewOptions) asked() environments {
	if !o.AsPerson {
		return o.Options.environments(RepositoryConfig{})
	}
	env := map[string]string{}
	for _, kv := range o.Environ {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" && !terraform.Owned(name) {
			env[name] = value
		}
	}
	return environments{all: env}
}

// sandbox is none where people plan as themselves: their own credentials and home
// are what they ask for.
func (o *PreviewOptions) sandbox() terraform.Sandbox {
	if o.AsPerson {
		return terraform.Sandbox{Mode: "off"}
	}
	return terraform.Sandbox(o.Sandbox)
}

// Preview is what a working copy would change.
type Preview struct {
	Run  Run
	Logs map[string]string // Terraform's own words, by unit
}

// MakePreview plans the units of a working copy and changes nothing: no state, no
// cluster, no file in the working copy. Upstream outputs come from their state.
func MakePreview(ctx context.Context, opts PreviewOptions) (*Preview, error) {
	tmp, err := os.MkdirTemp("", "mooring-plan-")
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer os.RemoveAll(tmp)
	opts.DataDir = tmp
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	p := &previewer{opts: opts, outputs: map[string]map[string]workspace.Output{}, planned: map[string]map[string]workspace.Output{}, fresh: map[string]bool{}, preview: &Preview{Logs: map[string]string{}}}
	if p.clusters, err = newClusters(opts.Options); err != nil {
		return nil, err
	}
	defer p.clusters.close()
	if p.keys, err = k8s.ReadKeys(opts.Keys); err != nil {
		return nil, err
	}
	var names []string
	if len(opts.Clusters) > 0 && opts.Kubeconfig == "" {
		names = p.clusters.names(opts.Repository)
	}
	p.charts = newCharts(opts.Options)
	// Without a server's configuration nothing is allowed: the set that has such a chart says so, and the rest is planned.
	faults := ChartFaults(opts.Charts.Allow)
	scanner := workspace.NewScanner(workspace.ScannerOptions{Clusters: names, HealthFaults: HealthFaults, ChartFaults: faults})
	if p.graph, err = scanner.Scan(ctx, opts.Tree); err != nil {
		return nil, err
	}
	p.uses = p.usesBetween(ctx, scanner)
	p.tools = newTools(opts.Options)
	if p.home, err = terraform.New(tmp, terraform.Options{
		CLIConfig: opts.CLIConfig, PathEnv: os.Getenv("PATH"), PersonHome: opts.home(),
		Sandbox: opts.sandbox(), Timeouts: terraform.Timeouts(opts.Timeouts), AskHolder: holder.Ask,
	}); err != nil {
		return nil, err
	}
	if err := p.borrowState(); err != nil {
		return nil, err
	}
	if p.rules, err = previewRules(ctx, &opts); err != nil {
		return nil, err
	}
	ids := p.graph.Order()
	if opts.Only != nil {
		if ids, err = opts.Only(p.graph); err != nil {
			return nil, err
		}
	}
	return p.run(ctx, ids)
}

// borrowState copies the server's states to where this plan's Terraform looks.
func (p *previewer) borrowState() error {
	if p.opts.States == "" {
		return nil
	}
	if _, err := os.Stat(p.opts.States); errors.Is(err, fs.ErrNotExist) {
		return nil // the server has not applied anything yet
	}
	if err := os.CopyFS(p.home.StateDir(previewed), os.DirFS(p.opts.States)); err != nil {
		return fmt.Errorf("plan: copy the server's states: %w", err)
	}
	return nil
}

// StatesOf is where a server's data directory keeps the states of a repository
// that would lie in its checkout.
func StatesOf(dataDir, repository string) string { return terraform.StateDir(dataDir, repository) }

// previewed stands for the repository's name where only a working copy is known.
const previewed = "plan"

type previewer struct {
	opts     PreviewOptions
	graph    *workspace.Graph
	home     *terraform.Home
	tools    *terraform.Tools
	clusters *clusters
	keys     *k8s.Keys // what opens encrypted manifests
	charts   *charts.Store
	rules    judge
	uses     usesBetween

	mu      sync.Mutex // guards what follows
	preview *Preview
	outputs map[string]map[string]workspace.Output
	planned map[string]map[string]workspace.Output // by unit: what its outputs will be, known or not
	fresh   map[string]bool                        // units whose state lacks outputs that the plan would make
}

func (p *previewer) run(ctx context.Context, ids []string) (*Preview, error) {
	run := &p.preview.Run
	*run = Run{ID: "plan", Trigger: Manual, Status: Running, Started: p.opts.Now(), Units: []UnitResult{}}
	run.Notes = warnings(p.graph)
	for _, id := range ids {
		run.Units = append(run.Units, UnitResult{ID: id, Kind: Kind(p.graph.Unit(id).Kind), Status: Queued})
	}
	p.readUpstreams(ctx, ids)
	steps := graphSteps(p.graph, ids)
	sortSteps(steps, p.graph)
	p.opts.Observe(Event{Phase: PhaseBegin, Units: len(ids)})
	walk(ctx, steps, make(chan struct{}, p.opts.Parallel), func(id string) Status { return p.unit(ctx, id) })
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	end := p.opts.Now()
	run.Finished, run.Seconds = &end, seconds(end.Sub(run.Started))
	run.Settle()
	return p.preview, nil
}

// readUpstreams takes the outputs of units that are not planned here, and that
// planned ones refer to, from their state. One whose state cannot be read leaves
// its outputs unknown: what needs them is deferred, and says so.
func (p *previewer) readUpstreams(ctx context.Context, ids []string) {
	planned := map[string]bool{}
	for _, id := range ids {
		planned[id] = true
	}
	for _, e := range p.graph.Edges {
		if e.Why != "outputs" || !planned[e.To] || planned[e.From] {
			continue
		}
		planned[e.From] = true // once
		outs, err := p.readOutputs(ctx, p.graph.Unit(e.From))
		if err != nil {
			p.preview.Run.Notes = append(p.preview.Run.Notes, fmt.Sprintf("the outputs of %s are not known: %v", e.From, err))
			continue
		}
		p.outputs[e.From] = outs
	}
}

func (p *previewer) readOutputs(ctx context.Context, u *workspace.Unit) (map[string]workspace.Output, error) {
	if u.Err != nil {
		return nil, u.Err
	}
	spec, err := specWithoutVariables(ctx, p.tools, u, p.opts.asked())
	if err != nil {
		return nil, err
	}
	spec.Repository, spec.Tree, spec.Skip = previewed, p.opts.Dir, p.opts.Skip
	outs, err := outputsInState(ctx, p.home, spec)
	if err != nil {
		return nil, err
	}
	if missesOutput(u, outs) {
		return nil, errors.New("its state does not have them all: it is not applied yet")
	}
	return outs, nil
}

// outputsInState reads the outputs of a workspace from its state, in clear.
func outputsInState(ctx context.Context, home *terraform.Home, spec terraform.Spec) (map[string]workspace.Output, error) {
	s, err := home.Open(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Init(ctx, io.Discard); err != nil {
		return nil, err
	}
	read, err := s.Outputs(ctx)
	if err != nil {
		return nil, err
	}
	return outputsOf(read), nil
}

// outputsOf are Terraform's outputs in the words of the graph.
func outputsOf(read map[string]terraform.Output) map[string]workspace.Output {
	outs := make(map[string]workspace.Output, len(read))
	for name, o := range read {
		outs[name] = workspace.Output{JSON: o.JSON, Type: o.Type, Sensitive: o.Sensitive}
	}
	return outs
}

func (p *previewer) unit(ctx context.Context, id string) Status {
	u := p.graph.Unit(id)
	began := p.opts.Now()
	var log bytes.Buffer
	result, err := p.look(ctx, u, &log)
	switch {
	case errors.Is(err, errNotKnown), errors.Is(err, k8s.ErrUnknownValue): // the latter of charts, which need all values
		result.Status, result.Reason = Deferred, err.Error()
	case err != nil:
		result.Status, result.Error = Failed, err.Error()
	}
	result.ID, result.Kind = id, Kind(u.Kind)
	result.Started, result.Seconds = &began, seconds(p.opts.Now().Sub(began))
	p.mu.Lock()
	*p.preview.Run.Unit(id) = result
	if log.Len() > 0 {
		p.preview.Logs[id] = log.String()
	}
	p.mu.Unlock()
	p.opts.Observe(Event{Unit: id, Phase: PhaseDone, Status: result.Status, Text: joined(result.Reason, result.Error), Add: result.Add, Change: result.Change, Destroy: result.Destroy})
	return result.Status
}

func (p *previewer) look(ctx context.Context, u *workspace.Unit, log io.Writer) (UnitResult, error) {
	if u.Err != nil {
		return UnitResult{}, u.Err
	}
	p.mu.Lock()
	for _, up := range p.graph.Upstream(u.ID) {
		if r := p.preview.Run.Unit(up); r != nil && (r.Status == Failed || r.Status == Skipped) {
			p.mu.Unlock()
			return UnitResult{Status: Skipped, Reason: up + " " + saidOf(r.Status)}, nil
		}
	}
	for _, e := range p.graph.Edges {
		if e.To != u.ID || e.Why != "remote_state" {
			continue
		}
		if r := p.preview.Run.Unit(e.From); p.fresh[e.From] || r != nil && (r.Status == Deferred || r.Status == Held) {
			p.mu.Unlock()
			return UnitResult{Status: Deferred, Reason: fmt.Sprintf("it reads the state of %s, which is not applied yet", e.From)}, nil
		}
	}
	p.mu.Unlock()
	if Kind(u.Kind) == KindManifests {
		return p.manifests(ctx, u)
	}
	return p.workspace(ctx, u, log)
}

func (p *previewer) workspace(ctx context.Context, u *workspace.Unit, log io.Writer) (result UnitResult, failed error) {
	var said *policies.Verdict
	found, err := p.adds(u)
	if err != nil {
		return UnitResult{}, err
	}
	if status, why := p.mayRun(found); status != "" {
		result := UnitResult{Status: status, Reason: why, Policy: policyResult(found)}
		if status == Failed {
			result.Error, result.Reason = why, ""
		}
		return result, nil
	}
	defer func() { result.Policy = policyResult(withAdds(said, found)) }() // also of what cannot be planned
	p.opts.Observe(Event{Unit: u.ID, Phase: PhasePlan})
	variables, err := variablesOf(u, p.upstream)
	if err != nil {
		return UnitResult{}, err
	}
	spec, err := makeSpec(ctx, p.tools, u, variables, p.opts.asked())
	if err != nil {
		return UnitResult{}, err
	}
	hide := redact.New(spec.Secrets...)
	defer func() { failed = hide.Error(failed) }()
	spec.Repository, spec.Tree, spec.Skip = previewed, p.opts.Dir, p.opts.Skip
	s, err := p.home.Open(ctx, spec)
	if err != nil {
		return UnitResult{}, err
	}
	defer s.Close()
	if err := s.Init(ctx, io.Discard); err != nil {
		return UnitResult{}, err
	}
	plan, err := s.Plan(ctx, log, terraform.PlanOptions{})
	if err != nil {
		return UnitResult{}, err
	}
	result.Status = Unchanged
	if plan.Changes {
		result.Status = Planned
	}
	describe(&result, plan)
	if plan.Changes {
		hide.Add(plan.Secrets()...)
		said = hideFindings(p.rules.plan(ctx, plan.JSON, p.facts(u)), hide)
	}
	outs := outputsOf(plan.State.Outputs)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.planned[u.ID] = plannedOutputs(plan.JSON, outs)
	if plan.Changes && missesOutput(u, outs) {
		// A new output is not in the state yet: nothing can be said of what needs it.
		p.fresh[u.ID] = true
		return result, nil
	}
	p.outputs[u.ID] = outs
	return result, nil
}

// missesOutput tells whether the files declare an output that the state lacks.
func missesOutput(u *workspace.Unit, outs map[string]workspace.Output) bool {
	for _, name := range u.Module.Outputs {
		if _, ok := outs[name]; !ok {
			return true
		}
	}
	return false
}

// upstream gives a unit the outputs of another: the ones in its state.
func (p *previewer) upstream(id string) (map[string]workspace.Output, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	outs, ok := p.outputs[id]
	return outs, ok
}
