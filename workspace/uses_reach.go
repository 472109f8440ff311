package workspace

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// said is something that a module names: a local value, a variable, a resource, a call of
// another module, an output.
type said struct {
	text []byte
	node hclsyntax.Node // whose expressions refer to others; nil of JSON
}

// refs are the names that it refers to. They are looked for where they are asked for: of
// most things they never are.
func (s said) refs() []string {
	if s.node == nil {
		return refsInJSON(s.text)
	}
	return refsOf(s.node)
}

// names are what the modules of a unit say, by directory and name.
type names map[string]map[string][]said

// inJSON is the name under which whole files of JSON stand: no closer part of one is told
// apart, so that each counts for everything in its module.
const inJSON = "json"

func (n names) add(dir, name string, s said) {
	if n[dir] == nil {
		n[dir] = map[string][]said{}
	}
	n[dir][name] = append(n[dir][name], s)
}

func (n names) take(dir string, f parsed) {
	body, ok := f.body.(*hclsyntax.Body)
	if !ok {
		n.add(dir, inJSON, said{f.src, nil})
		return
	}
	for _, b := range body.Blocks {
		whole := said{textOf(b.AsHCLBlock(), f.src), b.Body}
		switch {
		case b.Type == "locals":
			for name, a := range b.Body.Attributes {
				n.add(dir, "local."+name, said{a.SrcRange.SliceBytes(f.src), a.Expr})
			}
		case b.Type == "variable" && len(b.Labels) == 1:
			n.add(dir, "var."+b.Labels[0], whole)
		case b.Type == "resource" && len(b.Labels) == 2:
			n.add(dir, strings.Join(b.Labels, "."), whole)
		default: // module.NAME, output.NAME, data.TYPE.NAME and their like
			n.add(dir, strings.Join(append([]string{b.Type}, b.Labels...), "."), whole)
		}
	}
}

// refsOf are the names that expressions below a node refer to.
func refsOf(node hclsyntax.Node) (all []string) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if e, ok := n.(*hclsyntax.ScopeTraversalExpr); ok {
			all = append(all, nameOf(e.Traversal))
		}
		return nil
	})
	return all
}

func nameOf(t hcl.Traversal) string {
	parts := []string{t.RootName()}
	most := 2
	if parts[0] == "data" || parts[0] == "ephemeral" {
		most = 3
	}
	for _, step := range t[1:] {
		attr, ok := step.(hcl.TraverseAttr)
		if !ok || len(parts) == most {
			break
		}
		parts = append(parts, attr.Name)
	}
	return strings.Join(parts, ".")
}

func refsInJSON(src []byte) (all []string) {
	decoder := json.NewDecoder(bytes.NewReader(src))
	for {
		token, err := decoder.Token()
		if err != nil {
			return all
		}
		if text, ok := token.(string); ok && strings.Contains(text, "{") {
			if t, diags := hclsyntax.ParseTemplate([]byte(text), "", hcl.InitialPos); !diags.HasErrors() {
				all = append(all, refsOf(t)...)
			}
		}
	}
}

// reach is everything that the values of some names come from, wherever in the unit, as it
// is written: what a command or a path is may be decided far from it.
func (x *usesOf) reach(dir string, refs []string) []string {
	type place struct{ dir, name string }
	seen := map[place]bool{}
	var texts []string
	queue := []place{{dir, inJSON}}
	for _, r := range refs {
		queue = append(queue, place{dir, r})
	}
	follow := func(in, name string) { queue = append(queue, place{in, name}) }
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		for _, s := range x.names[at.dir][at.name] {
			texts = append(texts, string(s.text))
			for _, r := range s.refs() {
				follow(at.dir, r)
			}
		}
		switch {
		case strings.HasPrefix(at.name, "var.") && at.dir == x.root:
			texts = append(texts, x.values...)
		case strings.HasPrefix(at.name, "var."): // whoever calls the module says what it is
			x.eachNamed("module.", follow)
		case strings.HasPrefix(at.name, "module."): // what the module says of itself
			x.eachNamed("output.", follow)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// eachNamed calls follow for everything in the unit whose name begins with a word, and for
// the files of JSON, which may hold such.
func (x *usesOf) eachNamed(word string, follow func(dir, name string)) {
	for dir, all := range x.names {
		follow(dir, inJSON)
		for name := range all {
			if strings.HasPrefix(name, word) {
				follow(dir, name)
			}
		}
	}
}
