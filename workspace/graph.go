package workspace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Edge says that To runs after From.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Why  string `json:"why"` // outputs, remote_state or depends_on
	File string `json:"file"`
	Line int    `json:"line"`
}

// Warning is something that the repository's text does not tell, or that looks wrong
// and does not stop a run.
type Warning struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"`
}

func (w Warning) String() string {
	if w.Line == 0 {
		return w.File + ": " + w.Message
	}
	return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Message)
}

// Graph is what one scan found. It never changes, and may be read by many goroutines.
type Graph struct {
	Units    []*Unit        // by id
	Edges    []Edge         // by To, From, Why
	Warnings []Warning      // by file and line, each once
	Drift    *DriftSettings // the drift block at the top, nil when there is none

	byID       map[string]*Unit
	order      []string
	upstream   map[string][]string
	downstream map[string][]string
	moduleDirs []string // every directory with Terraform files, sorted
	setPaths   []string // the real paths of manifest sets, sorted
	links      linkMap
}

// graph makes the graph of the scanned files.
func (s *scan) graph() (*Graph, error) {
	cfg, diags, err := s.readConfig()
	if err != nil {
		return nil, err
	}
	l := &layout{scan: s, cfg: cfg, byID: map[string]*Unit{}, said: map[string]bool{}}
	l.add(diags...)
	if !diags.HasErrors() || len(cfg.blocks) > 0 {
		l.run()
	}
	if s.readErr != nil {
		return nil, s.readErr
	}
	g := &Graph{Units: l.units, Drift: cfg.drift, byID: l.byID}
	for _, u := range g.Units {
		if u.Kind == KindManifests {
			u.Health = cfg.health
		}
	}
	l.drifts()
	slices.SortFunc(g.Units, func(a, b *Unit) int { return strings.Compare(a.ID, b.ID) })
	l.connect(g)
	g.sortEdges()
	l.add(g.arrange()...)
	if len(l.diags) > 0 {
		e := &ConfigError{Diags: l.diags}
		e.sort()
		s.attachSources(e)
		return nil, e
	}
	s.finishGraph(g)
	return g, nil
}

func (s *scan) readConfig() (*config, hcl.Diagnostics, error) {
	real, _, isDir, exists := s.ix.lookup(ConfigFile)
	if !exists || isDir {
		return &config{discover: true}, nil, nil
	}
	src, err := s.ix.tree.ReadFile(real)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", ConfigFile, err)
	}
	cfg, diags := parseConfig(src, s.opts.HealthFaults)
	return cfg, withoutTrees(diags), nil
}

func (s *scan) warn(file string, line int, format string, args ...any) {
	s.warnings = append(s.warnings, Warning{File: file, Line: line, Message: fmt.Sprintf(format, args...)})
}

// found answers the root modules that the finding rule gives, apart from those whose
// directory has a name that cannot be used.
func (s *scan) found() []string {
	if s.foundRoots == nil {
		s.foundRoots = slices.DeleteFunc(s.rootModules(), func(dir string) bool {
			err := CheckName(dir)
			if err != nil {
				s.warn(dir, 0, "this root module is left out: %v", err)
			}
			return err != nil
		})
		if s.foundRoots == nil {
			s.foundRoots = []string{}
		}
	}
	return s.foundRoots
}

// connect makes the edges: what mooring.hcl refers to, and whose state is read.
func (l *layout) connect(g *Graph) {
	labels := map[string]*block{}
	of := map[*block][]*Unit{}
	for _, b := range l.cfg.blocks {
		if b.pattern != nil {
			labels[string(b.kind)+" "+b.label] = b
		}
	}
	for _, u := range g.Units {
		if u.decl != nil && u.decl.pattern != nil {
			of[u.decl] = append(of[u.decl], u)
		}
	}
	for _, u := range g.Units {
		for i := range u.refs {
			r := &u.refs[i]
			if target := l.byID[r.id]; target != nil && target.Kind == r.kind {
				l.referTo(g, u, r, target)
				continue
			}
			many := labels[string(r.kind)+" "+r.id]
			if many != nil && r.why == "depends_on" {
				for _, target := range of[many] {
					if target != u {
						g.Edges = append(g.Edges, Edge{target.ID, u.ID, r.why, u.File, r.line})
					}
				}
				continue
			}
			l.dangling(u, r, many)
		}
	}
	l.connectStates(g)
}

func (l *layout) referTo(g *Graph, u *Unit, r *ref, target *Unit) {
	g.Edges = append(g.Edges, Edge{target.ID, u.ID, r.why, u.File, r.line})
	if r.output == "" || target.Module == nil || target.Err != nil {
		return
	}
	if _, ok := slices.BinarySearch(target.Module.Outputs, r.output); !ok {
		l.add(fault(l.refRange(u, r), "No such output",
			fmt.Sprintf("The root module %s declares no output %q.%s", target.Dir, r.output, didYouMean(r.output, target.Module.Outputs))))
	}
}

