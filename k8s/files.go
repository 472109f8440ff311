package k8s

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the largest manifest file read, in bytes. A cluster refuses objects of more than about 1.5 MB.
const maxFile = 32 << 20

// kustomizationNames are the file names that make a directory a kustomization, in the order kustomize looks.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// tree reads manifests below the root of a checkout; os.Root keeps every path, symbolic links too, inside it.
type tree struct {
	root    *os.Root
	exclude []string
	src     Source
	faults  []*SourceError
	built   bool    // kustomize ran
	hidden  *hidden // what was decrypted for the kustomization that is being built
}

func (t *tree) fault(file string, line int, message string) {
	t.faults = append(t.faults, &SourceError{File: file, Line: line, Message: message})
}

// load reads all documents of the set whose repository path is dir (a directory or one file).
func (t *tree) load(dir string) ([]document, []*SourceError) {
	info, err := t.root.Stat(dir)
	switch {
	case err != nil:
		t.fault(dir, 0, "read the manifest set: "+plainFileError(err))
		return nil, t.faults
	case !info.IsDir():
		return t.plain(dir), t.faults
	}
	if t.src.Chart.Origin != "" {
		return t.remoteChart(dir), t.faults
	}
	kustomization, chart := t.kustomizationOf(dir), path.Join(dir, chartFile)
	switch isChart := t.isFile(chart); {
	case isChart && kustomization != "":
		t.fault(chart, 0, "the directory is a Helm chart and a kustomization at once ("+kustomization+"); keep one of the two, or move one to a set of its own")
		return nil, t.faults
	case isChart:
		return t.chart(dir), t.faults
	case t.src.Chart.given():
		t.fault(dir, 0, "release, values_files, kube_version, api_versions and ignore_hooks are for a Helm chart, and "+dir+" holds no "+chartFile)
		return nil, t.faults
	case kustomization != "":
		return t.build(dir), t.faults
	}
	var files, kustomizations []string
	t.walk(dir, &files, &kustomizations)
	kustomizations = t.topmost(kustomizations)
	entries := append(slices.Clone(files), kustomizations...)
	sort.Strings(entries)
	var docs []document
	for _, e := range entries {
		if slices.Contains(kustomizations, e) {
			docs = append(docs, t.build(e)...)
		} else {
			docs = append(docs, t.plain(e)...)
		}
	}
	return docs, t.faults
}

// walk collects manifest files and kustomization directories below dir. Hidden names are left out, and so is
// everything below a kustomization: what it wants from there, it names.
func (t *tree) walk(dir string, files, kustomizations *[]string) {
	entries, err := fs.ReadDir(t.root.FS(), dir)
	if err != nil {
		t.fault(dir, 0, "read the directory: "+plainFileError(err))
		return
	}
	for _, e := range entries {
		name, p := e.Name(), path.Join(dir, e.Name())
		if strings.HasPrefix(name, ".") || t.excluded(p) {
			continue
		}
		info, err := t.root.Stat(p) // follows links, and refuses those that leave the checkout
		if err != nil {
			t.fault(p, 0, "read: "+plainFileError(err))
			continue
		}
		switch {
		case info.IsDir() && e.Type()&fs.ModeSymlink != 0:
			t.fault(p, 0, "a symbolic link to a directory is not followed; name the directory as a set of its own")
		case info.IsDir() && t.kustomizationOf(p) != "":
			*kustomizations = append(*kustomizations, p)
		case info.IsDir() && t.isFile(path.Join(p, chartFile)):
			t.fault(path.Join(p, chartFile), 0, fmt.Sprintf("a Helm chart inside a set of plain manifests is not rendered; make it a set of its own in mooring.hcl: manifests %q { path = %q }", name, p))
		case info.IsDir():
			t.walk(p, files, kustomizations)
		case isManifestName(name) && info.Mode().IsRegular():
			*files = append(*files, p)
		}
	}
}

// kustomizationOf is the path of the kustomization file in dir, or "".
func (t *tree) kustomizationOf(dir string) string {
	for _, name := range kustomizationNames {
		if p := path.Join(dir, name); t.isFile(p) {
			return p
		}
	}
	return ""
}

func (t *tree) isFile(p string) bool {
	info, err := t.root.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

func (t *tree) excluded(p string) bool {
	for _, x := range t.exclude {
		x = path.Clean("/" + x)[1:]
		if x != "" && (p == x || strings.HasPrefix(p, x+"/")) {
			return true
		}
	}
	return false
}

func isManifestName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// plain reads the documents of one manifest file.
func (t *tree) plain(file string) []document {
	data, err := t.read(file)
	if err != nil {
		t.fault(file, 0, "read: "+plainFileError(err))
		return nil
	}
	nodes, fault := parseNodes(file, data)
	var secret map[*yaml.Node]bool
	if fault == nil {
		if secret, fault = unseal(file, nodes, t.src.Keys); fault != nil {
			nodes = nil
		}
	}
	docs, faults := documentsOf(file, nodes, secret, fault)
	t.faults = append(t.faults, faults...)
	return docs
}

func (t *tree) read(file string) ([]byte, error) {
	f, err := t.root.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("larger than 32 MiB")
	}
	return data, err
}

// plainFileError says a file error without the machine's own paths.
func plainFileError(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "it does not exist in the repository"
	}
	if strings.Contains(err.Error(), "escapes") {
		return "the path leaves the repository"
	}
	return err.Error()
}
