package workspace

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
)

var configSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "terraform"},
	{Type: "provider", LabelNames: []string{"name"}},
	{Type: "module", LabelNames: []string{"name"}},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "output", LabelNames: []string{"name"}},
	{Type: "locals"},
	{Type: "resource", LabelNames: []string{"type", "name"}},
	{Type: "data", LabelNames: []string{"type", "name"}},
	{Type: "ephemeral", LabelNames: []string{"type", "name"}},
}}

var terraformSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "required_version"}},
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "backend", LabelNames: []string{"type"}},
		{Type: "cloud"},
		{Type: "required_providers"},
	},
}

// parseBody parses native or JSON syntax, by the file's name.
func parseBody(name string, src []byte) (hcl.Body, hcl.Diagnostics) {
	if why := unreasonable(src); why != "" {
		at := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
		return nil, hcl.Diagnostics{fault(at, "Unreasonable file", why)}
	}
	if strings.HasSuffix(name, ".json") {
		file, diags := hcljson.Parse(src, name)
		if file == nil {
			return nil, diags
		}
		return file.Body, diags
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if file == nil {
		return nil, diags
	}
	return file.Body, diags
}

// parseConfigFile reads one *.tf or *.tf.json file.
func parseConfigFile(name string, src []byte, in *interner) *fileFacts {
	body, diags := parseBody(name, src)
	x := extractor{src: src, json: strings.HasSuffix(name, ".json"), in: in, facts: &fileFacts{configFacts: &configFacts{}}}
	if diags.HasErrors() {
		x.facts.broken = withoutTrees(diags)
		x.facts.guessed = guessFacts(src)
	}
	if body == nil {
		return x.facts
	}
	content, _, more := body.PartialContent(configSchema)
	if more.HasErrors() && x.facts.broken == nil {
		x.facts.broken = withoutTrees(more)
	}
	for _, block := range content.Blocks {
		x.block(block)
	}
	slices.Sort(x.facts.implied)
	x.facts.implied = slices.Compact(x.facts.implied)
	if x.json {
		x.jsonPaths()
	} else if native, ok := body.(*hclsyntax.Body); ok && mayNamePaths(src) {
		x.paths(native, 0)
	}
	return x.facts
}

// parseValueFile reads a file of plain attributes: *.tfvars, or a backend configuration.
func parseValueFile(name string, src []byte, in *interner) *fileFacts {
	x := extractor{src: src, json: strings.HasSuffix(name, ".json"), in: in, facts: &fileFacts{configFacts: noConfig}}
	body, diags := parseBody(name, src)
	if body != nil && !diags.HasErrors() {
		attrs, more := body.JustAttributes()
		diags = append(diags, more...)
		x.facts.values = x.namedExprs(attrs)
	}
	if diags.HasErrors() {
		x.facts.broken = withoutTrees(diags)
	}
	return x.facts
}

// noConfig is shared by files that hold no configuration, and never changed.
var noConfig = &configFacts{}

// extractor turns one file's tree into facts.
type extractor struct {
	src   []byte
	json  bool
	in    *interner
	facts *fileFacts
}

func (x *extractor) block(block *hcl.Block) {
	f := x.facts
	line := int32(block.DefRange.Start.Line)
	switch block.Type {
	case "terraform":
		x.terraform(block.Body)
	case "provider":
		f.hasProvider = true
		f.implied = append(f.implied, x.in.intern(block.Labels[0]))
	case "module":
		x.module(block, line)
	case "variable":
		attrs := attributes(block.Body)
		v := variable{name: x.in.intern(block.Labels[0]), sensitive: isTrue(attrs["sensitive"])}
		v.def = x.attr(attrs, "default")
		f.variables = append(f.variables, v)
	case "output":
		f.outputs = append(f.outputs, output{x.in.intern(block.Labels[0]), isTrue(attributes(block.Body)["sensitive"])})
	case "locals":
		f.locals = append(f.locals, x.namedExprs(attributes(block.Body))...)
	case "resource", "ephemeral":
		x.implies(block)
	case "data":
		if block.Labels[0] == "terraform_remote_state" {
			attrs := attributes(block.Body)
			f.states = append(f.states, stateBlock{
				name: x.in.intern(block.Labels[1]), line: line,
				backend: x.attr(attrs, "backend"), workspace: x.attr(attrs, "workspace"), config: x.attr(attrs, "config"),
				repeat: x.repeat(attrs),
			})
			return
		}
		x.implies(block)
	}
}

func (x *extractor) terraform(body hcl.Body) {
	f := x.facts
	content, _, _ := body.PartialContent(terraformSchema)
	if attr := content.Attributes["required_version"]; attr != nil {
		f.requiredVersion = append(f.requiredVersion, x.expr(attr.Expr))
	}
	for _, block := range content.Blocks {
		switch block.Type {
		case "backend":
			f.backend = &backendBlock{
				kind: x.in.intern(block.Labels[0]), line: int32(block.DefRange.Start.Line),
				config: x.namedExprs(attributes(block.Body)),
			}
			if native, ok := block.Body.(*hclsyntax.Body); ok {
				for _, inner := range native.Blocks {
					f.backend.nested += string(inner.Range().SliceBytes(x.src)) + string(inner.Body.Range().SliceBytes(x.src))
				}
			}
		case "cloud":
			f.cloudLine = int32(block.DefRange.Start.Line)
		case "required_providers":
			for _, e := range sortedAttributes(attributes(block.Body)) {
				p := requiredProvider{name: x.in.intern(e.Name), text: x.in.intern(string(e.Expr.Range().SliceBytes(x.src)))}
				p.source = x.in.intern(providerSource(e.Expr))
				f.required = append(f.required, p)
			}
		}
	}
}

func (x *extractor) module(block *hcl.Block, line int32) {
	attrs := attributes(block.Body)
	call := moduleCall{name: x.in.intern(block.Labels[0]), line: line,
		source: x.attr(attrs, "source"), repeat: x.repeat(attrs)}
	if attr := attrs["version"]; attr != nil {
		call.version = x.in.intern(string(attr.Expr.Range().SliceBytes(x.src)))
	}
	for _, meta := range []string{"source", "version", "for_each", "count", "providers", "depends_on"} {
		delete(attrs, meta)
	}
	call.args = x.namedExprs(attrs)
	x.facts.calls = append(x.facts.calls, call)
}

// implies records which provider a resource or data source needs: without an entry
// in required_providers, the first word of its type names it.
func (x *extractor) implies(block *hcl.Block) {
	name, _, _ := strings.Cut(block.Labels[0], "_")
	if attr := attributes(block.Body)["provider"]; attr != nil {
		if traversal, diags := hcl.AbsTraversalForExpr(attr.Expr); !diags.HasErrors() && !traversal.IsRelative() {
			name = traversal.RootName()
		}
	}
	if name != "terraform" { // built in
		x.facts.implied = append(x.facts.implied, x.in.intern(name))
	}
}

func (x *extractor) repeat(attrs hcl.Attributes) *repeat {
	if attrs["for_each"] == nil && attrs["count"] == nil {
		return nil
	}
	return &repeat{forEach: x.attr(attrs, "for_each"), count: x.attr(attrs, "count")}
}

func (x *extractor) attr(attrs hcl.Attributes, name string) expr {
	attr := attrs[name]
	if attr == nil {
		return expr{}
	}
	return x.expr(attr.Expr)
}

func (x *extractor) namedExprs(attrs hcl.Attributes) []namedExpr {
	if len(attrs) == 0 {
		return nil
	}
	out := make([]namedExpr, 0, len(attrs))
	for _, attr := range sortedAttributes(attrs) {
		out = append(out, namedExpr{x.in.intern(attr.Name), x.expr(attr.Expr)})
	}
	return out
}

func (x *extractor) expr(e hcl.Expression) expr {
	line := int32(e.Range().Start.Line)
	if s, ok := literalString(e); ok {
		return expr{x.in.intern(s), line, formLiteral}
	}
	text := x.in.intern(string(e.Range().SliceBytes(x.src)))
	if x.json {
		return expr{text, line, formJSON}
	}
	return expr{text, line, formHCL}
}

// literalString answers the value of an expression that is nothing but a string.
func literalString(e hcl.Expression) (string, bool) {
	switch e := e.(type) {
	case *hclsyntax.TemplateExpr:
		if !e.IsStringLiteral() {
			return "", false
		}
		return literalString(e.Parts[0])
	case *hclsyntax.LiteralValueExpr:
		if isKnownString(e.Val) {
			return e.Val.AsString(), true
		}
		return "", false
	case hclsyntax.Expression:
		return "", false
	}
	// JSON: without a context a string is answered as it is written, templates too.
	v, diags := e.Value(nil)
	if diags.HasErrors() || !isKnownString(v) {
		return "", false
	}
	s := v.AsString()
	if strings.Contains(s, "${") || strings.Contains(s, "%{") || strings.Contains(s, "$${") {
		return "", false
	}
	return s, true
}

// providerSource reads source out of { source = "…", version = "…" }.
func providerSource(e hcl.Expression) string {
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		return ""
	}
	for _, pair := range pairs {
		key, keyDiags := pair.Key.Value(nil)
		if keyDiags.HasErrors() || !isKnownString(key) || key.AsString() != "source" {
			continue
		}
		if s, ok := literalString(pair.Value); ok {
			return s
		}
	}
	return ""
}

