package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/sync/errgroup"
)

// UseKind says what of the world outside its files a root module uses.
type UseKind string

// The kinds.
const (
	UseProvider    UseKind = "provider"     // a program that init fetches and every command runs
	UseLocked      UseKind = "lock_file"    // a provider's version and checksums in .terraform.lock.hcl
	UseModule      UseKind = "module"       // code from elsewhere
	UseBackend     UseKind = "backend"      // where the state is
	UseData        UseKind = "data"         // a data source or ephemeral resource that reads or runs something
	UseProvisioner UseKind = "provisioner"  // a command of an apply
	UseExec        UseKind = "exec"         // a command that a provider runs for its credentials
	UseRemoteState UseKind = "remote_state" // the state of somebody else
	UseFunction    UseKind = "function"     // a function that reads outside the root module's own tree, or where cannot be told
	UseLink        UseKind = "link"         // a file of Terraform's that is a symbolic link
	UseOverride    UseKind = "override"     // a provider that Terraform's own configuration takes from elsewhere
	UsePlugins     UseKind = "plugins"      // programs beside the root module that Terraform takes for providers
	UseUnknown     UseKind = "unknown"      // a block that nobody here knows: what it does nobody here can tell
	UseUnread      UseKind = "unread"       // what could not be read, so that nobody knows what it uses
)

// Use is one such thing and where it stands.
type Use struct {
	Kind    UseKind
	Name    string // an address, or a name that people know it by
	Source  string // of a provider: host/namespace/type; of a module: as written; of data: the type; of a link: where it leads
	Version string // as written, or as locked
	Digest  string // of all that makes it what it is: an equal one does the same
	File    string
	Line    int
}

// reading data sources and ephemeral resources, by type. Others ask their provider's
// service, with the credentials that a plan has anyway.
var readingTypes = []string{"external", "http", "local_file", "local_sensitive_file", "local_command", "archive_file", "template_file", "template_dir", "tls_certificate", "dns_*", "shell_*", "sops_file", "tfe_outputs"}

// UsesReader finds what root modules of one tree use.
type UsesReader struct {
	tree  Tree
	files map[string]treeFile // by path
	dirs  map[string][]string // files by directory, sorted
}

type treeFile struct {
	mode fs.FileMode
	id   string
}

