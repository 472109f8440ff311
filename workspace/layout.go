package workspace

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// layout lays mooring.hcl over the repository and makes the units of both.
type layout struct {
	scan  *scan
	cfg   *config
	units []*Unit
	byID  map[string]*Unit
	diags hcl.Diagnostics
	said  map[string]bool // diagnostics already in diags: a glob's units share their mistakes
}

func (l *layout) add(diags ...*hcl.Diagnostic) {
	for _, d := range diags {
		key := d.Summary + "\x00" + d.Detail
		if d.Subject != nil {
			key += "\x00" + d.Subject.String()
		}
		if !l.said[key] {
			l.said[key] = true
			l.diags = append(l.diags, d)
		}
	}
}

func (l *layout) run() {
	var claimed []claim
	for _, b := range l.cfg.blocks {
		if b.pattern == nil && !b.bad && b.kind == KindWorkspace {
			claimed = append(claimed, claim{b.dir, l.terraformWorkspace(b, nil)})
		}
	}
	for _, b := range l.cfg.blocks {
		if b.bad {
			continue
		}
		if b.kind == KindWorkspace {
			l.workspaces(b, claimed)
		} else {
			l.manifests(b)
		}
	}
	if l.cfg.discover {
		l.findWorkspaces()
	}
	l.exclude()
	if l.cfg.discover {
		l.findManifests()
	}
}

// claim is a directory and Terraform workspace that a plain block names.
type claim struct{ dir, workspace string }

func (l *layout) terraformWorkspace(b *block, match []string) string {
	attr := b.attrs["workspace"]
	if attr == nil {
		return defaultWorkspace
	}
	name, diags := stringValue(attr, match)
	if diags.HasErrors() {
		l.add(diags...)
		return defaultWorkspace
	}
	if err := CheckTerraformWorkspace(name); err != nil {
		l.add(fault(attr.Expr.Range(), "Bad Terraform workspace", sentence(err)))
		return defaultWorkspace
	}
	return name
}

func (l *layout) workspaces(b *block, claimed []claim) {
	if b.pattern == nil {
		if l.checkDir(b) {
			l.workspace(b, b.label, b.dir, nil)
		}
		return
	}
	found := 0
	for _, dir := range l.matching(b) {
		match, _ := b.pattern.match(dir)
		found++
		ws := l.terraformWorkspace(b, match)
		if slices.Contains(claimed, claim{dir, ws}) {
			continue // a block that names the directory itself says it better
		}
		l.workspace(b, unitID(dir, ws), dir, match)
	}
	if found == 0 {
		l.scan.warn(ConfigFile, b.rng.Start.Line, "workspace %q: no root module matches %s", b.label, b.dir)
	}
}

// unitID is the id of a workspace that has no label of its own.
func unitID(dir, workspace string) string {
	if workspace == defaultWorkspace {
		return dir
	}
	return dir + ":" + workspace
}

// matching answers the directories of a workspace glob. With ** it takes what the
// finding rule calls a root module; with * alone a person has counted the segments,
// and every directory with Terraform files is meant.
func (l *layout) matching(b *block) []string {
	var out []string
	if b.pattern.deep {
		for _, dir := range l.scan.found() {
			if _, ok := b.pattern.match(dir); ok {
				out = append(out, dir)
			}
		}
		return out
	}
	for dir := range l.scan.modules {
		if _, ok := b.pattern.match(dir); ok && CheckName(dir) == nil {
			out = append(out, dir)
		}
	}
	slices.Sort(out)
	return out
}

// checkDir holds a plain dir against the repository.
func (l *layout) checkDir(b *block) bool {
	real, _, isDir, exists := l.scan.ix.lookup(b.dir)
	switch {
	case exists && !isDir:
		l.add(fault(*b.subject("dir"), "Not a directory", fmt.Sprintf("%s is a file.", b.dir)))
	case !exists:
		l.add(fault(*b.subject("dir"), "No such directory", fmt.Sprintf("There is no directory %s in the repository.%s", b.dir, didYouMean(b.dir, l.scan.found()))))
	case l.scan.modules[real] == nil:
		l.add(fault(*b.subject("dir"), "No Terraform files", fmt.Sprintf("The directory %s has no *.tf or *.tf.json file.", b.dir)))
	default:
		return true
	}
	return false
}

