package workspace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"
)

// ConfigFile is the one configuration file of the infra repository.
const ConfigFile = "mooring.hcl"

var (
	rootSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "discover"}},
		Blocks: []hcl.BlockHeaderSchema{
			{Type: "workspace", LabelNames: []string{"name"}},
			{Type: "manifests", LabelNames: []string{"name"}},
			{Type: "health", LabelNames: []string{"kind"}},
			{Type: "drift"},
		},
	}
	workspaceSchema = schemaOf("dir", "workspace", "var_files", "variables", "auto_apply", "backend_config", "tool", "depends_on")
	manifestsSchema = schemaOf("path", "values", "cluster", "kubeconfig", "prune", "depends_on", "namespace", "force", "timeout", "on_failure",
		"as", "namespaces", "kinds", "cluster_kinds", "require_namespace",
		"release", "values_files", "kube_version", "api_versions", "ignore_hooks")
	healthSchema = schemaOf("healthy", "failed", "message")
	chartSchema  = schemaOf("source", "version", "digest")
	driftSchema  = &hcl.BodySchema{
		Attributes: schemaOf("enabled", "every", "cron", "timezone", "backoff", "after_apply", "remind", "remediate", "heal").Attributes,
		Blocks: []hcl.BlockHeaderSchema{
			{Type: "window", LabelNames: []string{"name"}},
			{Type: "ignore"},
			{Type: "severity"},
		},
	}
	windowSchema   = schemaOf("days", "from", "to")
	ignoreSchema   = schemaOf("units", "addresses", "fields", "classes", "reason", "until")
	severitySchema = schemaOf("kinds", "changes", "classes", "level")
)

func schemaOf(names ...string) *hcl.BodySchema {
	s := &hcl.BodySchema{}
	for _, name := range names {
		s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: name})
	}
	return s
}

// config is mooring.hcl, read but not yet laid over the repository.
type config struct {
	exists   bool
	discover bool
	drift    *DriftSettings
	health   []HealthRule
	blocks   []*block
}

// block is one workspace or manifests block.
type block struct {
	kind    Kind
	label   string
	attrs   hcl.Attributes
	chart   *chartBlock // of manifests, nil when nothing was said
	drift   *hcl.Block  // nil when nothing was said
	rng     hcl.Range   // of the header
	dir     string      // dir or path, cleaned
	pattern *glob       // nil for a plain directory
	digest  string
	bad     bool
}

// subject is the range of an attribute, else of the block.
func (b *block) subject(attr string) *hcl.Range {
	if a := b.attrs[attr]; a != nil {
		return a.Expr.Range().Ptr()
	}
	return b.rng.Ptr()
}

// parseConfig reads mooring.hcl by itself. Fit for fuzzing: it touches nothing else.
func parseConfig(src []byte, check func(HealthRule) []HealthFault) (*config, hcl.Diagnostics) {
	cfg := &config{exists: true, discover: true}
	if why := unreasonable(src); why != "" {
		return cfg, hcl.Diagnostics{fault(hcl.Range{Filename: ConfigFile, Start: hcl.InitialPos, End: hcl.InitialPos}, "Unreasonable file", why)}
	}
	file, diags := hclsyntax.ParseConfig(src, ConfigFile, hcl.InitialPos)
	if diags.HasErrors() {
		return cfg, diags // more would only follow from these
	}
	content, diags := file.Body.Content(rootSchema)
	if attr := content.Attributes["discover"]; attr != nil {
		var more hcl.Diagnostics
		cfg.discover, more = boolValue(attr, nil)
		diags = append(diags, more...)
	}
	health, more := parseHealth(content.Blocks.OfType("health"), check)
	cfg.health, diags = health, append(diags, more...)
	labels := map[string]hcl.Range{}
	for _, hb := range content.Blocks {
		if hb.Type == "health" {
			continue
		}
		if hb.Type == "drift" {
			drift, more := parseDrift(hb, defaultDrift(), nil)
			if cfg.drift != nil {
				more = append(more, fault(hb.DefRange, "Duplicate drift block", fmt.Sprintf("There is one already in line %d.", cfg.drift.Line)))
			}
			cfg.drift, diags = &drift, append(diags, more...)
			continue
		}
		b, more := parseBlock(hb, src)
		diags = append(diags, more...)
		key := hb.Type + " " + b.label
		if first, ok := labels[key]; ok {
			diags = append(diags, fault(hb.DefRange, "Duplicate id", fmt.Sprintf("%s %q was declared in line %d already.", hb.Type, b.label, first.Start.Line)))
			b.bad = true
		} else {
			labels[key] = hb.DefRange
		}
		cfg.blocks = append(cfg.blocks, b)
	}
	return cfg, diags
}

