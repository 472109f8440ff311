package workspace

import (
	"fmt"
	"path"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// defaultManifests is the directory whose manifests need no block.
const defaultManifests = "k8s"

func (l *layout) manifests(b *block) {
	if b.pattern == nil {
		_, _, isDir, exists := l.scan.ix.lookup(b.dir)
		switch {
		case !exists:
			l.add(fault(*b.subject("path"), "No such directory", fmt.Sprintf("There is no directory %s in the repository.", b.dir)))
		case !isDir:
			l.add(fault(*b.subject("path"), "Not a directory", fmt.Sprintf("%s is a file; name the directory of the manifests.", b.dir)))
		default:
			l.manifestSet(b, b.label, b.dir, nil)
		}
		return
	}
	dirs := l.matchingManifests(b)
	for _, dir := range dirs {
		match, _ := b.pattern.match(dir)
		if slices.ContainsFunc(l.cfg.blocks, func(o *block) bool {
			return o.kind == KindManifests && o.pattern == nil && !o.bad && o.dir == dir
		}) {
			continue // a block that names the directory itself says it better
		}
		l.manifestSet(b, dir, dir, match)
	}
	if len(dirs) == 0 {
		l.scan.warn(ConfigFile, b.rng.Start.Line, "manifests %q: no directory with manifests matches %s", b.label, b.dir)
	}
}

// matchingManifests answers the directories of a glob that hold manifests, the
// outermost of those that lie in one another. With ** a directory must hold some
// itself, or the top of the tree would always be the only answer.
func (l *layout) matchingManifests(b *block) []string {
	holds := map[string]bool{}
	for dir, d := range l.scan.ix.dirs {
		if !slices.ContainsFunc(d.files, func(f fileEntry) bool { return isYAML(f.name) || isKustomization(f.name) }) {
			continue
		}
		holds[dir] = true
		for p := path.Dir(dir); !b.pattern.deep && p != "." && !holds[p]; p = path.Dir(p) {
			holds[p] = true
		}
	}
	var out []string
	for dir := range holds {
		if _, ok := b.pattern.match(dir); ok && CheckName(dir) == nil {
			out = append(out, dir)
		}
	}
	slices.Sort(out)
	chosen := map[string]bool{}
	return slices.DeleteFunc(out, func(dir string) bool {
		for p := path.Dir(dir); p != "."; p = path.Dir(p) {
			if chosen[p] {
				return true
			}
		}
		chosen[dir] = true
		return false
	})
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (l *layout) manifestSet(b *block, id, dir string, match []string) {
	u := &Unit{ID: l.scan.in.intern(id), Kind: KindManifests, Path: l.scan.in.intern(dir), Prune: true,
		decl: b, match: match, File: ConfigFile, Line: b.rng.Start.Line}
	take := func(name string, set func(attr *hcl.Attribute) hcl.Diagnostics) {
		if attr := b.attrs[name]; attr != nil {
			l.add(set(attr)...)
		}
	}
	take("cluster", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Cluster, diags = stringValue(attr, match)
		if !diags.HasErrors() && l.scan.opts.Clusters != nil && !slices.Contains(l.scan.opts.Clusters, u.Cluster) {
			diags = append(diags, fault(attr.Expr.Range(), "Unknown cluster",
				unknownCluster(u.Cluster, l.scan.opts.Clusters)))
		}
		return diags
	})
	take("prune", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Prune, diags = boolValue(attr, match)
		return diags
	})
	take("force", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Force, diags = boolValue(attr, match)
		return diags
	})
	take("timeout", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Timeout, diags = durationValue(attr, match)
		return diags
	})
	take("on_failure", func(attr *hcl.Attribute) hcl.Diagnostics {
		text, diags := stringValue(attr, match)
		u.OnFailure = OnFailure(text)
		if !diags.HasErrors() && u.OnFailure != HoldOnFailure && u.OnFailure != RollBack {
			diags = append(diags, fault(attr.Expr.Range(), "Bad on_failure", fmt.Sprintf("%q is neither \"hold\" nor \"rollback\".", text)))
		}
		return diags
	})
	take("namespace", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Namespace, diags = stringValue(attr, match)
		if !diags.HasErrors() && !dnsLabel.MatchString(u.Namespace) {
			diags = append(diags, fault(attr.Expr.Range(), "Bad namespace", fmt.Sprintf("%q is no name of a Kubernetes namespace.", u.Namespace)))
		}
		return diags
	})
	take("kubeconfig", func(attr *hcl.Attribute) hcl.Diagnostics {
		u.Kubeconfig = true
		if b.attrs["cluster"] != nil {
			return hcl.Diagnostics{fault(attr.NameRange, "Two clusters", "Say cluster or kubeconfig, not both.")}
		}
		if found, diags := mentions(attr.Expr, match); len(found) == 0 && !diags.HasErrors() {
			return hcl.Diagnostics{fault(attr.Expr.Range(), "Not an output", "kubeconfig comes from an output: workspace.NAME.outputs.NAME. For a cluster of the server's configuration say cluster.")}
		}
		return nil
	})
	l.access(u, take)
	l.chart(b, u, match)
	l.mentioned(u, "values", "outputs")
	l.mentioned(u, "kubeconfig", "outputs")
	l.mentioned(u, "depends_on", "depends_on")
	if l.register(u, b) {
		l.reach(u)
	}
}

