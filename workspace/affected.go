package workspace

import (
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
	c := g.changes(paths)
	var out []string
	for _, id := range g.order {
		u := g.byID[id]
		if c.touch(u) || before != nil && g.redeclared(u, before) || before == nil && c.config && u.decl != nil {
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

// changes are changed paths, sorted out by what they can touch.
type changes struct {
	paths   []string
	files   map[string]bool
	modules map[string]bool // module directories that own a changed path
	config  bool            // mooring.hcl itself
}

func (g *Graph) changes(paths []string) *changes {
	c := &changes{files: map[string]bool{}, modules: map[string]bool{}}
	for _, p := range paths {
		p = path.Clean(p)
		if p == ConfigFile {
			c.config = true
			continue
		}
		c.paths = append(c.paths, p)
		c.files[p] = true
		if owner, ok := g.moduleOf(p); ok {
			c.modules[owner] = true
		}
		// A called module whose directory is gone is still called.
		dir, _ := splitPath(p)
		c.modules[dir] = true
	}
	return c
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

func (c *changes) touch(u *Unit) bool {
	if u.Kind == KindManifests {
		return c.touchSet(u)
	}
	for dir := range c.modules {
		if u.uses(dir) {
			return true
		}
	}
	for _, f := range u.Module.files {
		if c.files[f] {
			return true
		}
	}
	for _, t := range u.Module.trees {
		if c.touchTree(t) {
			return true
		}
	}
	return false
}

func (c *changes) touchTree(t treeRef) bool {
	return slices.ContainsFunc(c.paths, func(p string) bool {
		if !below(p, t.base) || p == t.base {
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
	})
}

func (c *changes) touchSet(u *Unit) bool {
	for _, f := range u.files {
		if c.files[f] {
			return true
		}
	}
	return slices.ContainsFunc(c.paths, func(p string) bool {
		if slices.ContainsFunc(u.trees, func(t string) bool { return below(p, t) }) {
			return true
		}
		if !below(p, u.realPath) || slices.ContainsFunc(u.Exclude, func(e string) bool { return below(p, e) }) {
			return false
		}
		_, name := splitPath(p)
		return !isConfigFile(name) // Terraform's files beside manifests are no manifests
	})
}

// Files names the units that each file of a tree affects directly; files that affect
// none are left out. tree must be the one that was scanned.
func (g *Graph) Files(tree Tree) (map[string][]string, error) {
	byModule := map[string][]string{}
	byFile := map[string][]string{}
	var wide []*Unit // with trees, or sets: asked file by file
	for _, u := range g.Units {
		if u.Kind == KindManifests {
			wide = append(wide, u)
			continue
		}
		for _, dir := range u.Module.ModuleDirs {
			byModule[dir] = append(byModule[dir], u.ID)
		}
		for _, f := range u.Module.files {
			byFile[f] = append(byFile[f], u.ID)
		}
		if len(u.Module.trees) > 0 {
			wide = append(wide, u)
		}
	}
	out := map[string][]string{}
	err := g.eachPath(tree, func(p string) {
		c := g.changes([]string{p})
		units := slices.Clone(byFile[p])
		for dir := range c.modules {
			units = append(units, byModule[dir]...)
		}
		for _, u := range wide {
			if c.touch(u) {
				units = append(units, u.ID)
			}
		}
		if c.config {
			for _, u := range g.Units {
				if u.decl != nil {
					units = append(units, u.ID)
				}
			}
		}
		if len(units) > 0 {
			out[p] = sortedUnique(units)
		}
	})
	return out, err
}
