package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tree is what discovery reads: a commit's tree or a working copy.
//
// Walk calls fn for every file and symbolic link, sorted by path; a directory is
// never reported. The id names the content: as long as the id of a path stays the
// same, so does what ReadFile (or ReadLink) answers for it. A blob hash is one,
// size and modification time of a working copy another.
//
// Scan uses a Tree from one goroutine at a time. Paths given to ReadFile and
// ReadLink are always paths that Walk reported.
type Tree interface {
	Walk(fn func(path string, mode fs.FileMode, id string) error) error
	ReadFile(path string) ([]byte, error)
	ReadLink(path string) (string, error)
}

// fileID is a Tree's id in a fixed size, so that it can be kept without a pointer.
type fileID [20]byte

func newFileID(id string) fileID {
	var f fileID
	if len(id) == 2*len(f) {
		if _, err := hex.Decode(f[:], []byte(id)); err == nil {
			return f
		}
	}
	sum := sha256.Sum256([]byte(id))
	copy(f[:], sum[:])
	return f
}

// index is one walk over a Tree, thrown away after the scan.
type index struct {
	tree  Tree
	dirs  map[string]*dirIndex
	links linkMap
	// linkStamp changes whenever any link of the tree does: what was resolved
	// through links is then resolved again.
	linkStamp uint64
}

type dirIndex struct {
	path      string
	files     []fileEntry // in path order: direct children only
	terraform bool        // holds a file that Terraform reads as configuration
}

type fileEntry struct {
	name string
	id   fileID
	link bool
}

func newIndex(tree Tree, seed maphash.Seed) (*index, error) {
	ix := &index{tree: tree, dirs: map[string]*dirIndex{}, links: linkMap{}}
	var links maphash.Hash
	links.SetSeed(seed)
	var last *dirIndex
	err := tree.Walk(func(p string, mode fs.FileMode, id string) error {
		dir, name := splitPath(p)
		if strings.Contains(dir, ".terraform") && hasSegment(dir, ".terraform") {
			return nil // what init left behind is never part of the configuration
		}
		if last == nil || last.path != dir {
			last = ix.makeDir(dir)
		}
		entry := fileEntry{name: name, id: newFileID(id), link: mode&fs.ModeSymlink != 0}
		if entry.link {
			target, err := tree.ReadLink(p)
			if err != nil {
				return fmt.Errorf("read link %s: %w", p, err)
			}
			ix.links[strings.Clone(p)] = target // kept with the graph: p must not keep the whole listing
			links.WriteString(p)
			links.WriteByte(0)
			links.WriteString(target)
			links.WriteByte(0)
		}
		last.files = append(last.files, entry)
		if isConfigFile(name) {
			last.terraform = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ix.linkStamp = links.Sum64()
	return ix, nil
}

func (ix *index) makeDir(dir string) *dirIndex {
	if d := ix.dirs[dir]; d != nil {
		return d
	}
	d := &dirIndex{path: dir}
	ix.dirs[dir] = d
	if dir != "." {
		ix.makeDir(path.Dir(dir))
	}
	return d
}

// file answers the entry of a path that is no directory, links not followed.
func (ix *index) file(p string) (fileEntry, bool) {
	dir, name := splitPath(p)
	d := ix.dirs[dir]
	if d == nil {
		return fileEntry{}, false
	}
	i := slices.IndexFunc(d.files, func(f fileEntry) bool { return f.name == name })
	if i < 0 {
		return fileEntry{}, false
	}
	return d.files[i], true
}

// resolve follows the symbolic links in p. It answers the real path, the links
// passed on the way, and false when p leaves the repository, goes round in
// circles, or climbs above the top.
func (ix *index) resolve(p string) (real string, passed []string, ok bool) {
	return ix.links.resolve(p)
}

// linkMap is every symbolic link of a tree with its target, as written.
type linkMap map[string]string

func (links linkMap) resolve(p string) (real string, passed []string, ok bool) {
	p = path.Clean(p)
	if escapes(p) {
		return "", nil, false
	}
	if len(links) == 0 {
		return p, nil, true
	}
	for range 40 {
		link, rest := links.first(p)
		if link == "" {
			return p, passed, true
		}
		target := links[link]
		passed = append(passed, link)
		if path.IsAbs(target) {
			return "", passed, false
		}
		p = path.Join(path.Dir(link), target, rest)
		if escapes(p) {
			return "", passed, false
		}
	}
	return "", passed, false
}

func (links linkMap) first(p string) (link, rest string) {
	for i := 0; i <= len(p); i++ {
		if i == len(p) || p[i] == '/' {
			if _, ok := links[p[:i]]; ok {
				return p[:i], strings.TrimPrefix(p[i:], "/")
			}
		}
	}
	return "", ""
}

// lookup follows links and answers what stands at p.
func (ix *index) lookup(p string) (real string, passed []string, isDir, exists bool) {
	real, passed, ok := ix.resolve(p)
	if !ok {
		return p, passed, false, false
	}
	if ix.dirs[real] != nil {
		return real, passed, true, true
	}
	_, exists = ix.file(real)
	return real, passed, false, exists
}

// splitPath is path.Split without the trailing slash; the directory of a file at the top is ".".
func splitPath(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return ".", p
	}
	return p[:i], p[i+1:]
}

// escapes tells that a cleaned path leaves the repository.
func escapes(p string) bool {
	return p == ".." || strings.HasPrefix(p, "../") || path.IsAbs(p)
}

// below tells that p is dir or lies below it.
func below(p, dir string) bool {
	return dir == "." || p == dir || strings.HasPrefix(p, dir) && len(p) > len(dir) && p[len(dir)] == '/'
}

func hasSegment(p, segment string) bool {
	return slices.Contains(strings.Split(p, "/"), segment)
}

// isConfigFile follows Terraform's own rule: native or JSON syntax, and neither
// hidden nor an editor's leftover.
func isConfigFile(name string) bool {
	if !strings.HasSuffix(name, ".tf") && !strings.HasSuffix(name, ".tf.json") {
		return false
	}
	return !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, "~") &&
		!(strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"))
}

func isOverrideFile(name string) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".tf")
	return base == "override" || strings.HasSuffix(base, "_override")
}

// isAutoVarFile names the variable files that Terraform loads without being told.
func isAutoVarFile(name string) bool {
	return name == "terraform.tfvars" || name == "terraform.tfvars.json" ||
		strings.HasSuffix(name, ".auto.tfvars") || strings.HasSuffix(name, ".auto.tfvars.json")
}

const lockFile = ".terraform.lock.hcl"