func parseBlock(hb *hcl.Block, src []byte) (*block, hcl.Diagnostics) {
	b := &block{kind: Kind(hb.Type), label: hb.Labels[0], rng: hb.DefRange}
	schema, place := workspaceSchema, "dir"
	if b.kind == KindManifests {
		schema, place = manifestsSchema, "path"
	}
	nested := []hcl.BlockHeaderSchema{{Type: "drift"}}
	if b.kind == KindManifests {
		nested = append(nested, hcl.BlockHeaderSchema{Type: "chart"})
	}
	content, diags := hb.Body.Content(&hcl.BodySchema{Attributes: schema.Attributes, Blocks: nested})
	b.attrs = content.Attributes
	diags = append(diags, b.takeChart(content.Blocks.OfType("chart"))...)
	diags = append(diags, b.takeDrift(content.Blocks.OfType("drift"))...)
	b.digest = digestOf(hb, src)
	if err := CheckName(b.label); err != nil {
		diags = append(diags, fault(hb.LabelRanges[0], "Bad name", sentence(err)))
		b.bad = true
	}
	attr := b.attrs[place]
	if attr == nil {
		b.bad = true
		return b, append(diags, fault(hb.DefRange, "Missing "+place, fmt.Sprintf("A %s block says its directory: %s = \"…\".", hb.Type, place)))
	}
	text, more := stringValue(attr, nil)
	diags = append(diags, more...)
	if more.HasErrors() {
		b.bad = true
		return b, diags
	}
	dir, err := cleanPath(text)
	if err != nil {
		b.bad = true
		return b, append(diags, fault(attr.Expr.Range(), "Bad "+place, sentence(err)))
	}
	b.dir = dir
	if isGlob(dir) {
		b.pattern = newGlob(dir)
	}
	return b, diags
}

// digestOf tells the texts of blocks apart, but for what they say of drift scans: that is no reason to plan a unit.
func digestOf(hb *hcl.Block, src []byte) string {
	native, ok := hb.Body.(*hclsyntax.Body)
	if !ok {
		return ""
	}
	start, end := hb.TypeRange.Start.Byte, min(native.EndRange.End.Byte, len(src))
	sum := sha256.New()
	for _, nested := range native.Blocks {
		if nested.Type != "drift" {
			continue
		}
		// As the text reads without the block, so that to add one is no change either.
		sum.Write(bytes.TrimRight(src[start:nested.TypeRange.Start.Byte], " \t\r\n"))
		sum.Write([]byte("\n"))
		start = nested.CloseBraceRange.End.Byte
		start += len(src[start:end]) - len(bytes.TrimLeft(src[start:end], " \t\r\n"))
	}
	sum.Write(src[start:end])
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func (b *block) takeDrift(blocks hcl.Blocks) (diags hcl.Diagnostics) {
	for i, hb := range blocks {
		if i > 0 {
			diags = append(diags, fault(hb.DefRange, "Duplicate drift block", fmt.Sprintf("There is one already in line %d.", blocks[0].DefRange.Start.Line)))
			continue
		}
		b.drift = hb
	}
	return diags
}

// cleanPath takes a path that a person wrote, relative to the top of the repository.
func cleanPath(p string) (string, error) {
	if path.IsAbs(p) {
		return "", fmt.Errorf("%q is an absolute path; paths start at the top of the repository", p)
	}
	clean := path.Clean(p)
	if escapes(clean) {
		return "", fmt.Errorf("%q lies outside the repository", p)
	}
	if p == "" {
		return "", fmt.Errorf("the path is empty; \".\" is the top of the repository")
	}
	if clean == ".git" || strings.HasPrefix(clean, ".git/") {
		return "", fmt.Errorf("%q lies in Git's own directory", p)
	}
	return clean, CheckName(clean)
}

// eachContext is what static values may use: functions, and each.match of a glob.
func eachContext(match []string) *hcl.EvalContext {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: pureFunctions()}
	if match != nil {
		values := make([]cty.Value, len(match))
		for i, m := range match {
			values[i] = cty.StringVal(m)
		}
		ctx.Variables["each"] = cty.ObjectVal(map[string]cty.Value{"match": cty.TupleVal(values)})
	}
	return ctx
}

func fault(rng hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}
}

