package k8s

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is one manifest as a syntax tree, before substitution.
type document struct {
	node *yaml.Node // a mapping
	file string
	line int
	// typed: quotes say nothing about the author's wish (JSON has no other way to write a string), so a quoted
	// scalar that is one ${name} takes the value's own type.
	typed bool
	// preview: a value that is not known yet leaves a mark in its place.
	preview bool
	// find gives the line of a scalar that was not parsed from file itself; nil means the node's own line.
	find func(scalar string) int
	// chart: a Helm chart rendered it, so its ${names} are text. hidden are the chart's sensitive values.
	chart  bool
	hidden *hidden
	// secret are the scalars that were encrypted in the file: only a Secret may hold them.
	secret map[*yaml.Node]bool
}

func (d document) lineOf(n *yaml.Node) int {
	if d.find != nil {
		if line := d.find(n.Value); line > 0 {
			return line
		}
		return d.line
	}
	return n.Line
}

// parse splits a file into documents. Lists are flattened and empty documents dropped.
func parse(file string, data []byte) ([]document, []*SourceError) {
	nodes, fault := parseNodes(file, data)
	return documentsOf(file, nodes, nil, fault)
}

// parseNodes reads the documents of a file as they are written, those before a fault too.
func parseNodes(file string, data []byte) ([]*yaml.Node, *SourceError) {
	if isJSONName(file) {
		return parseJSON(file, data)
	}
	return parseYAML(file, data)
}

func isJSONName(file string) bool { return strings.EqualFold(path.Ext(file), ".json") }

// documentsOf makes documents of the nodes of a file; secret are those of them that were encrypted.
func documentsOf(file string, nodes []*yaml.Node, secret map[*yaml.Node]bool, fault *SourceError) (docs []document, faults []*SourceError) {
	for _, n := range nodes {
		d, errs := flatten(document{node: n, file: file, line: n.Line, typed: isJSONName(file), secret: secret}, 0)
		docs, faults = append(docs, d...), append(faults, errs...)
	}
	if fault != nil {
		faults = append(faults, fault)
	}
	return docs, faults
}

func parseYAML(file string, data []byte) (nodes []*yaml.Node, fault *SourceError) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			line, message := yamlFault(err)
			return nodes, &SourceError{File: file, Line: line, Message: "not YAML: " + message}
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
			nodes = append(nodes, n.Content[0])
		}
	}
}

var (
	yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)
	// The library counts lines from 0 in what its parser says, and from 1 in what its scanner says.
	yamlParser = regexp.MustCompile(`^(did not find expected (key|node content|'-' indicator|',' or|<)|found (duplicate %|incompatible YAML|undefined tag))`)
)

// yamlFault takes the line out of a parser's message.
func yamlFault(err error) (int, string) {
	message := err.Error()
	m := yamlLine.FindStringSubmatch(message)
	line, _ := strconv.Atoi(m[1])
	message = message[len(m[0]):]
	if line == 0 || yamlParser.MatchString(message) {
		line++
	}
	return line, message
}

// flatten takes kinds that end in List apart and drops documents with nothing in them.
func flatten(d document, depth int) ([]document, []*SourceError) {
	n := resolve(d.node)
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, []*SourceError{{File: d.file, Line: d.lineOf(n), Message: "not a manifest: a mapping with apiVersion and kind is expected, this is a " + kindName(n)}}
	}
	d.node = n
	kind := scalarAt(n, "kind")
	items := childOf(n, "items")
	if !strings.HasSuffix(kind, "List") || (items == nil && kind != "List") {
		return []document{d}, nil
	}
	if items = resolve(items); items == nil || items.Kind != yaml.SequenceNode || depth > 3 {
		return nil, []*SourceError{{File: d.file, Line: d.line, Message: "a " + kind + " needs items, a list of manifests"}}
	}
	var docs []document
	var faults []*SourceError
	for _, item := range items.Content {
		item = resolve(item)
		if kind != "List" && item.Kind == yaml.MappingNode {
			item = withType(item, scalarAt(n, "apiVersion"), strings.TrimSuffix(kind, "List"))
		}
		e := d
		e.node, e.line = item, item.Line
		if d.find != nil {
			e.line = d.line
		}
		got, errs := flatten(e, depth+1)
		docs, faults = append(docs, got...), append(faults, errs...)
	}
	return docs, faults
}

// withType gives an item of a typed list (ConfigMapList) the apiVersion and kind that the list implies.
func withType(item *yaml.Node, apiVersion, kind string) *yaml.Node {
	c := *item
	for _, kv := range [][2]string{{"kind", kind}, {"apiVersion", apiVersion}} {
		if childOf(item, kv[0]) == nil {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: kv[0], Line: item.Line}
			value := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: kv[1], Line: item.Line}
			c.Content = append([]*yaml.Node{key, value}, c.Content...)
		}
	}
	return &c
}

func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// scalarAt is the string below keys, or "".
func scalarAt(n *yaml.Node, keys ...string) string {
	for _, k := range keys {
		n = childOf(n, k)
	}
	if n = resolve(n); n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "list"
	case yaml.ScalarNode:
		return strings.TrimPrefix(n.ShortTag(), "!!")
	}
	return "mapping"
}

// parseJSON reads one or more JSON documents into the same tree, because YAML parsers refuse some JSON
// (surrogate pairs), and because lines are wanted.
func parseJSON(file string, data []byte) (nodes []*yaml.Node, fault *SourceError) {
	r := &jsonReader{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	r.dec.UseNumber()
	for {
		n, err := r.value(0)
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the file ends too early")
			}
			return nodes, &SourceError{File: file, Line: r.lineNow(), Message: "not JSON: " + err.Error()}
		}
		nodes = append(nodes, n)
	}
}

// jsonReader turns JSON tokens into nodes; it counts lines as the decoder moves on.
type jsonReader struct {
	dec  *json.Decoder
	data []byte
	off  int64
	line int
}

func (r *jsonReader) lineNow() int {
	off := min(r.dec.InputOffset(), int64(len(r.data)))
	r.line += bytes.Count(r.data[r.off:off], []byte("\n"))
	r.off = off
	return r.line
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	t, err := r.dec.Token()
	if err != nil {
		if depth > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if depth > 1000 {
		return nil, errors.New("nested too deeply")
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: r.lineNow()}
	switch v := t.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if v == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for r.dec.More() {
			child, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		if _, err := r.dec.Token(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	case string:
		n.Tag, n.Value, n.Style = "!!str", v, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!float", v.String()
		if !strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!int"
		}
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(v)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}
