package workspace

import (
	"hash/maphash"
	"path"
	"slices"
	"strings"
)

// moduleFacts is a directory with Terraform files: those files' facts in the order
// in which Terraform takes them. It never changes, and is the same value from scan
// to scan as long as none of its files changes.
type moduleFacts struct {
	dir      string
	stamp    uint64
	files    []moduleFile // primary files by name, then override files by name
	autoVars []moduleFile // terraform.tfvars and *.auto.tfvars, later ones win
	lock     *fileFacts   // nil without a committed lock file
	linked   []string     // real paths of files that are symbolic links here, and the links on the way
	override int          // index in files of the first override file
	refused  string       // why a file of it cannot be read
}

type moduleFile struct {
	name string
	*fileFacts
}

// buildModule reads the files of a directory; facts come from s.fileFacts.
func (s *scan) buildModule(d *dirIndex) *moduleFacts {
	m := &moduleFacts{dir: d.path}
	var overrides []moduleFile
	for _, f := range d.files {
		config := isConfigFile(f.name)
		if !isFactFile(f.name) {
			continue
		}
		p := path.Join(d.path, f.name)
		if f.link {
			real, passed, isDir, exists := s.ix.lookup(p)
			if !exists || isDir {
				if config {
					m.refused = p + " is a symbolic link that leads to no file of the repository"
				}
				continue
			}
			for _, link := range append(passed, real) {
				m.linked = append(m.linked, s.in.intern(link))
			}
			p = real
		}
		facts := s.facts[p]
		if facts == nil {
			continue
		}
		file := moduleFile{s.in.intern(f.name), facts}
		switch {
		case f.name == lockFile:
			m.lock = facts
		case !config:
			m.autoVars = append(m.autoVars, file)
		case isOverrideFile(f.name):
			overrides = append(overrides, file)
		default:
			m.files = append(m.files, file)
		}
	}
	m.override = len(m.files)
	m.files = append(m.files, overrides...)
	slices.SortStableFunc(m.autoVars, func(a, b moduleFile) int { return autoVarRank(a.name) - autoVarRank(b.name) })
	return m
}

// autoVarRank is Terraform's order: terraform.tfvars, its JSON form, then *.auto.tfvars by name.
func autoVarRank(name string) int {
	switch name {
	case "terraform.tfvars":
		return 0
	case "terraform.tfvars.json":
		return 1
	}
	return 2
}

// moduleStamp is equal for two directories whose relevant files are equal.
func (s *scan) moduleStamp(d *dirIndex) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, f := range d.files {
		if !isFactFile(f.name) {
			continue
		}
		id := f.id
		if f.link {
			if real, _, isDir, exists := s.ix.lookup(path.Join(d.path, f.name)); exists && !isDir {
				target, _ := s.ix.file(real)
				id = target.id
				h.WriteString(real)
			}
		}
		h.WriteString(f.name)
		h.WriteByte(0)
		h.Write(id[:])
	}
	return h.Sum64()
}

// placed is a fact with the file it stands in.
type placed[T any] struct {
	file string
	fact T
}

func (m *moduleFacts) path(name string) string { return path.Join(m.dir, name) }

func (m *moduleFacts) backend() *placed[*backendBlock] {
	for _, f := range slices.Backward(m.files) {
		if f.backend != nil {
			return &placed[*backendBlock]{m.path(f.name), f.backend}
		}
	}
	return nil
}

func (m *moduleFacts) cloud() *placed[int32] {
	for _, f := range m.files {
		if f.cloudLine > 0 {
			return &placed[int32]{m.path(f.name), f.cloudLine}
		}
	}
	return nil
}

// calls answers the module calls, override files merged as Terraform merges them:
// what an override says replaces, what it leaves out stays.
func (m *moduleFacts) calls() []placed[moduleCall] {
	var out []placed[moduleCall]
	for i, f := range m.files {
		for _, call := range f.fileFacts.calls {
			at := -1
			if i >= m.override {
				at = slices.IndexFunc(out, func(p placed[moduleCall]) bool { return p.fact.name == call.name })
			}
			if at < 0 {
				out = append(out, placed[moduleCall]{m.path(f.name), call})
				continue
			}
			merged := out[at].fact
			if call.source.set() {
				merged.source, out[at].file, merged.line = call.source, m.path(f.name), call.line
			}
			if call.version != "" {
				merged.version = call.version
			}
			merged.args = append(slices.Clone(merged.args), call.args...) // the last of a name wins
			out[at].fact = merged
		}
	}
	return out
}

func (m *moduleFacts) states() []placed[stateBlock] {
	var out []placed[stateBlock]
	for i, f := range m.files {
		for _, state := range f.fileFacts.states {
			at := -1
			if i >= m.override {
				at = slices.IndexFunc(out, func(p placed[stateBlock]) bool { return p.fact.name == state.name })
			}
			if at < 0 {
				out = append(out, placed[stateBlock]{m.path(f.name), state})
				continue
			}
			out[at] = placed[stateBlock]{m.path(f.name), mergeState(out[at].fact, state)}
		}
	}
	return out
}

func mergeState(base, over stateBlock) stateBlock {
	for _, pair := range [][2]*expr{
		{&base.backend, &over.backend}, {&base.workspace, &over.workspace}, {&base.config, &over.config},
	} {
		if pair[1].set() {
			*pair[0] = *pair[1]
		}
	}
	if over.repeat != nil {
		base.repeat = over.repeat
	}
	return base
}

// variable answers the declaration of a variable, override files last.
func (m *moduleFacts) variable(name string) (variable, bool) {
	var found variable
	var ok bool
	for _, f := range m.files {
		for _, v := range f.variables {
			if v.name != name {
				continue
			}
			if !v.def.set() {
				v.def = found.def
			}
			v.sensitive = v.sensitive || found.sensitive
			found, ok = v, true
		}
	}
	return found, ok
}

func (m *moduleFacts) local(name string) (placed[expr], bool) {
	for _, f := range slices.Backward(m.files) {
		for _, l := range f.locals {
			if l.name == name {
				return placed[expr]{m.path(f.name), l.expr}, true
			}
		}
	}
	return placed[expr]{}, false
}

func (m *moduleFacts) outputs() []output {
	var out []output
	for _, f := range m.files {
		out = append(out, f.fileFacts.outputs...)
	}
	return out
}

// marksRoot tells that the directory says itself that it is a root module.
func (m *moduleFacts) marksRoot() bool {
	if m.lock != nil {
		return true
	}
	return slices.ContainsFunc(m.files, func(f moduleFile) bool {
		return f.fileFacts.backend != nil || f.cloudLine > 0 || f.hasProvider || f.guessed != nil && f.guessed.root
	})
}

// localSource tells that a module source names a directory of the repository, and
// answers the directory, before links, relative to the caller's.
func localSource(callerDir, source string) (string, bool) {
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") {
		return "", false
	}
	return path.Join(callerDir, source), true
}
