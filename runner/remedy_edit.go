package runner

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mooring-iac/mooring/internal/comment"
	"github.com/mooring-iac/mooring/runner/drift"
	"github.com/mooring-iac/mooring/workspace"
	edits "github.com/mooring-iac/mooring/workspace/edit"
	"github.com/mooring-iac/mooring/workspace/mirror"
)

// rewritten is what of a unit's drift can be written into its files.
type rewritten struct {
	files   map[string][]byte // that differ, whole
	records []drift.Record    // that are written, wholly or in part
	values  []string          // which are: addresses and paths
	left    []comment.Left
}

// mostRewritten is how large a file may be, in bytes, for a value to be written into it: nobody writes a larger one by hand.
const mostRewritten = 1 << 20

// rewrite writes what is live into a unit's files at a commit, where that can be done.
func rewrite(tree *mirror.Tree, g *workspace.Graph, u *workspace.Unit, records []drift.Record) (rewritten, error) {
	out := rewritten{}
	changes, paths := out.changes(records)
	if len(changes) == 0 {
		return out, nil
	}
	var done []edits.Change
	var refused []edits.Refusal
	if u.Kind == workspace.KindManifests {
		files, why, err := manifestFiles(tree, g, u)
		if err != nil {
			return out, err
		}
		if why != "" {
			for _, c := range changes {
				refused = append(refused, edits.Refusal{Change: c, Why: why})
			}
		} else {
			out.files, done, refused = edits.Manifests(files, changes)
		}
	} else {
		source, err := writtenIn(tree, g, u)
		if err != nil {
			return out, err
		}
		out.files, done, refused = edits.Rewrite(source, changes)
	}
	written := map[string]bool{}
	for _, c := range done {
		written[c.Address] = true
		out.values = append(out.values, c.Address+" "+paths[changeKey(c)])
	}
	for _, r := range records {
		if r.Class == drift.OutOfBand && written[r.Address] {
			out.records = append(out.records, r)
		}
	}
	for _, r := range refused {
		out.left = append(out.left, comment.Left{Address: r.Change.Address, Path: paths[changeKey(r.Change)], Why: r.Why, File: r.File, Line: r.Line})
	}
	return out, nil
}

// changes are what is to be written of records, with how their paths are spelled. What nobody could write is left over.
func (w *rewritten) changes(records []drift.Record) (all []edits.Change, paths map[string]string) {
	paths = map[string]string{}
	for _, r := range records {
		if why := unwritable(r); why != "" {
			w.left = append(w.left, comment.Left{Address: r.Address, Why: why})
			continue
		}
		if r.Change == drift.Deleted {
			all = append(all, edits.Change{Address: r.Address, Deleted: true})
			continue
		}
		sure := slices.ContainsFunc(r.Fields, func(f drift.Field) bool { return !f.Unknown })
		for _, f := range r.Fields {
			if f.Unknown && sure {
				continue // it follows from the others
			}
			if f.Cut {
				w.left = append(w.left, comment.Left{Address: r.Address, Path: f.Path, Why: "the value is too long to be kept, and so to be written"})
				continue
			}
			steps, err := edits.ParsePath(f.Path)
			if err != nil {
				w.left = append(w.left, comment.Left{Address: r.Address, Path: f.Path, Why: err.Error()})
				continue
			}
			c := edits.Change{Address: r.Address, Path: steps, Old: f.Old, New: f.New, Secret: f.Secret, Unknown: f.Unknown}
			paths[changeKey(c)] = f.Path
			all = append(all, c)
		}
	}
	return all, paths
}

func changeKey(c edits.Change) string { return fmt.Sprintf("%s\x00%#v", c.Address, c.Path) }

// unwritable says why nothing of a record can be written, or "".
func unwritable(r drift.Record) string {
	switch {
	case r.Class == drift.Churn:
		return "it never settles: a file that says what is live would not end that"
	case r.Class == drift.Unhealthy:
		return "it is as the files say, and does not work"
	case r.Class != drift.OutOfBand:
		return "nobody changed it by hand"
	case r.Change == drift.Added:
		return "it is there and no file asks for it: import it, or let an apply delete it"
	case r.Action == "none":
		return "an apply would not set it back: the files do not speak of it"
	case r.Change != drift.Deleted && len(r.Fields) == 0:
		return "it is not known which value of it differs"
	}
	return ""
}

// writtenIn is what a workspace is written in. Links are left out: what they lead to is read where it lies.
func writtenIn(tree *mirror.Tree, g *workspace.Graph, u *workspace.Unit) (edits.Source, error) {
	s := edits.Source{Dir: path.Clean(u.Dir), Files: map[string][]byte{}, Own: map[string]bool{}}
	if u.Module == nil {
		return s, nil
	}
	for _, dir := range u.Module.ModuleDirs {
		s.Own[dir] = true
	}
	return s, readFiles(tree, s.Files, func(file string) bool {
		dir := path.Dir(file)
		if !slices.Contains(u.Module.ModuleDirs, dir) || !slices.ContainsFunc(terraformEnds, func(end string) bool { return strings.HasSuffix(file, end) }) {
			return false
		}
		s.Own[dir] = s.Own[dir] && alone(g, u, file)
		return true
	})
}

var terraformEnds = []string{".tf", ".tofu", ".tf.json", ".tofu.json", ".tfvars", ".tfvars.json"}

// alone tells that no other unit uses a file.
func alone(g *workspace.Graph, u *workspace.Unit, file string) bool {
	users := g.Direct([]string{file}, g)
	return len(users) == 1 && users[0] == u.ID
}

// manifestFiles are the manifests of a set that it applies as they stand, or why there are none.
func manifestFiles(tree *mirror.Tree, g *workspace.Graph, u *workspace.Unit) (files map[string][]byte, why string, err error) {
	files = map[string][]byte{}
	root := path.Clean(u.Path)
	err = readFiles(tree, files, func(file string) bool {
		if !below(root, file) || slices.ContainsFunc(u.Exclude, func(dir string) bool { return below(dir, file) }) {
			return false
		}
		switch base := path.Base(file); base {
		case "kustomization.yaml", "kustomization.yml", "Kustomization":
			why = "Kustomize makes its manifests: no file holds the value as it is applied"
		case "Chart.yaml":
			why = "Helm makes its manifests: no file holds the value as it is applied"
		}
		return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(file)) && alone(g, u, file)
	})
	if u.Chart.Release != "" {
		why = "Helm makes its manifests: no file holds the value as it is applied"
	}
	return files, why, err
}

func below(dir, file string) bool { return dir == "." || strings.HasPrefix(file, dir+"/") }

// readFiles reads the regular files of a tree that are wanted.
func readFiles(tree *mirror.Tree, into map[string][]byte, wanted func(file string) bool) error {
	return tree.Walk(func(file string, mode fs.FileMode, _ string) error {
		if !mode.IsRegular() || !wanted(file) {
			return nil
		}
		text, err := tree.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if len(text) <= mostRewritten {
			into[file] = text
		}
		return nil
	})
}
