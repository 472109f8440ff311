package k8s

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxNodes bounds what one document may expand to, so that aliases of aliases cannot fill the memory.
const maxNodes = 1_000_000

// substituteAnnotation set to "disabled" leaves every ${…} of an object alone.
const substituteAnnotation = "mooring.dev/substitute"

// converter turns one document into the values that JSON has, substituting as it goes.
type converter struct {
	document
	values     map[string]Value
	substitute bool // off for CRDs and where the annotation says so
	kind       string
	core       bool // apiVersion v1: is a Secret the real Secret?
	faults     []*SourceError
	sensitive  bool
	unknown    bool // a mark was left
	nodes      int
	open       map[*yaml.Node]bool // aliases being expanded, to refuse cycles
	path       []string
	note       func(name string, n *yaml.Node) // set: only look for placeholders
}

func (d document) converter() *converter {
	kind, apiVersion := scalarAt(d.node, "kind"), scalarAt(d.node, "apiVersion")
	return &converter{
		document: d, kind: kind, core: apiVersion == "v1", open: map[*yaml.Node]bool{},
		substitute: !d.chart && kind != "CustomResourceDefinition" && scalarAt(d.node, "metadata", "annotations", substituteAnnotation) != "disabled",
	}
}

// object converts the document; the Unstructured is nil when there are faults.
func (d document) object(values map[string]Value) (Object, []*SourceError) {
	c := d.converter()
	c.values = values
	content, _ := c.convert(d.node).(map[string]any)
	o := Object{File: d.file, Line: d.line, sensitive: c.sensitive, unknown: c.unknown}
	if d.find == nil {
		o.node = d.node
	}
	if len(c.faults) > 0 {
		return Object{}, c.faults
	}
	for _, field := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}} {
		v, found, err := unstructured.NestedString(content, field...)
		if err != nil || !found || v == "" {
			message := "not a manifest: " + fieldPath(field) + " is missing or not a string"
			if g, _, _ := unstructured.NestedString(content, "metadata", "generateName"); g != "" && field[0] == "metadata" {
				message = "metadata.generateName makes a new object at each apply and cannot be reconciled; use metadata.name"
			}
			return Object{}, append(c.faults, &SourceError{File: d.file, Line: d.line, Message: message})
		}
	}
	o.Unstructured = &unstructured.Unstructured{Object: content}
	faults := append(metadataFaults(o), d.hidden.check(&o)...)
	if o.isSecret() {
		faults = append(faults, secretFaults(o)...)
	}
	if len(faults) > 0 {
		return Object{}, faults
	}
	return o, nil
}

// metadataFaults finds labels and annotations that are not text, which later code and the server rely on.
func metadataFaults(o Object) (faults []*SourceError) {
	if ns, set := o.Object["metadata"].(map[string]any)["namespace"]; set && ns != nil {
		if _, ok := ns.(string); !ok {
			faults = append(faults, o.fault([]string{"metadata", "namespace"}, "must be a string"))
		}
	}
	for _, field := range []string{"labels", "annotations"} {
		switch m := o.Object["metadata"].(map[string]any)[field].(type) {
		case nil:
		case map[string]any:
			for k, v := range m {
				if _, ok := v.(string); !ok {
					faults = append(faults, o.fault([]string{"metadata", field, k}, "must be a string; quote it"))
				}
			}
		default:
			faults = append(faults, o.fault([]string{"metadata", field}, "must be a mapping of strings"))
		}
	}
	return faults
}

// secretFaults finds data that is not base64 here, because the server's refusal could repeat it.
func secretFaults(o Object) (faults []*SourceError) {
	for _, field := range []string{"data", "stringData"} {
		m, ok := o.Object[field].(map[string]any)
		if !ok && o.Object[field] != nil {
			return append(faults, o.fault([]string{field}, "must be a mapping"))
		}
		for k, v := range m {
			s, ok := v.(string)
			switch {
			case v == nil:
			case !ok:
				faults = append(faults, o.fault([]string{field, k}, "must be a string; quote it"))
			case field == "data":
				if _, err := base64.StdEncoding.DecodeString(s); err != nil && !(o.unknown && strings.Contains(s, afterApply)) {
					faults = append(faults, o.fault([]string{field, k}, "is not base64; plain text belongs in stringData"))
				}
			}
		}
	}
	return faults
}

func (o Object) fault(path []string, message string) *SourceError {
	return &SourceError{File: o.File, Line: o.lineOf(path), Message: o.Ref() + ": " + fieldPath(path) + " " + message}
}

func (c *converter) fault(n *yaml.Node, format string, args ...any) {
	c.faults = append(c.faults, &SourceError{File: c.file, Line: c.lineOf(n), Message: fmt.Sprintf(format, args...)})
}

