package workspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// fileFunctions are the functions whose first argument is a path they read.
var fileFunctions = map[string]bool{
	"file": true, "fileexists": true, "fileset": true, "filebase64": true,
	"filebase64sha256": true, "filebase64sha512": true, "filemd5": true,
	"filesha1": true, "filesha256": true, "filesha512": true, "templatefile": true,
}

// paths collects the paths in every expression below node; lineOffset is added to
// the lines of templates that stand inside JSON strings.
func (x *extractor) paths(node hclsyntax.Node, lineOffset int) {
	x.pathsIn(node, x.src, lineOffset)
}

func (x *extractor) pathsIn(node hclsyntax.Node, src []byte, lineOffset int) {
	var taken map[hclsyntax.Node]bool // arguments that a function's path was read from
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		switch e := n.(type) {
		case *hclsyntax.FunctionCallExpr:
			name := strings.TrimPrefix(e.Name, "core::")
			if fileFunctions[name] && len(e.Args) > 0 {
				x.addPath(name, e.Args, src, lineOffset)
				if taken == nil {
					taken = map[hclsyntax.Node]bool{}
				}
				taken[e.Args[0]] = true
			}
		case *hclsyntax.TemplateExpr:
			// A path that is only mentioned, as source_dir of an archive or the
			// command of a provisioner, counts where it exists.
			if len(e.Parts) > 1 && !taken[e] && isPathTraversal(e.Parts[0]) {
				x.addPath("", []hclsyntax.Expression{e}, src, lineOffset)
			}
		}
		return nil
	})
}

func (x *extractor) addPath(fn string, args []hclsyntax.Expression, src []byte, lineOffset int) {
	ref := pathRef{fn: fn, line: int32(args[0].Range().Start.Line + lineOffset)}
	base, prefix, constant := constantPath(args[0])
	ref.base, ref.prefix = base, x.in.intern(prefix)
	if !constant {
		if fn == "" {
			return
		}
		ref.dynamic = expr{x.in.intern(string(args[0].Range().SliceBytes(src))), ref.line, formHCL}
	}
	if fn == "fileset" {
		ref.glob = "**"
		if len(args) > 1 {
			if pattern, ok := literalString(args[1]); ok {
				ref.glob = x.in.intern(pattern)
			}
		}
	}
	x.facts.paths = append(x.facts.paths, ref)
}

// constantPath takes the constant beginning of a path expression; constant tells
// that it is the whole of it.
func constantPath(e hclsyntax.Expression) (base pathBase, prefix string, constant bool) {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return constantPath(e.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return constantPath(e.Wrapped)
	case *hclsyntax.ScopeTraversalExpr:
		if base, ok := pathTraversal(e); ok {
			return base, "", true
		}
		return baseRoot, "", false
	case *hclsyntax.LiteralValueExpr:
		if isKnownString(e.Val) {
			return baseRoot, e.Val.AsString(), true
		}
		return baseRoot, "", false
	case *hclsyntax.TemplateExpr:
		var text strings.Builder
		based := false // what follows a base begins with a slash and is not absolute for that
		rest := func() string {
			if based {
				return strings.TrimLeft(text.String(), "/")
			}
			return text.String()
		}
		for i, part := range e.Parts {
			if i == 0 {
				if b, ok := pathTraversal(part); ok {
					base, based = b, true
					continue
				}
			}
			literal, ok := part.(*hclsyntax.LiteralValueExpr)
			if !ok || !isKnownString(literal.Val) {
				return base, rest(), false
			}
			text.WriteString(literal.Val.AsString())
		}
		return base, rest(), true
	}
	return baseRoot, "", false
}

func isPathTraversal(e hclsyntax.Expression) bool {
	_, ok := pathTraversal(e)
	return ok
}

// pathTraversal recognises path.module, path.root and path.cwd.
func pathTraversal(e hclsyntax.Expression) (pathBase, bool) {
	t, ok := e.(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(t.Traversal) != 2 || t.Traversal.RootName() != "path" {
		return 0, false
	}
	attr, ok := t.Traversal[1].(hcl.TraverseAttr)
	if !ok {
		return 0, false
	}
	switch attr.Name {
	case "module":
		return baseModule, true
	case "root", "cwd":
		return baseRoot, true
	}
	return 0, false
}

// jsonPaths looks into the templates of a JSON file's strings.
func (x *extractor) jsonPaths() {
	if !mayNamePaths(x.src) {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(x.src))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return // the parser has already said what is wrong
		}
		text, ok := token.(string)
		if !ok || !strings.Contains(text, "${") && !strings.Contains(text, "%{") {
			continue
		}
		template, diags := hclsyntax.ParseTemplate([]byte(text), "", hcl.InitialPos)
		if diags.HasErrors() {
			continue
		}
		line := bytes.Count(x.src[:decoder.InputOffset()], []byte("\n"))
		x.pathsIn(template, []byte(text), line)
	}
}
