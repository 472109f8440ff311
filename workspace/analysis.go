package workspace

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// analysis follows one root module through its local modules.
type analysis struct {
	scan  *scan
	spec  *rootSpec
	out   *RootModule
	seen  map[string]bool
	given func(name string) (known, bool)
	count int
	// what init depends on, gathered by module
	required, implied, calls, versions []string
	versionsAt                         []string
	filesets                           map[string]bool
	funcs                              map[string]function.Function
}

const mostModuleInstances = 2000

// analyse answers the facts of one root module, from the last scan when nothing that counts has changed.
func (s *scan) analyse(spec *rootSpec) *RootModule {
	key := spec.key()
	if old := s.oldRoots[key]; old != nil && s.holds(&old.checks) {
		s.roots[key] = old
		return old
	}
	a := &analysis{scan: s, spec: spec, out: &RootModule{Tool: spec.tool}, seen: map[string]bool{}, filesets: map[string]bool{}}
	a.run()
	s.roots[key] = a.out
	return a.out
}

func (s *scan) holds(c *rootChecks) bool {
	if !s.sameLinks {
		return false
	}
	for _, m := range c.modules {
		if s.modules[m.dir] != m.module {
			return false
		}
	}
	for _, p := range c.paths {
		entry, isFile := s.ix.file(p.path)
		isDir := s.ix.dirs[p.path] != nil
		if isDir != p.dir || (isFile || isDir) != p.exists || p.id != (fileID{}) && p.id != entry.id {
			return false
		}
	}
	return true
}

func (a *analysis) run() {
	dir, passed, ok := a.scan.ix.resolve(a.spec.dir)
	if !ok {
		dir = a.spec.dir
	}
	a.addFiles(passed...)
	mod := a.scan.modules[dir]
	if mod == nil {
		a.out.ModuleDirs = []string{dir}
		a.out.err = fmt.Errorf("%s: no Terraform files", a.spec.dir)
		return
	}
	a.prepareVariables(mod)
	root := a.newScope(mod, nil, nil)
	a.backend(root)
	a.walk(root)
	for _, f := range a.spec.varFiles {
		a.use(f)
	}
	a.finish(mod)
	a.sensitiveValues(root)
}

func (a *analysis) newScope(mod *moduleFacts, parent *scope, args map[string]expr) *scope {
	return &scope{an: a, mod: mod, parent: parent, args: args, call: anyInstance, block: anyInstance,
		vars: map[string]known{}, locals: map[string]known{}, busy: map[string]bool{}}
}

// prepareVariables finds the root's variable values in Terraform's order: automatic
// variable files, then var_files, then variables, each over the one before.
func (a *analysis) prepareVariables(mod *moduleFacts) {
	var plain *scope
	files := slices.Clone(mod.autoVars)
	for _, p := range a.spec.varFiles {
		if facts := a.scan.valueFile(p); facts != nil {
			files = append(files, moduleFile{p, facts})
		}
	}
	a.given = func(name string) (known, bool) {
		if v, ok := a.spec.variables[name]; ok {
			if !v.IsWhollyKnown() {
				return known{v, "var." + name + " comes from an output"}, true
			}
			return known{v, ""}, true
		}
		for _, f := range slices.Backward(files) {
			for _, v := range f.values {
				if v.name == name {
					if plain == nil {
						plain = a.newScope(mod, nil, nil)
					}
					return plain.eval(v.expr), true
				}
			}
		}
		return known{}, false
	}
}

// walk takes in one instance of a module and goes on to those it calls.
func (a *analysis) walk(sc *scope) {
	a.count++
	first := !a.seen[sc.mod.dir]
	a.seen[sc.mod.dir] = true
	if first {
		a.gather(sc.mod)
	}
	if first || a.scan.needs(sc.mod) {
		a.remoteStates(sc)
		a.pathRefs(sc)
	}
	for _, call := range sc.mod.calls() {
		a.follow(sc, call, first)
	}
}