// NewUsesReader lists the files of a tree.
func NewUsesReader(tree Tree) (*UsesReader, error) {
	r := &UsesReader{tree: tree, files: map[string]treeFile{}, dirs: map[string][]string{}}
	err := tree.Walk(func(p string, mode fs.FileMode, id string) error {
		r.files[p] = treeFile{mode, id}
		r.dirs[path.Dir(p)] = append(r.dirs[path.Dir(p)], p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the files: %w", err)
	}
	return r, nil
}

// Of is everything that a workspace's root module and its local modules use, in the order
// of their files. What cannot be read is among it. The unit is one of this tree's.
func (r *UsesReader) Of(u *Unit) ([]Use, error) {
	if u.Kind != KindWorkspace || u.Module == nil {
		return nil, nil
	}
	x := &usesOf{r: r, unit: u, root: u.Dir, names: names{}}
	for _, dir := range u.Module.ModuleDirs {
		if err := x.parse(dir); err != nil {
			return nil, fmt.Errorf("read what %s uses: %w", u.ID, err)
		}
	}
	x.plugins()
	for _, f := range u.VarFiles {
		x.link(f)
		x.values = append(x.values, x.contentOf(f)...)
	}
	for _, m := range x.modules {
		x.module(m)
	}
	return x.all, nil
}

// plugins are programs beside the root module: Terraform takes a provider from there before it asks a registry.
func (x *usesOf) plugins() {
	var parts []string
	first := ""
	for dir, all := range x.r.dirs {
		if !within(dir, path.Join(x.root, "terraform.d")) {
			continue
		}
		for _, p := range all {
			parts = append(parts, digest(x.contentOf(p)...))
			if first == "" || p < first {
				first = p
			}
		}
	}
	if first != "" {
		slices.Sort(parts)
		x.add(Use{Kind: UsePlugins, Name: "terraform.d", Source: "terraform.d", Digest: digest(parts...), File: first, Line: 1})
	}
}

// usesOf gathers the uses of one unit.
type usesOf struct {
	r       *UsesReader
	unit    *Unit
	root    string
	all     []Use
	modules []*parsedModule
	names   names
	values  []string // the variable files, as written
}

// parsedModule is one directory of Terraform files.
type parsedModule struct {
	dir   string
	files []parsed
}

func (x *usesOf) add(u Use) { x.all = append(x.all, u) }

func (x *usesOf) unread(file string, line int, why string) {
	x.add(Use{Kind: UseUnread, Name: file, File: file, Line: max(line, 1), Digest: why})
}

// parsed is one file of a module.
type parsed struct {
	file string
	src  []byte
	body hcl.Body // nil of other files than configuration
	why  string   // it cannot be read
	line int      // where that is
}

// parse reads the files of a directory, several at a time.
func (x *usesOf) parse(dir string) error {
	m := &parsedModule{dir: dir}
	x.modules = append(x.modules, m)
	var paths []string
	for _, p := range x.r.dirs[dir] {
		if isFactFile(path.Base(p)) || isToolFile(path.Base(p)) {
			x.link(p)
			paths = append(paths, p)
		}
	}
	files := make([]parsed, len(paths))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range paths {
		group.Go(func() (err error) {
			files[i], err = x.r.parse(p)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, f := range files {
		switch name := path.Base(f.file); {
		case f.why != "":
			x.unread(f.file, f.line, f.why)
		case name == lockFile:
			if dir == x.root {
				x.lock(f.file, f.src)
			}
		case isAutoVarFile(name):
			x.values = append(x.values, string(f.src))
		default:
			m.files = append(m.files, f)
			x.names.take(dir, f)
		}
	}
	return nil
}

// parse reads one file; of configuration it parses it too.
func (r *UsesReader) parse(p string) (parsed, error) {
	f := parsed{file: p, line: 1}
	var err error
	f.src, err = r.read(p)
	if errors.Is(err, fs.ErrNotExist) {
		f.why = "it is a symbolic link that leads to no file of the repository"
		return f, nil
	}
	if err != nil || !isToolFile(path.Base(p)) {
		return f, err
	}
	body, diags := parseBody(p, f.src)
	if diags.HasErrors() || body == nil {
		f.why = "it cannot be parsed"
		if len(diags) > 0 && diags[0].Subject != nil {
			f.line = diags[0].Subject.Start.Line
		}
		return f, nil
	}
	f.body = body
	return f, nil
}

func (x *usesOf) module(m *parsedModule) {
	declared := map[string]bool{}
	for _, f := range m.files {
		x.required(f, declared)
	}
	for _, f := range m.files {
		x.blocks(m.dir, f, declared)
		x.functions(m.dir, f.file, f.src, f.body)
	}
}

// read returns the content of a file, through links that stay in the tree.
func (r *UsesReader) read(p string) ([]byte, error) {
	real, ok := r.follow(p)
	if !ok {
		return nil, fs.ErrNotExist
	}
	return r.tree.ReadFile(real)
}

func (r *UsesReader) follow(p string) (string, bool) {
	for range 20 {
		f, ok := r.files[p]
		if !ok {
			return r.throughDirs(p)
		}
		if f.mode&fs.ModeSymlink == 0 {
			return p, true
		}
		to, err := r.tree.ReadLink(p)
		if err != nil || path.IsAbs(to) {
			return "", false
		}
		if p = path.Join(path.Dir(p), to); escapes(p) {
			return "", false
		}
	}
	return "", false
}

// throughDirs follows a directory on the way that is a link.
func (r *UsesReader) throughDirs(p string) (string, bool) {
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		f, ok := r.files[dir]
		if !ok || f.mode&fs.ModeSymlink == 0 {
			continue
		}
		to, err := r.tree.ReadLink(dir)
		if err != nil || path.IsAbs(to) {
			return "", false
		}
		next := path.Join(path.Dir(dir), to, strings.TrimPrefix(p, dir+"/"))
		if escapes(next) || next == p {
			return "", false
		}
		if _, ok := r.files[next]; ok {
			return next, true
		}
		return "", false
	}
	return "", false
}

func (x *usesOf) link(p string) {
	f, ok := x.r.files[p]
	if !ok || f.mode&fs.ModeSymlink == 0 {
		return
	}
	to, err := x.r.tree.ReadLink(p)
	if err != nil {
		to = "?"
	}
	x.add(Use{Kind: UseLink, Name: p, Source: to, Digest: to, File: p, Line: 1})
}

// digest stands for parts, each apart from the next.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// textOf is a block as it is written; of JSON the lines from its beginning to the end of
// the file, which no closer range is known of.
func textOf(b *hcl.Block, src []byte) []byte {
	if body, ok := b.Body.(*hclsyntax.Body); ok {
		start, end := b.DefRange.Start.Byte, body.SrcRange.End.Byte
		if start >= 0 && end <= len(src) && start <= end {
			return src[start:end]
		}
	}
	return src
}

// isToolFile names configuration of Terraform's or of OpenTofu's, which reads files of its
// own besides: who runs which is not for a pull request to say.
func isToolFile(name string) bool {
	return isConfigFile(name) || strings.HasSuffix(name, ".tofu") || strings.HasSuffix(name, ".tofu.json")
}

// within tells whether a path is a directory or lies in it.
func within(p, dir string) bool {
	return dir == "." && !escapes(p) || p == dir || strings.HasPrefix(p, dir+"/")
}

// inOwnTree tells whether a path of the repository lies in the root module or in a local
// module that it reaches.
func (x *usesOf) inOwnTree(p string) bool {
	return slices.ContainsFunc(append([]string{x.root}, x.unit.Module.ModuleDirs...), func(dir string) bool { return within(p, dir) })
}
