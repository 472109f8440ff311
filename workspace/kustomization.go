package workspace

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

func isKustomization(name string) bool {
	return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization"
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json")
}

// parseKustomization keeps every string of a kustomization. Which of them are paths
// shows when the tree is asked: that needs no list of kustomize's fields, and can
// only take in too much. What is broken is for the applier to say.
func parseKustomization(src []byte, in *interner) *fileFacts {
	var doc any
	facts := &fileFacts{configFacts: &configFacts{}}
	if err := yaml.Unmarshal(src, &doc); err != nil {
		return facts
	}
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				collect(e)
			}
		case []any:
			for _, e := range v {
				collect(e)
			}
		case string:
			if v != "" && len(v) < 256 && !strings.ContainsAny(v, "\n") {
				facts.strings = append(facts.strings, in.intern(v))
				if _, file, ok := strings.Cut(v, "="); ok && file != "" { // name=file of a generator
					facts.strings = append(facts.strings, in.intern(file))
				}
			}
		}
	}
	collect(doc)
	slices.Sort(facts.strings)
	facts.strings = slices.Compact(facts.strings)
	return facts
}

// kustomizeUses answers the directories and files outside dir that its kustomization
// reaches: bases, components, patches. A directory is taken whole.
func (s *scan) kustomizeUses(dir string) (trees, files []string) {
	seen := map[string]bool{}
	var visit func(d string)
	visit = func(d string) {
		if seen[d] {
			return
		}
		seen[d] = true
		di := s.ix.dirs[d]
		if di == nil {
			return
		}
		for _, f := range di.files {
			if !isKustomization(f.name) {
				continue
			}
			facts := s.valueFile(path.Join(d, f.name))
			if facts == nil {
				continue
			}
			for _, text := range facts.strings {
				real, passed, isDir, exists := s.ix.lookup(path.Join(d, text))
				if !exists || real == d {
					continue
				}
				files = append(files, passed...)
				switch {
				case isDir && !below(d, real): // "." and what lies above is no base
					if !below(real, dir) {
						trees = append(trees, real)
					}
					visit(real)
				case !isDir && !below(real, dir):
					files = append(files, real)
				}
			}
		}
	}
	visit(dir)
	return sortedUnique(trees), sortedUnique(files)
}
