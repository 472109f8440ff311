package k8s

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomizeFS shows kustomize the repository as a file system of its own, rooted at /, that cannot be written
// to and that os.Root keeps inside the checkout.
type kustomizeFS struct {
	tree *tree
	top  string // the kustomization file to build, which is read with origin annotations switched on
}

var errReadOnly = errors.New("the repository is read-only while it is rendered")

// name is a path as os.Root wants it: relative, cleaned.
func (*kustomizeFS) name(p string) string {
	p = path.Clean("/" + filepath.ToSlash(p))
	if p == "/" {
		return "."
	}
	return p[1:]
}

func (*kustomizeFS) Create(string) (filesys.File, error)  { return nil, errReadOnly }
func (*kustomizeFS) Mkdir(string) error                   { return errReadOnly }
func (*kustomizeFS) MkdirAll(string) error                { return errReadOnly }
func (*kustomizeFS) RemoveAll(string) error               { return errReadOnly }
func (*kustomizeFS) WriteFile(string, []byte) error       { return errReadOnly }
func (*kustomizeFS) Open(string) (filesys.File, error)    { return nil, errReadOnly }
func (*kustomizeFS) Walk(string, filepath.WalkFunc) error { return errReadOnly }

func (f *kustomizeFS) IsDir(p string) bool {
	info, err := f.tree.root.Stat(f.name(p))
	return err == nil && info.IsDir()
}

func (f *kustomizeFS) Exists(p string) bool {
	_, err := f.tree.root.Stat(f.name(p))
	return err == nil
}

func (f *kustomizeFS) ReadDir(p string) ([]string, error) {
	entries, err := fs.ReadDir(f.tree.root.FS(), f.name(p))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// CleanedAbs splits a path into an existing directory and a file name, "" for a directory.
func (f *kustomizeFS) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	name := f.name(p)
	info, err := f.tree.root.Stat(name)
	if err != nil {
		return "", "", errors.New(name + ": " + plainFileError(err))
	}
	abs := path.Join("/", name)
	if info.IsDir() {
		return filesys.ConfirmedDir(abs), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(abs)), path.Base(abs), nil
}

func (f *kustomizeFS) Glob(pattern string) ([]string, error) {
	return fs.Glob(f.tree.root.FS(), f.name(pattern))
}

func (f *kustomizeFS) ReadFile(p string) ([]byte, error) {
	name := f.name(p)
	data, err := f.tree.read(name)
	if err != nil {
		return nil, errors.New(name + ": " + plainFileError(err))
	}
	if name == f.top {
		return withOrigins(data), nil
	}
	data, fault := f.tree.opened(name, data)
	if fault != nil {
		f.tree.faults = append(f.tree.faults, fault)
		return nil, fault
	}
	return data, nil
}

var buildMetadata = regexp.MustCompile(`(?m)^["']?buildMetadata`)

// withOrigins asks kustomize to note which file each object came from. A kustomization with build metadata of
// its own, or written in flow style, is left as it is: its objects are then placed at the kustomization file.
func withOrigins(data []byte) []byte {
	text := string(data)
	if buildMetadata.MatchString(text) || strings.HasPrefix(strings.TrimSpace(text), "{") || strings.Contains(text, "\n...") {
		return data
	}
	return []byte(strings.TrimRight(text, "\n") + "\nbuildMetadata: [originAnnotations]\n")
}
