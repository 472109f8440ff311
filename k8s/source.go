package k8s

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"sort"
	"strings"
)

// Source says where a set's manifests lie and what stands for their ${names}.
type Source struct {
	Root    string           // the checkout's root directory on disk; only read, and nothing outside it is
	Path    string           // repository path of the set, slash-separated: "k8s/apps", or "" or "." for the root
	Exclude []string         // repository paths below Path that belong to other sets
	Values  map[string]Value // what each ${name} stands for; of a Helm chart, the values it is given
	Unknown bool             // not even the names of Values are known yet: a chart cannot be rendered
	Chart   Chart            // how a Helm chart at Path is rendered; the zero value will do
	Keys    *Keys            // what opens encrypted files; nil opens none
	// Revision names the state of the checkout, for Digest: its commit.
	Revision string
	// Preview leaves "(known after apply)" where a value is not known yet, instead of an error. Plan shows such
	// objects as far as that goes; Apply refuses them.
	Preview bool
}

// Value is one typed value, as Terraform gave it.
type Value struct {
	JSON      json.RawMessage // the value itself; null or absent is an error where it is used
	Sensitive bool            // may land only in a Secret
	Unknown   bool            // known only after an apply: using it is an error that wraps ErrUnknownValue
}

// ErrUnknownValue is wrapped by the SourceError of a ${name} whose value is not known yet.
var ErrUnknownValue = errors.New("value known only after apply")

// SourceError is one fault in the files, at the place a person must edit.
type SourceError struct {
	File    string // repository path
	Line    int    // from 1; 0 when not known
	Message string // what is wrong and, where there is one, the remedy; never a sensitive value
	Err     error  // the sentinel behind it, or nil
}

func (e *SourceError) Error() string { return place(e.File, e.Line) + ": " + e.Message }

// Unwrap returns the sentinel behind the error.
func (e *SourceError) Unwrap() error { return e.Err }

// Placeholder is one ${name} in the manifests.
type Placeholder struct {
	Name string
	File string
	Line int
}

// Render reads the manifests of a source, substitutes its values and returns the objects in a stable order:
// files by path, documents as written. A Helm chart at Path is rendered, a kustomization built in memory; else every *.yaml,
// *.yml and *.json below it is read, and a directory that holds a kustomization of its own is built as one
// (unless another kustomization of the set uses it as a base). It asks no cluster and starts no process.
//
// The error joins every fault found, each a *SourceError; no object is returned beside it.
func Render(src Source) ([]Object, error) {
	docs, faults := load(src)
	var objects []Object
	for _, d := range docs {
		d.preview = src.Preview
		o, errs := d.object(src.Values)
		faults = append(faults, errs...)
		if o.Unstructured != nil {
			objects = append(objects, o)
		}
	}
	faults = append(faults, duplicates(objects)...)
	if err := joinFaults(faults); err != nil {
		return nil, err
	}
	return objects, nil
}

// Placeholders lists every ${name} the manifests use, in order of file and line. Its error is as Render's.
func Placeholders(src Source) ([]Placeholder, error) {
	docs, faults := load(src)
	var found []Placeholder
	for _, d := range docs {
		found = append(found, d.placeholders()...)
	}
	return found, joinFaults(faults)
}

// load reads the source into documents, before any substitution.
func load(src Source) ([]document, []*SourceError) {
	dir := path.Clean("/" + src.Path)[1:]
	if dir == "" {
		dir = "."
	}
	root, err := os.OpenRoot(src.Root)
	if err != nil {
		return nil, []*SourceError{{File: dir, Message: "open the checkout: " + err.Error()}}
	}
	defer root.Close()
	t := &tree{root: root, exclude: src.Exclude, src: src}
	if strings.Contains("/"+src.Path+"/", "/../") {
		return nil, []*SourceError{{File: src.Path, Message: "the path of a manifest set may not contain .."}}
	}
	docs, faults := t.load(dir)
	if t.built {
		// kustomize reads a schema of megabytes for each build and leaves some 40 MB of garbage, which the
		// runtime would keep for minutes: more than everything else an idle server holds.
		debug.FreeOSMemory()
	}
	return docs, faults
}

// duplicates finds manifests that describe the same object.
func duplicates(objects []Object) []*SourceError {
	first := make(map[ID]Object, len(objects))
	var faults []*SourceError
	for _, o := range objects {
		id := o.ID()
		if f, twice := first[id]; twice {
			faults = append(faults, duplicate(o, f))
			continue
		}
		first[id] = o
	}
	return faults
}

func duplicate(o, first Object) *SourceError {
	return &SourceError{File: o.File, Line: o.Line, Message: fmt.Sprintf(
		"%s is already defined at %s; keep one of the two", o.Ref(), first.place())}
}

// joinFaults sorts the faults by place and joins them; nil for none.
func joinFaults(faults []*SourceError) error {
	sort.SliceStable(faults, func(i, j int) bool {
		if faults[i].File != faults[j].File {
			return faults[i].File < faults[j].File
		}
		return faults[i].Line < faults[j].Line
	})
	errs := make([]error, 0, len(faults))
	for i, f := range faults {
		if i > 0 && *f == *faults[i-1] {
			continue
		}
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}
