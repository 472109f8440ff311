package edit

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Manifests writes live values of objects into plain manifests: scalars alone, where a file has one of the same kind. Files are by
// path, and are what the set applies as it stands: manifests that Kustomize or Helm make are not among them. The rest is as with
// Rewrite.
func Manifests(files map[string][]byte, changes []Change) (edited map[string][]byte, done []Change, refused []Refusal) {
	m := manifests(maps.Clone(files))
	return each(changes, m.rewrite, func(file string, text []byte) { m[file] = text })
}

type manifests map[string][]byte

func (m manifests) rewrite(c Change) (string, []byte, error) {
	was, is, err := c.read()
	if err != nil {
		return "", nil, err
	}
	file, doc, no := m.find(c.Address)
	if no != nil {
		return "", nil, no
	}
	root, no := documents(m[file])
	if no != nil {
		return "", nil, no.at(file, 0)
	}
	if c.Deleted {
		return "", nil, refuse("it was deleted: remove it from the file, or apply to make it again").at(file, root[doc].Line)
	}
	node, trail, no := follow(root[doc].Content[0], c.Path)
	if no != nil {
		return "", nil, no.at(file, root[doc].Line)
	}
	text, no := respell(m[file], node, was, is)
	if no != nil {
		return "", nil, no.at(file, node.Line)
	}
	after, no := documents(text)
	if no != nil || len(after) != len(root) {
		return "", nil, refuse("the edited file would not say what it should").at(file, node.Line)
	}
	// Only the one node may be another now.
	changed := after[doc].Content[0]
	for _, i := range trail {
		if i >= len(changed.Content) {
			return "", nil, refuse("the edited file would not say what it should").at(file, node.Line)
		}
		changed = changed.Content[i]
	}
	if kind(changed) == "" || !same(scalarOf(changed), is) || kind(changed) != kindOf(is) {
		return "", nil, refuse("the edited file would not say what it should").at(file, node.Line)
	}
	changed.Value, changed.Tag, changed.Style = node.Value, node.Tag, node.Style
	if !slices.EqualFunc(root, after, alike) {
		return "", nil, refuse("the edited file would not say what it should").at(file, node.Line)
	}
	return file, text, nil
}

// find is the file of an object and which of its documents it is.
func (m manifests) find(ref string) (file string, doc int, no *refusal) {
	version, rest, ok := strings.Cut(ref, " ")
	kind, name, okName := strings.Cut(rest, " ")
	namespace, short, spaced := strings.Cut(name, "/")
	if !spaced {
		namespace, short = "", name
	}
	switch {
	case !ok || !okName || short == "":
		return "", 0, refuse("its name cannot be read")
	case version == "v1" && kind == "Secret":
		return "", 0, refuse("the values of a Secret are written into no file")
	}
	found := 0
	for _, f := range slices.Sorted(maps.Keys(m)) {
		all, no := documents(m[f])
		if no != nil {
			continue // not one of plain manifests
		}
		for i, d := range all {
			object := d.Content[0]
			in := text(object, "metadata", "namespace")
			if text(object, "apiVersion") == version && text(object, "kind") == kind && text(object, "metadata", "name") == short && (in == namespace || in == "") {
				file, doc, found = f, i, found+1
			}
		}
	}
	switch {
	case found == 0:
		return "", 0, refuse("no plain manifest holds it")
	case found > 1:
		return "", 0, refuse("%d manifests may be meant", found).at(file, 0)
	}
	return file, doc, nil
}

// documents are those of a file that are not empty.
func documents(file []byte) ([]*yaml.Node, *refusal) {
	var out []*yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(file))
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, refuse("the file cannot be read")
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 && n.Content[0].Kind == yaml.MappingNode {
			out = append(out, &n)
		}
	}
}

// text is the text at a path of names; "" where there is none.
func text(n *yaml.Node, names ...string) string {
	for _, name := range names {
		if n = child(n, name); n == nil {
			return ""
		}
	}
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

func child(n *yaml.Node, name string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name && n.Content[i].Kind == yaml.ScalarNode {
			return n.Content[i+1]
		}
	}
	return nil
}

// follow is the node that a path leads to, and the way to it by index. It goes through no alias: what one stands for is other
// places' too.
func follow(n *yaml.Node, path []any) (at *yaml.Node, trail []int, no *refusal) {
	for _, step := range path {
		var next *yaml.Node
		switch step := step.(type) {
		case string:
			next = child(n, step)
		case int:
			if n.Kind == yaml.SequenceNode && step >= 0 && step < len(n.Content) {
				next = n.Content[step]
			}
		case Item:
			if n.Kind != yaml.SequenceNode {
				break
			}
			for _, item := range n.Content {
				if !step.of(item) {
					continue
				}
				if next != nil {
					return nil, nil, refuse("the file has two of that list item")
				}
				next = item
			}
		}
		if next == nil {
			return nil, nil, refuse("the file does not set it")
		}
		trail = append(trail, slices.Index(n.Content, next))
		if n = next; n.Kind == yaml.AliasNode || n.Anchor != "" {
			return nil, nil, refuse("the file has it in several places, by an alias")
		}
	}
	return n, trail, nil
}

func (i Item) of(n *yaml.Node) bool {
	for name, value := range i {
		if at := child(n, name); at == nil || at.Kind != yaml.ScalarNode || at.Value != value {
			return false
		}
	}
	return len(i) > 0
}

// alike compares all that a file says, comments included.
func alike(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Tag == b.Tag && a.Value == b.Value && a.Anchor == b.Anchor && a.Style == b.Style &&
		a.HeadComment == b.HeadComment && a.LineComment == b.LineComment && a.FootComment == b.FootComment && slices.EqualFunc(a.Content, b.Content, alike)
}