func (a *analysis) follow(sc *scope, call placed[moduleCall], first bool) {
	source, why := sc.text(call.fact.source)
	if why != "" {
		if first {
			a.warn(call.file, call.fact.line, "module %q: its source cannot be told: %s", call.fact.name, why)
		}
		return
	}
	if first {
		a.calls = append(a.calls, strings.Join([]string{sc.mod.dir, call.fact.name, source, call.fact.version}, "\x00"))
	}
	target, local := localSource(sc.mod.dir, source)
	if !local {
		return
	}
	real, passed, ok := a.scan.ix.resolve(target)
	a.addFiles(passed...)
	if !ok {
		if first {
			a.warn(call.file, call.fact.line, "module %q: %s lies outside the repository", call.fact.name, source)
		}
		return
	}
	mod := a.scan.modules[real]
	if mod == nil {
		if first {
			a.warn(call.file, call.fact.line, "module %q: there are no Terraform files in %s", call.fact.name, real)
		}
		if !a.seen[real] {
			a.seen[real] = true
			a.out.checks.modules = append(a.out.checks.modules, moduleCheck{real, nil})
		}
		return
	}
	for s := sc; s != nil; s = s.parent {
		if s.mod == mod {
			return // a module that calls itself; Terraform says so
		}
	}
	if a.seen[real] && !a.scan.needs(mod) || a.count > mostModuleInstances {
		return
	}
	args := make(map[string]expr, len(call.fact.args))
	for _, arg := range call.fact.args {
		args[arg.name] = arg.expr
	}
	all := []instance{anyInstance}
	if a.scan.needs(mod) {
		if told, _ := sc.instances(call.fact.repeat); len(told) > 0 { // count = 0 still loads the module
			all = told
		}
	}
	for _, one := range all {
		child := a.newScope(mod, sc, args)
		child.call = one
		a.walk(child)
	}
}

// gather takes what one module directory says whatever instance it is.
func (a *analysis) gather(mod *moduleFacts) {
	a.out.checks.modules = append(a.out.checks.modules, moduleCheck{mod.dir, mod})
	a.addFiles(mod.linked...)
	if mod.refused != "" && a.out.err == nil {
		a.out.err = fmt.Errorf("%s: %s", mod.dir, mod.refused)
	}
	var broken hcl.Diagnostics
	for _, f := range slices.Concat(mod.files, mod.autoVars) {
		if f.broken.HasErrors() {
			broken = append(broken, relabel(f.broken, mod.path(f.name))...)
		}
		a.implied = append(a.implied, f.implied...)
		for _, p := range f.required {
			a.required = append(a.required, p.name+"="+p.text)
			if p.source != "" {
				a.out.Providers = append(a.out.Providers, p.source)
			}
		}
		for _, v := range f.requiredVersion {
			if v.form == formLiteral {
				a.versions = append(a.versions, v.text)
				a.versionsAt = append(a.versionsAt, fmt.Sprintf("%s:%d", mod.path(f.name), v.line))
			}
		}
	}
	if broken.HasErrors() {
		var own *ConfigError
		if prior, ok := a.out.err.(*ConfigError); ok {
			own = prior
		} else {
			own = &ConfigError{}
			a.out.err = own
		}
		own.Diags = append(own.Diags, broken...)
		a.scan.attachSources(own)
	}
}

// relabel gives the diagnostics of shared content the file they are shown for.
func relabel(diags hcl.Diagnostics, file string) hcl.Diagnostics {
	out := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		if d.Subject != nil {
			subject := *d.Subject
			subject.Filename = file
			c.Subject = &subject
		}
		if d.Context != nil {
			context := *d.Context
			context.Filename = file
			c.Context = &context
		}
		out[i] = &c
	}
	return out
}

func (a *analysis) refuse(file string, line int, reason string) {
	if a.out.err == nil {
		a.out.err = &RefusedError{Dir: a.spec.dir, Reason: reason, File: file, Line: line}
	}
}

func (a *analysis) pathOf(p string) (string, bool) {
	real, inside := repoPath(p, a.spec.dir)
	return a.scan.in.intern(real), inside
}

