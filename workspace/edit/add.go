package edit

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// fixed are what no argument sets: Terraform's own words of a block, and what every provider computes.
var fixed = []string{"id", "arn", "self_link", "tags_all", "provider", "depends_on", "lifecycle", "count", "for_each", "connection", "provisioner"}

// add sets an argument that the file leaves to its default.
func (r *resource) add(b *hclsyntax.Body, place string, path []any, is any, top bool) ([]edit, *refusal) {
	name, _ := path[0].(string)
	value, ok := is.(scalar)
	switch {
	case !top || len(path) > 1 || !ok:
		return nil, refuse("the file does not set it")
	case !hclsyntax.ValidIdentifier(name) || slices.Contains(fixed, name):
		return nil, refuse("the file cannot set it")
	}
	open, end := r.OpenBraceRange.Start.Byte, r.CloseBraceRange.Start.Byte
	lb, said := lineBreak(r.text), name+" = "+value.write()
	if !bytes.Contains(r.text[open:end], []byte("\n")) {
		if len(bytes.TrimSpace(r.text[open+1:end])) > 0 {
			return nil, refuse("the file does not set it, and the block is on one line")
		}
		indent := indentOf(r.text, open)
		return []edit{{place + "/" + name, []splice{{open + 1, end, lb + indent + "  " + said + lb + indent}}, value}}, nil
	}
	at, indent := nextLine(r.text, open+1), indentOf(r.text, open)+"  "
	if last := r.lastArgument(b); last != nil {
		at, indent = nextLine(r.text, last.SrcRange.End.Byte), indentOf(r.text, last.NameRange.Start.Byte)
		if pad := last.EqualsRange.Start.Byte - last.NameRange.Start.Byte - len(name) - 1; pad > 0 {
			said = name + strings.Repeat(" ", pad) + said[len(name):]
		}
	}
	if at > end {
		return nil, refuse("the file does not set it, and the block ends in the same line")
	}
	return []edit{{place + "/" + name, []splice{{at, at, indent + said + lb}}, value}}, nil
}

// lastArgument is the last one of a block before its first inner block.
func (r *resource) lastArgument(b *hclsyntax.Body) *hclsyntax.Attribute {
	first := r.CloseBraceRange.Start.Byte
	for _, inner := range b.Blocks {
		first = min(first, inner.TypeRange.Start.Byte)
	}
	var last *hclsyntax.Attribute
	for _, attr := range b.Attributes {
		if at := attr.NameRange.Start.Byte; at < first && (last == nil || at > last.NameRange.Start.Byte) {
			last = attr
		}
	}
	return last
}