func (l *layout) workspace(b *block, id, dir string, match []string) {
	u := &Unit{ID: l.scan.in.intern(id), Kind: KindWorkspace, Dir: l.scan.in.intern(dir), decl: b, match: match,
		File: ConfigFile, Line: b.rng.Start.Line, Prune: false}
	u.Workspace = l.terraformWorkspace(b, match)
	spec := &rootSpec{dir: u.Dir, workspace: u.Workspace, tool: "terraform"}
	if attr := b.attrs["tool"]; attr != nil {
		tool, diags := choiceValue(attr, match, "terraform", "tofu")
		l.add(diags...)
		spec.tool = tool
	}
	if attr := b.attrs["auto_apply"]; attr != nil {
		value, diags := choiceValue(attr, match, "always", "no_destroy", "never")
		l.add(diags...)
		u.AutoApply = value
	}
	if attr := b.attrs["var_files"]; attr != nil {
		u.VarFiles = l.files(attr, dir, match, "var file")
		spec.varFiles = u.VarFiles
	}
	if attr := b.attrs["backend_config"]; attr != nil {
		l.backendConfig(u, spec, attr)
	}
	l.mentioned(u, "variables", "outputs")
	l.mentioned(u, "depends_on", "depends_on")
	spec.variables = l.constantVariables(b, match)
	if l.register(u, b) {
		u.Module = l.scan.analyse(spec)
		u.Err = u.Module.err
	}
}

// files takes a list of files relative to the root module's directory.
func (l *layout) files(attr *hcl.Attribute, dir string, match []string, what string) []string {
	return l.paths(attr, dir, match, what, func(real string) {
		if facts := l.scan.valueFile(real); facts != nil && facts.broken.HasErrors() {
			l.add(relabel(facts.broken, real)...)
		}
	})
}

// paths is files for ones that are not HCL; take is called with each one's path, links followed.
func (l *layout) paths(attr *hcl.Attribute, dir string, match []string, what string, take func(real string)) []string {
	names, diags := stringsValue(attr, match)
	l.add(diags...)
	var out []string
	for _, name := range names {
		p := path.Join(dir, name)
		real, _, isDir, exists := l.scan.ix.lookup(p)
		switch {
		case path.IsAbs(name) || escapes(p):
			l.add(fault(attr.Expr.Range(), "Bad "+what, fmt.Sprintf("%q lies outside the repository.", name)))
		case !exists:
			l.add(fault(attr.Expr.Range(), "Missing "+what, fmt.Sprintf("There is no file %s in the repository; paths start at %s.", p, dir)))
		case isDir:
			l.add(fault(attr.Expr.Range(), "Bad "+what, fmt.Sprintf("%s is a directory.", p)))
		default:
			take(real)
			out = append(out, l.scan.in.intern(p))
		}
	}
	return out
}

// backendConfig takes a map of values, or a list of files.
func (l *layout) backendConfig(u *Unit, spec *rootSpec, attr *hcl.Attribute) {
	v, diags := staticValue(attr, u.match, cty.NilType)
	l.add(diags...)
	if diags.HasErrors() {
		return
	}
	if t := v.Type(); t.IsTupleType() || t.IsListType() || t.IsSetType() {
		u.backend = l.files(attr, u.Dir, u.match, "backend configuration file")
		spec.backendFiles = u.backend
		return
	}
	wrong := fault(attr.Expr.Range(), "Wrong type", "backend_config must be a map of values, or a list of files.")
	if v.IsNull() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		l.add(wrong)
		return
	}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		text, ok := asString(value)
		if !ok {
			l.add(wrong)
			return
		}
		name := key.AsString()
		if err := CheckName(name); err != nil || strings.ContainsAny(name, "= ") {
			l.add(fault(attr.Expr.Range(), "Bad backend_config", fmt.Sprintf("%q is no name of a setting.", name)))
			return
		}
		u.backend = append(u.backend, name+"="+text)
		spec.backendConfig = append(spec.backendConfig, Setting{name, text})
	}
}