func (a *analysis) warn(file string, line int32, format string, args ...any) {
	a.out.warnings = append(a.out.warnings, Warning{File: a.scan.in.intern(file), Line: int(line), Message: a.scan.in.intern(fmt.Sprintf(format, args...))})
}

func (a *analysis) addFiles(files ...string) {
	for _, f := range files {
		a.out.files = append(a.out.files, a.scan.in.intern(f))
	}
}

// use takes a file whose content counts.
func (a *analysis) use(p string) {
	real, passed, _, exists := a.scan.ix.lookup(p)
	a.addFiles(passed...)
	a.addFiles(real)
	entry, _ := a.scan.ix.file(real)
	a.out.checks.paths = append(a.out.checks.paths, pathCheck{path: a.scan.in.intern(real), id: entry.id, exists: exists})
}

func (a *analysis) finish(mod *moduleFacts) {
	out := a.out
	out.HasLockFile = mod.lock != nil
	out.RequiredVersion, out.RequiredAt = a.unique(a.versions), a.unique(a.versionsAt)
	out.Providers = a.unique(out.Providers)
	out.LocalStatePaths, out.OutsideStatePaths = a.unique(out.LocalStatePaths), a.unique(out.OutsideStatePaths)
	out.files = a.unique(out.files)
	out.ModuleDirs = a.unique(slices.Collect(maps.Keys(a.seen)))
	var sensitive, outputs []string
	for _, f := range mod.files {
		for _, v := range f.variables {
			if v.sensitive {
				sensitive = append(sensitive, v.name)
			}
		}
	}
	for _, o := range mod.outputs() {
		outputs = append(outputs, o.name)
	}
	out.SensitiveVariables, out.Outputs = a.unique(sensitive), a.unique(outputs)
	out.InitInputs = a.initInputs(mod)
	out.checks.modules, out.checks.paths = slices.Clip(out.checks.modules), slices.Clip(out.checks.paths)
	out.warnings, out.reads, out.trees = slices.Clip(out.warnings), slices.Clip(out.reads), slices.Clip(out.trees)
}

// sensitiveValues finds what the repository's own files say the sensitive variables
// are: whoever prints anything of this root has to hide that.
func (a *analysis) sensitiveValues(root *scope) {
	for _, name := range a.out.SensitiveVariables {
		k := root.variable(name)
		plain, _ := k.value.UnmarkDeep()
		if k.why != "" || plain.IsNull() || !plain.IsWhollyKnown() {
			continue
		}
		if raw, err := ctyjson.Marshal(plain, plain.Type()); err == nil {
			a.out.SensitiveValues = append(a.out.SensitiveValues, raw)
		}
	}
}

// initInputs follows "skip init while its inputs have not changed".
func (a *analysis) initInputs(mod *moduleFacts) []byte {
	h := sha256.New()
	part := func(name string, values ...string) {
		fmt.Fprintf(h, "%s %d\n", name, len(values))
		for _, v := range values {
			fmt.Fprintf(h, "%d %s\n", len(v), v)
		}
	}
	b := &a.out.Backend
	part("tool", a.spec.tool)
	part("backend", b.Type)
	for _, s := range b.Settings {
		part("setting", s.Name, s.Value)
	}
	if block := mod.backend(); block != nil { // as written: what could not be told counts too
		for _, c := range block.fact.config {
			part("config", c.name, c.expr.text)
		}
		part("nested", block.fact.nested)
	}
	part("required", sortedUnique(a.required)...)
	part("implied", sortedUnique(a.implied)...)
	part("calls", sortedUnique(a.calls)...)
	if mod.lock != nil {
		part("lock", string(mod.lock.sum[:]))
	}
	return h.Sum(nil)
}

func sortedUnique(in []string) []string {
	slices.Sort(in)
	return slices.Compact(in)
}

// unique sorts, and answers one list for all roots that have an equal one.
func (a *analysis) unique(in []string) []string {
	in = sortedUnique(in)
	if len(in) == 0 {
		return nil
	}
	key := strings.Join(in, "\x00")
	if have := a.scan.lists[key]; have != nil {
		return have
	}
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = a.scan.in.intern(s)
	}
	a.scan.lists[key] = out
	return out
}