// sentence makes an error's text one for a diagnostic's detail.
func sentence(err error) string {
	s := strings.TrimPrefix(err.Error(), ErrBadName.Error()+": ")
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// staticValue evaluates an attribute that must be known when the repository is read.
func staticValue(attr *hcl.Attribute, match []string, want cty.Type) (cty.Value, hcl.Diagnostics) {
	for _, t := range attr.Expr.Variables() {
		if root := t.RootName(); root == "workspace" || root == "manifests" {
			return cty.NilVal, hcl.Diagnostics{fault(t.SourceRange(), "Not known in time",
				fmt.Sprintf("%s decides what Mooring runs, so it cannot come from an output.", attr.Name))}
		}
		if t.RootName() == "each" && match == nil {
			return cty.NilVal, hcl.Diagnostics{fault(t.SourceRange(), "No each here",
				"each.match is what a glob's wildcards stood for, and this block has a plain directory.")}
		}
	}
	v, diags := attr.Expr.Value(eachContext(match))
	if diags.HasErrors() {
		return cty.NilVal, withoutTrees(diags)
	}
	v, _ = v.UnmarkDeep()
	if want == cty.NilType {
		return v, nil
	}
	v, err := convert.Convert(v, want)
	if err != nil || v.IsNull() || !v.IsKnown() {
		return cty.NilVal, hcl.Diagnostics{fault(attr.Expr.Range(), "Wrong type", fmt.Sprintf("%s must be %s.", attr.Name, typeName(want)))}
	}
	return v, nil
}

func typeName(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Bool:
		return "true or false"
	case t.IsListType():
		return "a list of strings"
	}
	return t.FriendlyName()
}

func stringValue(attr *hcl.Attribute, match []string) (string, hcl.Diagnostics) {
	v, diags := staticValue(attr, match, cty.NilType)
	if diags.HasErrors() {
		return "", diags
	}
	if !isKnownString(v) { // a number is no name: converting it would hide a mistake
		return "", hcl.Diagnostics{fault(attr.Expr.Range(), "Wrong type", attr.Name+" must be a string.")}
	}
	return v.AsString(), nil
}

func boolValue(attr *hcl.Attribute, match []string) (bool, hcl.Diagnostics) {
	v, diags := staticValue(attr, match, cty.NilType)
	if diags.HasErrors() {
		return false, diags
	}
	if !isKnownBool(v) {
		return false, hcl.Diagnostics{fault(attr.Expr.Range(), "Wrong type", attr.Name+" must be true or false.")}
	}
	return v.True(), nil
}

func durationValue(attr *hcl.Attribute, match []string) (time.Duration, hcl.Diagnostics) {
	s, diags := stringValue(attr, match)
	if diags.HasErrors() {
		return 0, diags
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint16
		n, err = wholeDays(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return 0, hcl.Diagnostics{fault(attr.Expr.Range(), "Bad duration", fmt.Sprintf("%s = %q is no duration such as \"90s\", \"10m\" or \"6h\".", attr.Name, s))}
	}
	return d, nil
}

// wholeDays takes as many days as fit into a duration.
func wholeDays(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}

// durationOrNever is a duration, or 0 for the word "never".
func durationOrNever(attr *hcl.Attribute, match []string) (time.Duration, hcl.Diagnostics) {
	if s, diags := stringValue(attr, match); !diags.HasErrors() && s == "never" {
		return 0, nil
	}
	return durationValue(attr, match)
}

func wholeValue(attr *hcl.Attribute, match []string) (int, hcl.Diagnostics) {
	v, diags := staticValue(attr, match, cty.NilType)
	if diags.HasErrors() {
		return 0, diags
	}
	var n int
	if v.IsNull() || v.Type() != cty.Number || gocty.FromCtyValue(v, &n) != nil {
		return 0, hcl.Diagnostics{fault(attr.Expr.Range(), "Wrong type", attr.Name+" must be a whole number.")}
	}
	return n, nil
}

func choiceValue(attr *hcl.Attribute, match []string, choices ...string) (string, hcl.Diagnostics) {
	s, diags := stringValue(attr, match)
	if diags.HasErrors() || slices.Contains(choices, s) {
		return s, diags
	}
	return "", hcl.Diagnostics{fault(attr.Expr.Range(), "Bad "+attr.Name,
		fmt.Sprintf("%q is none of %s.%s", s, strings.Join(choices, ", "), didYouMean(s, choices)))}
}

// stringsValue takes a list of strings.
func stringsValue(attr *hcl.Attribute, match []string) ([]string, hcl.Diagnostics) {
	v, diags := staticValue(attr, match, cty.NilType)
	if diags.HasErrors() {
		return nil, diags
	}
	wrong := hcl.Diagnostics{fault(attr.Expr.Range(), "Wrong type", attr.Name+" must be a list of strings.")}
	if v.IsNull() || !v.IsKnown() || !(v.Type().IsTupleType() || v.Type().IsListType() || v.Type().IsSetType()) {
		return nil, wrong
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if !isKnownString(e) {
			return nil, wrong
		}
		out = append(out, e.AsString())
	}
	return out, nil
}
