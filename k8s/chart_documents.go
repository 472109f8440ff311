package k8s

import (
	"bytes"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// crds are the documents of the crds/ directories, the chart's own and those of its dependencies. They are
// not templates.
func (r *chartRender) crds() (docs []document) {
	for _, crd := range r.chart.CRDObjects() {
		file := r.placeOf(crd.Filename)
		found, faults := parse(path.Base(crd.Filename), crd.File.Data)
		for _, f := range faults {
			r.fault(file, f.Line, "%s", f.Message)
		}
		for _, d := range found {
			d.file, d.chart, d.hidden = file, true, r.values.hidden
			docs = append(docs, d)
		}
	}
	return docs
}

// manifests are the documents that one template rendered.
func (r *chartRender) manifests(name, text string) (docs []document) {
	if strings.TrimSpace(text) == "" || path.Base(name) == "NOTES.txt" {
		return nil
	}
	file := r.placeOf(name)
	dec := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	template, _ := r.tree.read(file)
	if strings.HasSuffix(file, ".tgz") {
		template = nil
	}
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			if err.Error() != "EOF" {
				line, message := yamlFault(err)
				r.fault(file, 0, "renders what is not YAML: %s, in line %d of its output; `helm template` shows it", message, line)
			}
			return docs
		}
		if len(n.Content) == 0 {
			continue
		}
		line := lineOfKind(template, scalarAt(n.Content[0], "kind"))
		d := document{node: n.Content[0], file: file, line: line, chart: true, hidden: r.values.hidden, find: func(string) int { return 0 }}
		found, faults := flatten(d, 0)
		r.faults = append(r.faults, faults...)
		for _, d := range found {
			if r.mapHook(d) {
				docs = append(docs, d)
			}
		}
	}
}

// lineOfKind is the line in a template where the only object of a kind begins; 0 when there are none or several.
func lineOfKind(template []byte, kind string) int {
	line, start := 0, 0
	for i, text := range strings.Split(string(template), "\n") {
		switch text = strings.TrimSpace(text); {
		case strings.HasPrefix(text, "apiVersion:"):
			start = i + 1
		case text == "kind: "+kind && line > 0:
			return 0
		case text == "kind: "+kind:
			if line = start; line == 0 {
				line = i + 1
			}
		}
	}
	return line
}
