package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Files above this size are links into the checkout, not copies.
const copyLimit = 4 << 20

// A view is a private, writable layer over a checkout at a path that stays the same:
//
//	<home>/root/      what Terraform sees
//	<home>/checkout   link to the checkout of the moment
//
// Directories on the way to a module are real. Module directories are copied with all they contain, because Terraform resolves links in
// module paths: a linked module would be seen at the checkout's path, which differs with every commit. Everything else is a link through
// ../checkout, so a view of another commit differs in one link and in the files that changed.
type view struct {
	home  string
	farm  string // directory of links to share with other views; "" shares none
	tree  string
	skip  func(string) bool
	keep  bool              // leave files that nobody asked for in copied directories
	way   map[string]bool   // real directories
	copy  map[string]bool   // directories copied with all they contain
	links map[string]string // repository path → absolute target: what has its home elsewhere
	own   map[string]bool   // repository paths that init owns: neither made nor removed here
}

func newView(home, tree string) *view {
	return &view{
		home: home, tree: tree, way: map[string]bool{".": true}, copy: map[string]bool{}, links: map[string]string{}, own: map[string]bool{},
	}
}

func (v *view) path(name string) string {
	return filepath.Join(v.home, "root", filepath.FromSlash(name))
}

// addModule has dir copied.
func (v *view) addModule(dir string) {
	v.copy[dir] = true
	v.addWay(dir)
}

func (v *view) addLink(name, target string) {
	v.links[name] = target
	v.addWay(path.Dir(name))
}

func (v *view) addWay(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		v.way[dir] = true
	}
}

// make brings the view up to date with the tree. What is right already is not touched.
func (v *view) make() error {
	if err := os.MkdirAll(v.home, 0o700); err != nil {
		return err
	}
	link := filepath.Join(v.home, "checkout")
	if last, err := os.Readlink(link); err != nil || last != v.tree {
		v.keep = false // what another tree's run left does not belong to this one
	}
	if err := ensureLink(link, v.tree); err != nil {
		return err
	}
	return v.makeDir(".", false)
}

