package workspace

import (
	"path"
	"slices"
	"strings"
)

// rootModules finds root modules: a directory with Terraform files that says so
// itself (backend, cloud or provider block, lock file), or that no other directory
// uses as a module and that is not below a modules/ directory.
func (s *scan) rootModules() []string {
	used := s.usedAsModule()
	var roots []string
	for dir, m := range s.modules {
		if m.marksRoot() || !used[dir] && !belowModules(dir) {
			roots = append(roots, dir)
		}
	}
	slices.Sort(roots)
	return roots
}

// usedAsModule answers the directories that another directory calls as a module.
func (s *scan) usedAsModule() map[string]bool {
	used := map[string]bool{}
	use := func(from, source string) {
		target, ok := localSource(from, source)
		if !ok {
			return
		}
		if real, _, ok := s.ix.resolve(target); ok && real != from {
			used[real] = true
		}
	}
	for dir, m := range s.modules {
		for _, f := range m.files {
			for _, call := range f.fileFacts.calls {
				source := call.source
				if source.form == formLiteral {
					use(dir, source.text)
				} else if text, why := s.constantText(m, source); why == "" {
					use(dir, text)
				}
			}
			if f.guessed != nil {
				for _, source := range f.guessed.sources {
					use(dir, source)
				}
			}
		}
	}
	return used
}

// constantText evaluates an expression of a module with its own defaults.
func (s *scan) constantText(m *moduleFacts, e expr) (string, string) {
	a := &analysis{scan: s, spec: &rootSpec{dir: m.dir, workspace: defaultWorkspace}, out: &RootModule{}, seen: map[string]bool{}}
	a.prepareVariables(m)
	return a.newScope(m, nil, nil).text(e)
}

func belowModules(dir string) bool {
	segments := strings.Split(path.Dir(dir), "/")
	return slices.Contains(segments, "modules")
}
