package edit

import (
	"fmt"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// why is where the value of an expression comes from that is no literal.
func (r *resource) why(expr hclsyntax.Expression) *refusal {
	line := expr.Range().Start.Line
	expr = unwrap(expr)
	for _, t := range expr.Variables() {
		return refuse("the value comes from %s", r.origin(t)).at(r.file, line)
	}
	said := "the value is no literal"
	switch e := expr.(type) {
	case *hclsyntax.FunctionCallExpr:
		said = fmt.Sprintf("the function %s makes the value", e.Name)
	case *hclsyntax.ConditionalExpr:
		said = "a condition decides the value"
	case *hclsyntax.ForExpr:
		said = "a for expression makes the value"
	case *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr:
		said = "the value is calculated"
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr, *hclsyntax.TemplateJoinExpr:
		said = "a template makes the value"
	case *hclsyntax.ObjectConsExpr:
		said = "the value is an object with names that are no literals, or are there twice"
	case *hclsyntax.LiteralValueExpr:
		said = "the file sets null"
	}
	return refuse("%s", said).at(r.file, line)
}

// origin names what a reference refers to, and of a variable where it has its value.
func (r *resource) origin(t hcl.Traversal) string {
	names := []string{t.RootName()}
	for _, step := range t[1:] {
		attr, ok := step.(hcl.TraverseAttr)
		if !ok {
			break
		}
		names = append(names, attr.Name)
	}
	if len(names) < 2 {
		return names[0]
	}
	switch names[0] {
	case "var":
		return "variable " + names[1] + r.offer(names[1])
	case "local":
		return "local " + names[1]
	case "module":
		return "module " + names[1]
	case "data":
		return strings.Join(names[:min(3, len(names))], ".")
	case "each":
		return "for_each"
	}
	return strings.Join(names[:2], ".")
}

// offer says where a person could change a variable, if it is used nowhere else.
func (r *resource) offer(name string) string {
	uses := 0
	for _, file := range r.modules.native(r.dir) {
		body, no := r.modules.body(file)
		if no != nil {
			return ""
		}
		uses += usesOf(body, name)
	}
	if uses != 1 {
		return ""
	}
	if r.call.Block != nil { // a module's: its caller sets it
		if attr := r.call.Body.Attributes[name]; attr != nil {
			if hasRaw(tree(attr.Expr, nil)) {
				return ""
			}
			return fmt.Sprintf(", used only here and set in %s, line %d", r.call.file, attr.NameRange.Start.Line)
		}
	} else if said := r.given(name); said != "" {
		return said
	}
	declared, no := r.modules.blocks(r.dir, "variable", name)
	if no != nil || len(declared) != 1 {
		return ""
	}
	attr := declared[0].Body.Attributes["default"]
	if attr == nil || hasRaw(tree(attr.Expr, nil)) {
		return ""
	}
	return fmt.Sprintf(", used only here, with its default in %s, line %d", declared[0].file, attr.NameRange.Start.Line)
}

// given is where a file of values sets a variable of the root module: the last one wins.
func (r *resource) given(name string) string {
	said := ""
	for _, file := range append(r.modules.of(r.dir, "/terraform.tfvars"), r.modules.of(r.dir, ".tfvars")...) {
		base := path.Base(file)
		if base != "terraform.tfvars" && !strings.HasSuffix(base, ".auto.tfvars") {
			continue
		}
		body, no := r.modules.body(file)
		if no != nil {
			return ""
		}
		if attr := body.Attributes[name]; attr != nil && (said == "" || base != "terraform.tfvars") {
			said = fmt.Sprintf(", used only here and set in %s, line %d", file, attr.NameRange.Start.Line)
		}
	}
	return said
}

func usesOf(body *hclsyntax.Body, name string) int {
	n := 0
	for _, attr := range body.Attributes {
		for _, t := range attr.Expr.Variables() {
			if attr, ok := second(t); ok && t.RootName() == "var" && attr == name {
				n++
			}
		}
	}
	for _, b := range body.Blocks {
		n += usesOf(b.Body, name)
	}
	return n
}

func second(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	return attr.Name, ok
}
