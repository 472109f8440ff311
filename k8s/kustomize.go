package k8s

import (
	"bytes"
	"path"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// kustomizeMu guards the OpenAPI schema that kustomize keeps in a variable of its own package and that a build
// may replace: two builds at once would read each other's.
var kustomizeMu sync.Mutex

// originAnnotation is what kustomize leaves on an object to say which file it came from.
const originAnnotation = "config.kubernetes.io/origin"

// build renders the kustomization in dir, a repository path.
func (t *tree) build(dir string) []document {
	file := t.kustomizationOf(dir)
	if faults := t.checkKustomization(dir, map[string]bool{}); len(faults) > 0 {
		t.faults = append(t.faults, faults...)
		return nil
	}
	t.built, t.hidden = true, &hidden{}
	before := len(t.faults)
	kustomizeMu.Lock()
	defer kustomizeMu.Unlock()
	// Parsed anew by every build anyway, and some 20 MB that an idle server need not hold.
	defer openapi.ResetOpenAPI()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone // the file system below is the fence: the repository
	options.PluginConfig = types.DisabledPluginConfig()
	options.Reorder = krusty.ReorderOptionNone
	resources, err := krusty.MakeKustomizer(options).Run(&kustomizeFS{tree: t, top: file}, "/"+dir)
	if len(t.faults) > before {
		return nil // an encrypted file could not be read: kustomize's own words only follow from that
	}
	if err != nil {
		t.fault(file, 0, "kustomize: "+t.hidden.conceal(strings.ReplaceAll(err.Error(), "'/"+dir, "'"+dir)))
		return nil
	}
	var docs []document
	for _, r := range resources.Resources() {
		docs = append(docs, t.rendered(dir, file, r)...)
	}
	return docs
}

// rendered makes a document of one built object and finds the place it came from as well as it can.
func (t *tree) rendered(dir, file string, r *resource.Resource) []document {
	d := document{node: resolve(r.YNode()), file: file, hidden: t.hidden}
	if d.node != nil && d.node.Kind == yaml.DocumentNode && len(d.node.Content) > 0 {
		d.node = d.node.Content[0]
	}
	if origin, err := r.GetOrigin(); err == nil && origin != nil {
		switch {
		case origin.Path != "":
			d.file = path.Join(dir, origin.Path)
		case origin.ConfiguredIn != "":
			d.file = path.Join(dir, origin.ConfiguredIn)
		}
	}
	dropOrigin(d.node)
	text, _ := t.read(d.file)
	d.line = lineOfObject(text, scalarAt(d.node, "kind"), r.GetName())
	d.find = func(scalar string) int { return lineOfPlaceholder(text, d.line, scalar) }
	docs, faults := flatten(d, 0)
	t.faults = append(t.faults, faults...)
	return docs
}

// dropOrigin removes the annotation that this package asked kustomize for.
func dropOrigin(n *yaml.Node) {
	meta := childOf(n, "metadata")
	annotations := childOf(meta, "annotations")
	removeKey(annotations, originAnnotation)
	if annotations != nil && len(annotations.Content) == 0 {
		removeKey(meta, "annotations")
	}
}

func removeKey(n *yaml.Node, key string) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = append(n.Content[:i], n.Content[i+2:]...)
			return
		}
	}
}

// lineOfObject finds the document that a built object came from: the one of its kind whose name the built name
// holds, for kustomize adds prefixes and suffixes and forgets the original. 0 when there is none (a generated
// object), or several.
func lineOfObject(text []byte, kind, name string) int {
	line := 0
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		if dec.Decode(&n) != nil || len(n.Content) == 0 {
			return max(0, line)
		}
		root := n.Content[0]
		was := scalarAt(root, "metadata", "name")
		switch {
		case scalarAt(root, "kind") != kind || was == "":
		case was == name:
			return root.Line
		case strings.Contains(name, was) && line == 0:
			line = root.Line
		case strings.Contains(name, was):
			line = -1
		}
	}
}

// lineOfPlaceholder finds the first placeholder of a scalar in a source text, at or after the object's line.
func lineOfPlaceholder(text []byte, from int, scalar string) int {
	want := placeholder.FindString(scalar)
	if want == "" {
		return 0
	}
	for i, line := range strings.Split(string(text), "\n") {
		if i+1 >= from && strings.Contains(line, want) {
			return i + 1
		}
	}
	return 0
}

// topmost leaves out kustomizations that another one of the list builds upon, and components, which are
// nothing by themselves: in base/ and overlays/prod/ the overlay alone is meant.
func (t *tree) topmost(dirs []string) []string {
	used := map[string]bool{}
	for _, dir := range dirs {
		seen := map[string]bool{}
		t.checkKustomization(dir, seen)
		delete(seen, dir)
		for d := range seen {
			used[d] = true
		}
	}
	var top []string
	for _, dir := range dirs {
		if data, err := t.read(t.kustomizationOf(dir)); err == nil && isComponent(data) {
			continue
		}
		if !used[dir] {
			top = append(top, dir)
		}
	}
	return top
}

func isComponent(data []byte) bool {
	var k types.Kustomization
	return k.Unmarshal(data) == nil && k.Kind == types.ComponentKind
}
