package workspace

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Affected answers the units that use one of the changed paths, and everything that
// depends on them, in graph order. before is the graph of the commit that the paths
// are counted from; it tells whose declaration in mooring.hcl changed. Without it a
// change of mooring.hcl affects every unit that it declares.
func (g *Graph) Affected(paths []string, before *Graph) []string {
	return g.WithDependants(g.Direct(paths, before))
}

// Direct answers only the units that use one of the changed paths themselves, in
// graph order. Deleted paths count as changed ones do.
func (g *Graph) Direct(paths []string, before *Graph) []string {
	uses, hit := g.uses(), map[*Unit]bool{}
	configured := false
	for _, p := range paths {
		p = path.Clean(p)
		if p == ConfigFile {
			configured = true
			continue
		}
		uses.of(p, func(u *Unit) { hit[u] = true })
	}
	var out []string
	for _, id := range g.order {
		u := g.byID[id]
		if hit[u] || before != nil && g.redeclared(u, before) || before == nil && configured && u.decl != nil {
			out = append(out, id)
		}
	}
	return out
}

// WithDependants adds everything downstream of the given units; unknown ids are left
// out. The answer is in graph order.
func (g *Graph) WithDependants(ids []string) []string {
	in := map[string]bool{}
	queue := slices.Clone(ids)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if in[id] || g.byID[id] == nil {
			continue
		}
		in[id] = true
		queue = append(queue, g.downstream[id]...)
	}
	out := make([]string, 0, len(in))
	for _, id := range g.order {
		if in[id] {
			out = append(out, id)
		}
	}
	return out
}

// redeclared tells that a unit is new, or that what mooring.hcl says of it changed.
func (g *Graph) redeclared(u *Unit, before *Graph) bool {
	old := before.byID[u.ID]
	return old == nil || old.ConfigDigest() != u.ConfigDigest() || old.place() != u.place() || old.Workspace != u.Workspace ||
		!slices.Equal(old.Exclude, u.Exclude)
}

// uses is the graph turned round: which units use a path.
type uses struct {
	graph    *Graph
	byModule map[string][]*Unit // by directory of a root or local module
	byFile   map[string][]*Unit
	byBase   map[string][]*Unit // by directory that counts with what lies below it
}

func (g *Graph) uses() *uses {
	s := &uses{graph: g, byModule: map[string][]*Unit{}, byFile: map[string][]*Unit{}, byBase: map[string][]*Unit{}}
	add := func(to map[string][]*Unit, key string, u *Unit) {
		if list := to[key]; len(list) == 0 || list[len(list)-1] != u {
			to[key] = append(list, u)
		}
	}
	for _, u := range g.Units {
		if u.Kind == KindManifests {
			add(s.byBase, u.realPath, u)
			for _, t := range u.trees {
				add(s.byBase, t, u)
			}
			for _, f := range u.files {
				add(s.byFile, f, u)
			}
			continue
		}
		for _, dir := range u.Module.ModuleDirs {
			add(s.byModule, dir, u)
		}
		for _, f := range u.Module.files {
			add(s.byFile, f, u)
		}
		for _, t := range u.Module.trees {
			add(s.byBase, t.base, u)
		}
	}
	return s
}

// of calls fn, some units more than once, for every unit that uses a path.
func (s *uses) of(p string, fn func(u *Unit)) {
	each := func(units []*Unit) {
		for _, u := range units {
			fn(u)
		}
	}
	dir, _ := splitPath(p)
	each(s.byFile[p])
	each(s.byModule[dir]) // a called module whose directory is gone is still called
	if owner, ok := s.graph.moduleOf(p); ok && owner != dir {
		each(s.byModule[owner])
	}
	for base := p; ; base = path.Dir(base) {
		for _, u := range s.byBase[base] {
			if u.takes(p) {
				fn(u)
			}
		}
		if base == "." {
			return
		}
	}
}

// moduleOf finds the module a file belongs to: the nearest directory above it with
// Terraform files, unless a manifest set or a hidden directory lies between.
func (g *Graph) moduleOf(p string) (string, bool) {
	dir, _ := splitPath(p)
	for {
		if g.hasModule(dir) {
			return dir, true
		}
		if _, ok := slices.BinarySearch(g.setPaths, dir); ok || dir == "." || strings.HasPrefix(path.Base(dir), ".") {
			return "", false
		}
		dir = path.Dir(dir)
	}
}

// takes tells that one of the unit's directories that count whole holds p.
func (u *Unit) takes(p string) bool {
	if u.Kind == KindWorkspace {
		return slices.ContainsFunc(u.Module.trees, func(t treeRef) bool { return t.takes(p) })
	}
	if slices.ContainsFunc(u.trees, func(t string) bool { return below(p, t) }) {
		return true
	}
	if !below(p, u.realPath) || slices.ContainsFunc(u.Exclude, func(e string) bool { return below(p, e) }) {
		return false
	}
	_, name := splitPath(p)
	return !isConfigFile(name) // Terraform's files beside manifests are no manifests
}

func (t treeRef) takes(p string) bool {
	if p == t.base || !below(p, t.base) {
		return p == t.base
	}
	if t.glob == "" || t.glob == "**" {
		return true
	}
	rest := p
	if t.base != "." {
		rest = p[len(t.base)+1:]
	}
	ok, err := doublestar.Match(t.glob, rest)
	return ok || err != nil
}

// Files names the units that each file of a tree affects directly; files that affect
// none are left out. tree must be the one that was scanned.
func (g *Graph) Files(tree Tree) (map[string][]string, error) {
	uses := g.uses()
	out := map[string][]string{}
	err := tree.Walk(func(p string, _ fs.FileMode, _ string) error {
		var units []string
		if p == ConfigFile {
			for _, u := range g.Units {
				if u.decl != nil {
					units = append(units, u.ID)
				}
			}
		} else {
			uses.of(p, func(u *Unit) { units = append(units, u.ID) })
		}
		if len(units) > 0 {
			out[p] = sortedUnique(units)
		}
		return nil
	})
	return out, err
}