// straighten makes sure that the directories on the way to those that a run may write to are still directories, and removes what a run put
// in their place: whoever looks for a file below them must find it there and nowhere else.
func (v *view) straighten() error {
	for _, dir := range slices.Sorted(maps.Keys(v.way)) { // parents first
		name := v.path(dir)
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *view) makeDir(dir string, inCopy bool) error {
	inCopy = inCopy || v.copy[dir]
	if err := ensureDir(v.path(dir)); err != nil {
		return err
	}
	want := map[string]bool{}
	entries, err := os.ReadDir(filepath.Join(v.tree, filepath.FromSlash(dir)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if v.unwanted(name, entry.Name()) {
			continue
		}
		want[entry.Name()] = true
		if err := v.makeEntry(name, entry, inCopy); err != nil {
			return err
		}
	}
	if err := v.makeExtra(dir, inCopy, want); err != nil {
		return err
	}
	return v.sweep(dir, inCopy, want)
}

// unwanted leaves out what the tree must not decide: .terraform names providers and a backend, links and owned paths have another home.
func (v *view) unwanted(name, base string) bool {
	return base == ".terraform" || base == ".git" || v.own[name] || v.links[name] != "" || v.skip != nil && v.skip(name)
}

func (v *view) makeEntry(name string, entry fs.DirEntry, inCopy bool) error {
	source := filepath.Join(v.tree, filepath.FromSlash(name))
	switch {
	case entry.Type()&fs.ModeSymlink != 0:
		// A link inside the repository means the same thing in the view. One that leaves it was refused with the checkout; it is not repeated.
		target, err := os.Readlink(source)
		if err != nil {
			return err
		}
		if _, ok := inRepository(path.Dir(name), filepath.ToSlash(target)); !ok {
			return fmt.Errorf("link %s to %s: %w", name, target, ErrOutside)
		}
		return ensureLink(v.path(name), target)
	case entry.IsDir() && (inCopy || v.way[name]):
		return v.makeDir(name, inCopy)
	case entry.Type().IsRegular() && inCopy:
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Size() <= copyLimit {
			return ensureCopy(v.path(name), source, info)
		}
	}
	up := strings.Repeat("../", strings.Count(name, "/")+1)
	return v.ensureShared(v.path(name), up+"checkout/"+name)
}

// ensureShared makes a link that is one file with the same link of other views. With a thousand workspaces beside each other every view
// has 999 links, and making a file is what costs: a hard link takes a thirtieth of the time and no space. A link's text cannot be
// changed, so sharing it is safe.
func (v *view) ensureShared(name, target string) error {
	now, err := os.Readlink(name)
	if err == nil && now == target {
		return nil
	}
	if v.farm == "" || !errors.Is(err, fs.ErrNotExist) {
		return ensureLink(name, target)
	}
	sum := sha256.Sum256([]byte(target))
	shared := filepath.Join(v.farm, hex.EncodeToString(sum[:16]))
	if err = os.Link(shared, name); errors.Is(err, fs.ErrNotExist) {
		if err := os.Symlink(target, shared); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		err = os.Link(shared, name)
	}
	if err != nil { // as many hard links as the file system takes, or one without any
		return os.Symlink(target, name)
	}
	return nil
}

// makeExtra adds what the tree does not have in dir: links to state, and directories that lead to them.
func (v *view) makeExtra(dir string, inCopy bool, want map[string]bool) error {
	for name, target := range v.links {
		if path.Dir(name) == dir {
			want[path.Base(name)] = true
			if err := ensureLink(v.path(name), target); err != nil {
				return err
			}
		}
	}
	for name := range v.way {
		if name != "." && path.Dir(name) == dir && !want[path.Base(name)] {
			want[path.Base(name)] = true
			if err := v.makeDir(name, inCopy); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep removes what a former commit or run left.
func (v *view) sweep(dir string, inCopy bool, want map[string]bool) error {
	entries, err := os.ReadDir(v.path(dir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if want[entry.Name()] || v.own[name] || v.keep && inCopy {
			continue
		}
		if err := os.RemoveAll(v.path(name)); err != nil {
			return err
		}
	}
	return nil
}

// resolve follows links of the tree in a repository path, so that the directory behind a linked one is what becomes real. A path that
// does not exist is returned as it is.
func resolve(tree, name string) (string, error) {
	done, rest, hops := ".", name, 0
	for rest != "" && rest != "." {
		var base string
		base, rest, _ = strings.Cut(rest, "/")
		next := path.Join(done, base)
		if next == ".." || strings.HasPrefix(next, "../") {
			return "", fmt.Errorf("%s: %w", name, ErrOutside)
		}
		target, err := os.Readlink(filepath.Join(tree, filepath.FromSlash(next)))
		if err != nil {
			done = next // a directory, a file, or nothing
			continue
		}
		if hops++; hops > 40 {
			return "", fmt.Errorf("%s: too many links", name)
		}
		if filepath.IsAbs(target) {
			return "", fmt.Errorf("%s: %w", name, ErrOutside)
		}
		rest = path.Join(filepath.ToSlash(target), rest)
	}
	return done, nil
}

// generated tells whether a copied directory holds a file that neither the tree nor init put there: what is planned may refer to it.
func (v *view) generated() (bool, error) {
	for dir := range v.copy {
		found := false
		err := filepath.WalkDir(v.path(dir), func(file string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(filepath.Join(v.home, "root"), file)
			if err != nil {
				return err
			}
			name := filepath.ToSlash(rel)
			switch {
			case v.own[name] && entry.IsDir():
				return fs.SkipDir
			case v.own[name] || v.links[name] != "" || v.way[name] || strings.HasPrefix(entry.Name(), ".terraform.tfstate.lock"):
				return nil
			}
			if _, err := os.Lstat(filepath.Join(v.tree, rel)); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			found = true
			return fs.SkipAll
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}
