package k8s

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// schemaFile is what a chart's values must meet, as a JSON schema.
const schemaFile = "values.schema.json"

// localSchemas refuses to fetch the schemas that a schema refers to: the library would open any URL or file.
type localSchemas struct{}

func (localSchemas) Load(address string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, and nothing is fetched while rendering: put the definitions into the schema itself", address)
}

// checkSchema holds the values against the schema of the chart, and those of each dependency against its own.
func (r *chartRender) checkSchema(c *chart.Chart, values any) {
	r.checkOneSchema(c, values, nil)
}

func (r *chartRender) checkOneSchema(c *chart.Chart, values any, at []string) {
	if len(c.Schema) > 0 {
		if err := validateSchema(c.Schema, values); err != nil {
			r.schemaFaults(c, at, err)
		}
	}
	m, _ := values.(map[string]any)
	if v, ok := values.(interface{ AsMap() map[string]any }); ok {
		m = v.AsMap()
	}
	for _, d := range c.Dependencies() {
		if sub, given := m[d.Name()]; given && sub != nil {
			r.checkOneSchema(d, sub, append(at[:len(at):len(at)], d.Name()))
		}
	}
}

func validateSchema(schema []byte, values any) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(localSchemas{})
	const self = "file:///values.schema.json"
	if err := compiler.AddResource(self, doc); err != nil {
		return err
	}
	compiled, err := compiler.Compile(self)
	if err != nil {
		return err
	}
	if v, ok := values.(interface{ AsMap() map[string]any }); ok {
		values = v.AsMap()
	}
	return compiled.Validate(values)
}

// schemaFaults makes one fault of each value that does not fit, at the place where it was set.
func (r *chartRender) schemaFaults(c *chart.Chart, at []string, err error) {
	file := path.Join(path.Dir(r.placeOf(path.Join(c.ChartFullPath(), chartFile))), schemaFile)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		r.fault(file, 0, "the schema of the values: %s", unwrapped(strings.ReplaceAll(err.Error(), "file:///values.schema.json", schemaFile)))
		return
	}
	printer := message.NewPrinter(language.English)
	var leaves func(e *jsonschema.ValidationError)
	leaves = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			leaves(cause)
		}
		if len(e.Causes) > 0 {
			return
		}
		where := append(at[:len(at):len(at)], e.InstanceLocation...)
		from, line := r.values.placeOf(where)
		if _, inConfig := r.tree.src.Values[first(where)]; inConfig || from == "" {
			from, line = file, 0
		}
		r.fault(from, line, "the value %s does not fit the chart's schema: %s", strings.TrimPrefix(fieldPath(append([]string{"values"}, where...)), "values."), unwrapped(e.ErrorKind.LocalizedString(printer)))
	}
	leaves(invalid)
}

func first(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return path[0]
}
