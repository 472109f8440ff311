package workspace

import (
	"path"
	"slices"
	"strings"
)

// pathRefs takes in the files that a module instance names, apart from what lies in
// a module's own directory: that counts anyway.
func (a *analysis) pathRefs(sc *scope) {
	for _, f := range sc.mod.files {
		for i := range f.paths {
			if f.paths[i].fn == "fileset" {
				ref := &f.paths[i]
				if p, inside, why := a.pathText(sc, ref); why == "" && inside {
					a.filesets[p] = true
				}
			}
		}
	}
	for _, f := range sc.mod.files {
		file := sc.mod.path(f.name)
		for i := range f.paths {
			a.pathRef(sc, file, &f.paths[i])
		}
	}
}

// pathText answers the repository path of a reference.
func (a *analysis) pathText(sc *scope, ref *pathRef) (p string, inside bool, why string) {
	if ref.dynamic.set() {
		text, why := sc.text(ref.dynamic)
		if why != "" {
			return "", false, why
		}
		p, inside = repoPath(text, a.spec.dir)
		return p, inside, ""
	}
	p, inside = a.constant(sc, ref)
	return p, inside, ""
}

// constant answers the path of a reference's constant part.
func (a *analysis) constant(sc *scope, ref *pathRef) (string, bool) {
	if ref.base == baseModule {
		p := path.Join(sc.mod.dir, ref.prefix)
		return p, !escapes(p)
	}
	return repoPath(ref.prefix, a.spec.dir)
}

func (a *analysis) pathRef(sc *scope, file string, ref *pathRef) {
	p, inside, why := a.pathText(sc, ref)
	if why != "" {
		a.unresolvedPath(sc, file, ref, why)
		return
	}
	if !inside {
		if ref.fn != "" {
			a.warn(file, ref.line, "%s reads %s, which is outside the repository: its changes are not seen", ref.fn, strings.TrimPrefix(p, repoMark))
		}
		return
	}
	real, passed, isDir, exists := a.scan.ix.lookup(p)
	if ref.fn == "" {
		a.mention(p, real, passed, isDir, exists)
		return
	}
	a.addFiles(passed...)
	a.check(real, isDir, exists)
	if ref.fn == "fileset" {
		a.addTree(real, ref.glob)
		if !exists {
			a.warn(file, ref.line, "fileset reads %s, which is not in the repository", p)
		}
		return
	}
	a.addFiles(real)
	if !exists && ref.fn != "fileexists" {
		a.warn(file, ref.line, "%s reads %s, which is not in the repository", ref.fn, p)
	}
}

// mention takes a path that is named outside the file functions. Such text need not
// be a path at all, so it counts only where something stands.
func (a *analysis) mention(p, real string, passed []string, isDir, exists bool) {
	if first, _, cut := strings.Cut(p, " "); cut && !exists { // a command and its arguments
		real, passed, isDir, exists = a.scan.ix.lookup(first)
	}
	a.check(real, isDir, exists)
	if !exists {
		return
	}
	a.addFiles(passed...)
	if isDir {
		if a.scan.modules[real] == nil && real != "." {
			a.addTree(real, "**")
		}
		return
	}
	a.addFiles(real)
}

// unresolvedPath warns, and takes the directory that the constant beginning names,
// so that a change is rather planned once too often.
func (a *analysis) unresolvedPath(sc *scope, file string, ref *pathRef, why string) {
	p, inside := a.constant(sc, ref)
	if !strings.HasSuffix(ref.prefix, "/") && ref.prefix != "" {
		p = path.Dir(p)
	}
	if known := ref.base == baseModule || ref.prefix != ""; known && inside {
		if a.filesets[p] {
			return // a loop over fileset, which names the files more exactly
		}
		real, passed, isDir, exists := a.scan.ix.lookup(p)
		a.check(real, isDir, exists)
		if isDir && real != "." && a.scan.modules[real] == nil {
			a.addFiles(passed...)
			a.addTree(real, "**")
		}
	}
	a.warn(file, ref.line, "%s: its path cannot be told: %s", ref.fn, why)
}

func (a *analysis) check(p string, isDir, exists bool) {
	c := pathCheck{path: a.scan.in.intern(p), dir: isDir, exists: exists}
	if !slices.Contains(a.out.checks.paths, c) {
		a.out.checks.paths = append(a.out.checks.paths, c)
	}
}

func (a *analysis) addTree(base, glob string) {
	t := treeRef{a.scan.in.intern(base), a.scan.in.intern(glob)}
	if !slices.Contains(a.out.trees, t) {
		a.out.trees = append(a.out.trees, t)
	}
}