func (l *layout) dangling(u *Unit, r *ref, many *block) {
	if many != nil {
		l.add(fault(l.refRange(u, r), "Many units", fmt.Sprintf("%s %q is a glob and makes many units; name one by its id: %s[\"…\"].outputs.", r.kind, r.id, r.kind)))
		return
	}
	if other := l.byID[r.id]; other != nil {
		l.add(fault(l.refRange(u, r), "Dangling reference", fmt.Sprintf("%q is a unit of the kind %s, not %s.", r.id, other.Kind, r.kind)))
		return
	}
	for _, b := range l.cfg.blocks {
		if b.label == r.id && b.kind == r.kind {
			return // declared, with a mistake that is told already
		}
	}
	var ids []string
	for id, unit := range l.byID {
		if unit.Kind == r.kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	l.add(fault(l.refRange(u, r), "Dangling reference", fmt.Sprintf("There is no %s %q.%s", noun(r.kind), r.id, didYouMean(r.id, ids))))
}

func noun(k Kind) string {
	if k == KindManifests {
		return "manifest set"
	}
	return "workspace"
}

// refRange finds the place of a ref again; only mistakes need it.
func (l *layout) refRange(u *Unit, r *ref) hcl.Range {
	for _, name := range []string{"variables", "values", "kubeconfig", "depends_on"} {
		attr := u.decl.attrs[name]
		if attr == nil {
			continue
		}
		found, _ := mentions(attr.Expr, u.match)
		for _, m := range found {
			if m.kind == r.kind && m.name == r.id && m.rng.Start.Line == r.line {
				if output, _ := stepName(m.rest, 1); r.why == "depends_on" || output == r.output {
					return m.rng
				}
			}
		}
	}
	return u.decl.rng
}

// connectStates matches every terraform_remote_state to the workspace that owns the state.
func (l *layout) connectStates(g *Graph) {
	owners := map[stateID][]*Unit{}
	byName := map[string][]*Unit{}
	for _, u := range g.Units {
		if u.Module == nil || u.Module.state.missing != "" || u.Module.state.name == "" {
			continue
		}
		id := stateID{name: u.Module.state.name, where: u.Module.state.where}
		owners[id] = append(owners[id], u)
		byName[id.name] = append(byName[id.name], u)
	}
	for _, u := range g.Units {
		if u.Module == nil {
			continue
		}
		for _, read := range u.Module.reads {
			targets := owners[stateID{name: read.id.name, where: read.id.where}]
			if len(targets) == 0 {
				targets = slices.DeleteFunc(slices.Clone(byName[read.id.name]), func(t *Unit) bool {
					return t.Module.state.where != "" && read.id.where != "" // both say where, and differ
				})
			}
			if len(targets) == 0 {
				l.scan.warn(read.file, read.line, "data.terraform_remote_state.%s reads %s, which no workspace of this repository owns", read.name, read.id.name)
			}
			for _, t := range targets {
				if t != u {
					g.Edges = append(g.Edges, Edge{t.ID, u.ID, "remote_state", read.file, read.line})
				}
			}
		}
	}
	for _, units := range owners {
		if len(units) > 1 {
			l.sharedState(units)
		}
	}
}

// sharedState refuses the classic slip, a copied backend block: whichever of the
// units ran last would destroy what the others made.
func (l *layout) sharedState(units []*Unit) {
	ids := make([]string, len(units))
	for i, u := range units {
		ids[i] = u.ID
	}
	for _, u := range units {
		file, line := u.Module.Backend.File, u.Module.Backend.Line
		if file == "" {
			file, line = u.File, u.Line
		}
		l.scan.warn(orText(file, u.Dir), line, "%s keep one state, %s: each would destroy what the others make", strings.Join(ids, " and "), u.StateIdentity())
		if u.Err == nil {
			u.Err = &RefusedError{
				Dir: u.Dir, File: orText(file, u.Dir), Line: line,
				Reason: fmt.Sprintf("%s keep one state, %s: give each a state of its own (key, prefix, path or workspace)", strings.Join(ids, " and "), u.StateIdentity()),
			}
		}
	}
}

func (g *Graph) sortEdges() {
	slices.SortFunc(g.Edges, func(a, b Edge) int {
		return cmp.Or(strings.Compare(a.To, b.To), strings.Compare(a.From, b.From), strings.Compare(a.Why, b.Why),
			strings.Compare(a.File, b.File), a.Line-b.Line)
	})
	g.Edges = slices.CompactFunc(g.Edges, func(a, b Edge) bool { return a.From == b.From && a.To == b.To && a.Why == b.Why })
}

func (s *scan) finishGraph(g *Graph) {
	for _, u := range g.Units {
		if u.Module != nil {
			s.warnings = append(s.warnings, u.Module.warnings...)
		} else {
			g.setPaths = append(g.setPaths, u.realPath)
		}
	}
	slices.SortFunc(s.warnings, func(a, b Warning) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Message, b.Message))
	})
	g.Warnings = slices.Clip(slices.Compact(s.warnings))
	g.moduleDirs = make([]string, 0, len(s.modules))
	for dir := range s.modules {
		g.moduleDirs = append(g.moduleDirs, s.modules[dir].dir)
	}
	slices.Sort(g.moduleDirs)
	slices.Sort(g.setPaths)
	g.links = s.ix.links
}

// Unit answers a unit by id, nil when there is none.
func (g *Graph) Unit(id string) *Unit { return g.byID[id] }

// Order answers all ids, each after everything it waits for; between units that do
// not wait for each other the ids decide.
func (g *Graph) Order() []string { return slices.Clone(g.order) }

// Upstream answers the units that id waits for directly, sorted.
func (g *Graph) Upstream(id string) []string { return slices.Clone(g.upstream[id]) }

// Downstream answers the units that wait for id directly, sorted.
func (g *Graph) Downstream(id string) []string { return slices.Clone(g.downstream[id]) }

// HasTerraform tells whether a directory, links followed, holds Terraform files.
func (g *Graph) HasTerraform(dir string) bool {
	dir, _, ok := g.links.resolve(dir)
	return ok && g.hasModule(dir)
}

func (g *Graph) hasModule(dir string) bool {
	_, ok := slices.BinarySearch(g.moduleDirs, dir)
	return ok
}