// convert returns nil, bool, int64, float64, string, []any or map[string]any.
func (c *converter) convert(n *yaml.Node) any {
	if c.nodes++; c.nodes > maxNodes {
		if c.nodes == maxNodes+1 {
			c.fault(n, "the document expands to more than %d values", maxNodes)
		}
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		if c.open[n.Alias] {
			c.fault(n, "alias *%s contains itself", n.Value)
			return nil
		}
		c.open[n.Alias] = true
		defer delete(c.open, n.Alias)
		return c.convert(n.Alias)
	case yaml.MappingNode:
		return c.mapping(n)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			c.path = append(c.path, strconv.Itoa(i))
			out[i] = c.convert(item)
			c.path = c.path[:len(c.path)-1]
		}
		return out
	}
	return c.scalar(n)
}

func (c *converter) mapping(n *yaml.Node) map[string]any {
	out := make(map[string]any, len(n.Content)/2)
	first := make(map[string]int, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Tag == "!!merge" || (k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0 && !c.typed) {
			merges = append(merges, v)
			continue
		}
		key, ok := c.key(k)
		if !ok {
			continue
		}
		if line, twice := first[key]; twice {
			c.fault(k, "key %q appears twice, first on line %d", key, line)
			continue
		}
		first[key] = c.lineOf(k)
		c.path = append(c.path, key)
		out[key] = c.convert(v)
		c.path = c.path[:len(c.path)-1]
	}
	for _, m := range merges {
		c.merge(out, m)
	}
	return out
}

// merge adds the keys of a << mapping, or list of mappings, that are not there yet.
func (c *converter) merge(out map[string]any, n *yaml.Node) {
	sources := []*yaml.Node{n}
	if r := resolve(n); r.Kind == yaml.SequenceNode {
		sources = r.Content
	}
	for _, s := range sources {
		m, ok := c.convert(s).(map[string]any)
		if !ok && c.nodes <= maxNodes {
			c.fault(n, "<< takes a mapping or a list of mappings")
			return
		}
		for k, v := range m {
			if _, set := out[k]; !set {
				out[k] = v
			}
		}
	}
}

// key is the text of a mapping key; numbers and booleans become text as in kubectl.
func (c *converter) key(n *yaml.Node) (string, bool) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		c.fault(n, "a key must be a string")
		return "", false
	}
	switch v := c.plain(n).(type) {
	case string:
		return v, true
	case bool, int64:
		return fmt.Sprint(v), true
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}

func (c *converter) scalar(n *yaml.Node) any {
	v := c.plain(n)
	s, isText := v.(string)
	if c.secret[n] { // left alone: it may hold any text, and an error would show a part of it
		if c.note == nil && !(c.kind == "Secret" && c.core) {
			c.fault(n, "%s", secretOnly(c.kind))
		}
		c.sensitive = true
		return v
	}
	if !isText || !c.substitute {
		return v
	}
	if c.hidden.in(s) != "" {
		return v
	}
	if generated, ok := c.generatedSecret(s); ok {
		text, _ := c.expand(n, generated).(string)
		return base64.StdEncoding.EncodeToString([]byte(text))
	}
	if !strings.Contains(s, "${") {
		return v
	}
	return c.expand(n, s)
}

// generatedSecret is the text of a secretGenerator's entry that holds a placeholder: kustomize has encoded it
// already, but its author wrote ${name}.
func (c *converter) generatedSecret(s string) (string, bool) {
	if c.find == nil || !c.secretPlace() || c.path[0] != "data" {
		return "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(s)
	return string(decoded), err == nil && placeholder.Match(decoded)
}

// plain is a scalar's value by kubectl's reading, YAML 1.1, where a bare yes or off is a boolean.
func (c *converter) plain(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		return c.number(n)
	case "!!binary":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.Value), ""))
		if err != nil {
			c.fault(n, "!!binary is not base64")
		}
		return string(b)
	}
	if n.Style == 0 && !c.typed && n.Tag != "!!binary" {
		switch n.Value {
		case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
			return c.bool11(n, true)
		case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
			return c.bool11(n, false)
		}
	}
	return n.Value
}

// bool11 reads a bare YAML 1.1 boolean, unless a kustomization made the node: its text is text.
func (c *converter) bool11(n *yaml.Node, v bool) any {
	if c.find != nil && !c.chart {
		return n.Value
	}
	return v
}

func (c *converter) number(n *yaml.Node) any {
	if c.typed {
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			c.fault(n, "the number %s is out of range", n.Value)
		}
		return f
	}
	var v any
	if err := n.Decode(&v); err != nil {
		c.fault(n, "%s is not a number", n.Value)
		return nil
	}
	switch v := v.(type) {
	case int:
		return int64(v)
	case int64:
		return v
	case uint64:
		return float64(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			c.fault(n, "%s is not a number that JSON has", n.Value)
			return nil
		}
		return v
	}
	return n.Value
}