// constantVariables tells the evaluation of Terraform's files what `variables` gives
// them: the constants, and which names come from outputs.
func (l *layout) constantVariables(b *block, match []string) map[string]cty.Value {
	attr := b.attrs["variables"]
	if attr == nil {
		return nil
	}
	object, ok := attr.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return nil
	}
	out := map[string]cty.Value{}
	for _, item := range object.Items {
		key, diags := item.KeyExpr.Value(eachContext(match))
		if diags.HasErrors() || !isKnownString(key) {
			continue
		}
		v, diags := item.ValueExpr.Value(eachContext(match))
		if diags.HasErrors() {
			v = cty.DynamicVal
		}
		out[key.AsString()], _ = v.UnmarkDeep()
	}
	return out
}

// register gives a unit its id, unless another unit has it.
func (l *layout) register(u *Unit, b *block) bool {
	if other := l.byID[u.ID]; other != nil {
		where := "found in " + other.place()
		if other.File != "" {
			where = fmt.Sprintf("declared as %s in line %d", other.Kind, other.Line)
		}
		l.add(fault(b.rng, "Duplicate id", fmt.Sprintf("The id %q is taken: it was %s already. Ids are one set for workspaces and manifests.", u.ID, where)))
		return false
	}
	l.byID[u.ID] = u
	l.units = append(l.units, u)
	return true
}

func (u *Unit) place() string {
	if u.Kind == KindManifests {
		return u.Path
	}
	return u.Dir
}

// findWorkspaces adds the root modules that no block names.
func (l *layout) findWorkspaces() {
	named := map[string]bool{}
	for _, u := range l.units {
		if u.Kind == KindWorkspace {
			named[u.Dir] = true
			if real, _, ok := l.scan.ix.resolve(u.Dir); ok {
				named[real] = true
			}
		}
	}
	for _, b := range l.cfg.blocks { // a block with a mistake has named its directory too
		if b.kind == KindWorkspace && b.pattern == nil && b.dir != "" {
			named[b.dir] = true
		}
	}
	for _, dir := range l.scan.found() {
		if named[dir] {
			continue
		}
		if other := l.byID[dir]; other != nil {
			l.add(fault(other.decl.rng, "Duplicate id", fmt.Sprintf("The id %q is that of the root module found in %s.", dir, dir)))
			continue
		}
		u := &Unit{ID: dir, Kind: KindWorkspace, Dir: dir, Workspace: defaultWorkspace}
		u.Module = l.scan.analyse(&rootSpec{dir: dir, workspace: defaultWorkspace, tool: "terraform"})
		u.Err = u.Module.err
		l.byID[dir] = u
		l.units = append(l.units, u)
	}
}

// mentioned records the units that an attribute refers to; they are looked up when
// all units are known.
func (l *layout) mentioned(u *Unit, name, why string) {
	attr := u.decl.attrs[name]
	if attr == nil {
		return
	}
	for _, t := range attr.Expr.Variables() {
		if t.RootName() == "each" && u.match == nil {
			l.add(fault(t.SourceRange(), "No each here", "each.match is what a glob's wildcards stood for, and this block has a plain directory."))
			return
		}
	}
	if why == "depends_on" {
		if _, ok := attr.Expr.(*hclsyntax.TupleConsExpr); !ok {
			l.add(fault(attr.Expr.Range(), "Wrong type", "depends_on must be a list such as [workspace.network]."))
			return
		}
	}
	found, diags := mentions(attr.Expr, u.match)
	l.add(diags...)
	if why == "depends_on" && len(found) < len(attr.Expr.(*hclsyntax.TupleConsExpr).Exprs) && !diags.HasErrors() {
		l.add(fault(attr.Expr.Range(), "Not a unit", "depends_on lists units: workspace.NAME, workspace[\"id\"], manifests.NAME or manifests[\"id\"], without quotes around them."))
	}
	for _, m := range found {
		if why == "outputs" {
			if diags := m.outputOf(); diags.HasErrors() {
				l.add(diags...)
				continue
			}
		} else if len(m.rest) > 0 {
			l.add(fault(m.rng, "Not a unit", fmt.Sprintf("depends_on lists units; leave out what follows %s.%s.", m.kind, m.name)))
			continue
		}
		u.refs = append(u.refs, ref{kind: m.kind, id: l.scan.in.intern(m.name), output: l.scan.in.intern(m.output), line: m.rng.Start.Line, why: why})
	}
}
