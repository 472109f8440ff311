package workspace

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// functions takes the calls in a file that read outside the root module's own tree, or
// where cannot be told from the call alone.
func (x *usesOf) functions(dir, file string, src []byte, body hcl.Body) {
	if native, ok := body.(*hclsyntax.Body); ok {
		for _, b := range native.Blocks {
			if b.Type != "locals" {
				x.calls(calling{dir: dir, file: file, src: src, around: said{textOf(b.AsHCLBlock(), src), b.Body}}, b.Body)
				continue
			}
			for _, a := range b.Body.Attributes {
				x.calls(calling{dir: dir, file: file, src: src, around: said{a.SrcRange.SliceBytes(src), a.Expr}}, a.Expr)
			}
		}
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(src))
	for {
		token, err := decoder.Token()
		if err != nil {
			return // its end: the parser has already said what is wrong
		}
		text, ok := token.(string)
		if !ok || !strings.Contains(text, "${") && !strings.Contains(text, "%{") {
			continue
		}
		x.template(calling{dir: dir, file: file, src: []byte(text), lines: bytes.Count(src[:decoder.InputOffset()], []byte("\n")), around: said{src, nil}})
	}
}

// calling is where a call stands, and what its arguments may come from.
type calling struct {
	dir, file string
	src       []byte
	lines     int  // before src in the file
	around    said // the block, or the file, that the call stands in
	depth     int  // of templates within templates
}

// template looks into a template.
func (x *usesOf) template(c calling) {
	t, diags := hclsyntax.ParseTemplate(c.src, c.file, hcl.InitialPos)
	if diags.HasErrors() {
		x.unread(c.file, c.lines+1, "a template in it cannot be parsed")
		return
	}
	x.calls(c, t)
}

const deepestTemplate = 3 // a template names no other; its own files are no templates

func (x *usesOf) calls(c calling, node hclsyntax.Node) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		if !ok {
			return nil
		}
		name := strings.TrimPrefix(call.Name, "core::")
		written := string(call.Range().SliceBytes(c.src))
		u := Use{Kind: UseFunction, Name: name, Source: name, Digest: digest(name, written), File: c.file, Line: call.Range().Start.Line + c.lines}
		switch {
		case strings.HasPrefix(name, "provider::"):
			u.Digest = digest(name) // a provider's own: it is the provider that is trusted
			x.add(u)
		case name == "templatestring":
			u.Digest = x.callDigest(c, written)
			x.add(u)
		case fileFunctions[name] && len(call.Args) > 0:
			x.reads(c, call, u, written)
		}
		return nil
	})
}

// templated is the template file that the call stands in; "" outside of one.
func (c calling) templated() string {
	if c.depth == 0 {
		return ""
	}
	return string(c.src)
}

// callDigest stands for a call whose arguments the files alone do not tell, and for all
// that they may come from.
func (x *usesOf) callDigest(c calling, written string) string {
	return digest(append([]string{written, c.templated(), string(c.around.text)}, x.reach(c.dir, c.around.refs())...)...)
}

func (x *usesOf) reads(c calling, call *hclsyntax.FunctionCallExpr, u Use, written string) {
	base, prefix, constant := constantPath(call.Args[0])
	from := x.root
	if base == baseModule {
		from = c.dir
	}
	p := path.Join(from, prefix)
	based := isPathTraversal(call.Args[0]) || startsWithPath(call.Args[0])
	switch {
	case !constant || glued(call.Args[0]):
		u.Version, u.Digest = "a path that the files alone do not tell", x.callDigest(c, written)
		x.add(u)
		return
	case path.IsAbs(prefix) && !based, strings.HasPrefix(prefix, "~"), escapes(p), !x.inOwnTree(p):
		u.Version = prefix
		x.add(u)
		return
	}
	if u.Name == "fileset" {
		if len(call.Args) > 1 {
			if pattern, ok := literalString(call.Args[1]); !ok || strings.Contains(pattern, "..") || path.IsAbs(pattern) {
				u.Version, u.Digest = "a pattern that may lead out of the tree", x.callDigest(c, written)
				x.add(u)
			}
		}
		return
	}
	real, ok := x.r.follow(p)
	if !ok {
		if f, there := x.r.files[p]; there && f.mode != 0 {
			u.Version = "a symbolic link that leads to no file of the repository"
			x.add(u)
		}
		return // made by something else, or missing: Terraform says so
	}
	if !x.inOwnTree(real) {
		u.Version = real
		x.add(u)
		return
	}
	if u.Name == "templatefile" && c.depth < deepestTemplate {
		if text, err := x.r.tree.ReadFile(real); err == nil {
			x.template(calling{dir: c.dir, file: real, src: text, around: c.around, depth: c.depth + 1})
		}
	}
}

// startsWithPath tells that a template begins with path.module or path.root.
func startsWithPath(e hclsyntax.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.TemplateExpr:
		return len(e.Parts) > 0 && isPathTraversal(e.Parts[0])
	case *hclsyntax.TemplateWrapExpr:
		return isPathTraversal(e.Wrapped) || startsWithPath(e.Wrapped)
	case *hclsyntax.ParenthesesExpr:
		return isPathTraversal(e.Expression) || startsWithPath(e.Expression)
	}
	return false
}

// glued tells that what follows path.module or path.root begins with no slash: path.root is
// a dot, and a dot more makes two of it.
func glued(e hclsyntax.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.TemplateExpr:
		if len(e.Parts) < 2 || !isPathTraversal(e.Parts[0]) {
			return false
		}
		rest, ok := e.Parts[1].(*hclsyntax.LiteralValueExpr)
		return !ok || !isKnownString(rest.Val) || !strings.HasPrefix(rest.Val.AsString(), "/")
	case *hclsyntax.ParenthesesExpr:
		return glued(e.Expression)
	}
	return false
}