// attributes takes a body's attributes and leaves its blocks alone.
func attributes(body hcl.Body) hcl.Attributes {
	if native, ok := body.(*hclsyntax.Body); ok {
		out := make(hcl.Attributes, len(native.Attributes))
		for name, attr := range native.Attributes {
			out[name] = attr.AsHCLAttribute()
		}
		return out
	}
	attrs, _ := body.JustAttributes()
	return attrs
}

func sortedAttributes(attrs hcl.Attributes) []*hcl.Attribute {
	out := make([]*hcl.Attribute, 0, len(attrs))
	for _, attr := range attrs {
		out = append(out, attr)
	}
	slices.SortFunc(out, func(a, b *hcl.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func isTrue(attr *hcl.Attribute) bool {
	if attr == nil {
		return false
	}
	v, diags := attr.Expr.Value(nil)
	return !diags.HasErrors() && isKnownBool(v) && v.True()
}

// withoutTrees drops what would keep a file's tree alive.
func withoutTrees(diags hcl.Diagnostics) hcl.Diagnostics {
	out := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		c.Expression, c.EvalContext, c.Extra = nil, nil, nil
		out[i] = &c
	}
	return out
}

var (
	guessSource = regexp.MustCompile(`"?source"?\s*[=:]\s*"(\.\.?/[^"\n]*)"`)
	guessRoot   = regexp.MustCompile(`(?m)^\s*"?(backend|cloud|provider)"?\s*["{:]`)
)

func guessFacts(src []byte) *guess {
	src = src[:min(len(src), 1<<20)]
	g := &guess{root: guessRoot.Match(src)}
	for _, m := range guessSource.FindAllSubmatch(src, -1) {
		g.sources = append(g.sources, string(m[1]))
	}
	return g
}

// mayNamePaths is a cheap look before the tree is walked.
func mayNamePaths(src []byte) bool {
	return bytes.Contains(src, []byte("file")) || bytes.Contains(src, []byte("path."))
}
