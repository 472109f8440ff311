package k8s

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// chartValues are what a chart is given besides its own defaults.
type chartValues struct {
	given  map[string]any
	files  []valuesFile // in order; a later one wins
	hidden *hidden      // the sensitive ones among them
}

// valuesFile is one values file, kept for the lines of its keys.
type valuesFile struct {
	name string
	node *yaml.Node
}

// readValues reads the values files and lays Source.Values over them.
func (r *chartRender) readValues() {
	r.values.given, r.values.hidden = map[string]any{}, &hidden{}
	for _, name := range r.options.ValuesFiles {
		r.readValuesFile(name)
	}
	over := map[string]any{}
	for _, name := range sortedKeys(r.tree.src.Values) {
		v := r.tree.src.Values[name]
		if v.Unknown {
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(v.JSON))
		dec.UseNumber()
		var value any
		if err := dec.Decode(&value); err != nil && len(v.JSON) > 0 {
			r.fault(r.file, 0, "the value %s is not JSON", name)
			continue
		}
		if v.Sensitive {
			r.hide(name, value)
		}
		over[name] = fromJSON(value)
	}
	r.values.given = loader.MergeMaps(r.values.given, over)
}

// hide notes the texts of a sensitive value.
func (r *chartRender) hide(name string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for _, k := range sortedKeys(v) {
			r.hide(name+"."+k, v[k])
		}
	case []any:
		for _, item := range v {
			r.hide(name, item)
		}
	default:
		text, _ := textOf(v)
		if !r.values.hidden.add(name, text) {
			r.fault(r.file, 0, "the value %s is sensitive and shorter than %d characters: whether the chart shows it could not be told. Take nonsensitive() in the output, or leave it out of the values", name, minHidden)
		}
	}
}

func (r *chartRender) readValuesFile(name string) {
	data, err := r.tree.read(name)
	if err != nil {
		r.fault(name, 0, "read the values file: %s", plainFileError(err))
		return
	}
	docs, faults := decodeNodes(name, data)
	if r.faults = append(r.faults, faults...); len(faults) > 0 {
		return
	}
	secret, fault := unseal(name, docs, r.tree.src.Keys)
	if fault != nil {
		r.faults = append(r.faults, fault)
		return
	}
	if secret != nil {
		if data, fault = r.openValues(name, docs, secret); fault != nil {
			r.faults = append(r.faults, fault)
			return
		}
	}
	for _, n := range docs {
		if n.Kind != yaml.MappingNode {
			r.fault(name, n.Line, "a values file is a mapping, this is a %s", kindName(n))
			return
		}
		r.values.files = append(r.values.files, valuesFile{name, n})
	}
	values, err := loader.LoadValues(bytes.NewReader(data))
	if err != nil {
		r.fault(name, 0, "%s", unwrapped(err.Error()))
		return
	}
	r.values.given = loader.MergeMaps(r.values.given, values)
}

// openValues is the text of a values file that was encrypted; what was secret in it is noted.
func (r *chartRender) openValues(name string, docs []*yaml.Node, secret map[*yaml.Node]bool) ([]byte, *SourceError) {
	for n := range secret {
		if !r.values.hidden.add("a value of "+name, n.Value) {
			r.faults = append(r.faults, &SourceError{File: name, Line: n.Line, Message: fmt.Sprintf(
				"the value is encrypted and shorter than %d characters: whether the chart shows it could not be told. Leave it unencrypted (--encrypted-regex), or lengthen it", minHidden)})
		}
	}
	return encodeNodes(name, docs)
}

// decodeNodes reads the documents of a YAML file; empty ones are left out.
func decodeNodes(file string, data []byte) (docs []*yaml.Node, faults []*SourceError) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			if err.Error() == "EOF" {
				return docs, nil
			}
			line, message := yamlFault(err)
			return nil, []*SourceError{{File: file, Line: line, Message: "not YAML: " + message}}
		}
		if root := resolve(&n); len(root.Content) > 0 && root.Content[0].ShortTag() != "!!null" {
			docs = append(docs, root.Content[0])
		}
	}
}

// placeOf finds where a value was set: in the last file that has it.
func (v chartValues) placeOf(at []string) (file string, line int) {
	for _, f := range slices.Backward(v.files) {
		n := f.node
		for _, step := range at {
			if n = childOf(n, step); n == nil {
				break
			}
		}
		if n != nil && n != f.node {
			return f.name, n.Line
		}
	}
	return "", 0
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