// reach finds what a set's kustomization uses outside its own directory.
func (l *layout) reach(u *Unit) {
	real, passed, _, _ := l.scan.ix.lookup(u.Path)
	u.realPath = l.scan.in.intern(real)
	u.trees, u.files = l.scan.kustomizeUses(real)
	u.files = append(append(u.files, passed...), u.Chart.ValuesFiles...)
	for i, f := range u.files {
		u.files[i] = l.scan.in.intern(f)
	}
	for i, t := range u.trees {
		u.trees[i] = l.scan.in.intern(t)
	}
}

// exclude takes the path of every set out of the sets around it: an object belongs to one.
func (l *layout) exclude() {
	var paths []string
	for _, u := range l.units {
		if u.Kind == KindManifests {
			paths = append(paths, u.Path)
		}
	}
	paths = sortedUnique(paths)
	for _, u := range l.units {
		if u.Kind == KindManifests {
			u.Exclude = strictlyBelow(paths, u.Path)
		}
	}
}

// strictlyBelow cuts what lies below dir out of sorted paths.
func strictlyBelow(sorted []string, dir string) []string {
	if dir == "." {
		return slices.DeleteFunc(slices.Clone(sorted), func(p string) bool { return p == "." })
	}
	from, _ := slices.BinarySearch(sorted, dir+"/")
	to, _ := slices.BinarySearch(sorted, dir+"0") // the character after the slash
	if from == to {
		return nil
	}
	return slices.Clone(sorted[from:to])
}

// findManifests makes the k8s directory at the top one set, without what blocks
// take out of it. The base of an overlay that a block names is out as well: applied
// by itself it would be a second copy.
func (l *layout) findManifests() {
	if l.scan.ix.dirs[defaultManifests] == nil {
		return
	}
	for _, b := range l.cfg.blocks {
		if b.kind == KindManifests && b.dir == defaultManifests {
			return
		}
	}
	var taken []string
	for _, u := range l.units {
		if u.Kind == KindManifests {
			taken = append(append(taken, u.Path), u.trees...)
		}
	}
	excluded := strictlyBelow(sortedUnique(taken), defaultManifests)
	for _, u := range l.units {
		if u.Kind == KindManifests && slices.Contains(u.trees, defaultManifests) {
			return // k8s itself is the base of a set
		}
	}
	if !l.scan.holdsManifests(defaultManifests, excluded) {
		return
	}
	if other := l.byID[defaultManifests]; other != nil {
		detail := fmt.Sprintf("The id %q is that of the manifests found in %s/; give one of them another name.", defaultManifests, defaultManifests)
		if other.decl != nil {
			l.add(fault(other.decl.rng, "Duplicate id", detail))
			return
		}
		// Terraform files in k8s/ itself: the workspace keeps the id that its directory gives it.
		l.scan.warn(path.Join(defaultManifests), 0, "%s/ holds Terraform files and manifests; name the manifests in %s to have them applied", defaultManifests, ConfigFile)
		return
	}
	u := &Unit{ID: defaultManifests, Kind: KindManifests, Path: defaultManifests, Prune: true, Exclude: excluded}
	l.reach(u)
	l.byID[u.ID] = u
	l.units = append(l.units, u)
}

func (s *scan) holdsManifests(dir string, excluded []string) bool {
	for p, d := range s.ix.dirs {
		if !below(p, dir) || slices.ContainsFunc(excluded, func(e string) bool { return below(p, e) }) {
			continue
		}
		if slices.ContainsFunc(d.files, func(f fileEntry) bool { return isYAML(f.name) || isKustomization(f.name) }) {
			return true
		}
	}
	return false
}
