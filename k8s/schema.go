package k8s

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// schemaNode is the part of an OpenAPI v3 schema that is checked before the first write. Rules that need more
// than the object's shape (formats, patterns, CEL, defaults) are left to the server.
type schemaNode struct {
	Ref             string                 `json:"$ref"`
	AllOf           []*schemaNode          `json:"allOf"`
	Type            string                 `json:"type"`
	Properties      map[string]*schemaNode `json:"properties"`
	Additional      *additional            `json:"additionalProperties"`
	Items           *schemaNode            `json:"items"`
	Required        []string               `json:"required"`
	Enum            []any                  `json:"enum"`
	Default         json.RawMessage        `json:"default"`
	IntOrString     bool                   `json:"x-kubernetes-int-or-string"`
	PreserveUnknown bool                   `json:"x-kubernetes-preserve-unknown-fields"`
	Embedded        bool                   `json:"x-kubernetes-embedded-resource"`
	GVKs            []struct {
		Group   string `json:"group"`
		Version string `json:"version"`
		Kind    string `json:"kind"`
	} `json:"x-kubernetes-group-version-kind"`
	OneOf []*schemaNode `json:"oneOf"`
	AnyOf []*schemaNode `json:"anyOf"`
}

// additional is additionalProperties: true, false, or a schema.
type additional struct {
	allowed bool
	schema  *schemaNode
}

func (a *additional) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &a.allowed); err == nil {
		return nil
	}
	a.allowed = true
	return json.Unmarshal(b, &a.schema)
}

// schemaDoc is the schemas of one group version, by the name that references use.
type schemaDoc struct {
	schemas map[string]*schemaNode
	kinds   map[string]*schemaNode // by kind
}

const refPrefix = "#/components/schemas/"

func parseSchemas(body []byte, group, version string) (*schemaDoc, error) {
	var doc struct {
		Components struct {
			Schemas map[string]*schemaNode `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, err
	}
	d := &schemaDoc{schemas: doc.Components.Schemas, kinds: map[string]*schemaNode{}}
	for _, s := range d.schemas {
		for _, gvk := range s.GVKs {
			if gvk.Group == group && gvk.Version == version && len(s.GVKs) == 1 {
				d.kinds[gvk.Kind] = s
			}
		}
	}
	return d, nil
}

// schemaCheck validates one object.
type schemaCheck struct {
	doc    *schemaDoc
	object Object
	silent bool // a Secret: no value in any message
	exists bool // a field that is missing here may be there already
	faults []FieldError
	path   []string
}

// validate returns the object's faults against the schema of its kind, sorted by line; nil when there is none or
// no schema is published.
func (d *schemaDoc) validate(o Object, exists bool) []FieldError {
	root := d.kinds[o.GetKind()]
	if root == nil {
		return nil
	}
	c := &schemaCheck{doc: d, object: o, silent: o.isSecret(), exists: exists}
	c.value(root, o.Object)
	sort.SliceStable(c.faults, func(i, j int) bool {
		a, b := c.faults[i], c.faults[j]
		return a.Line < b.Line || a.Line == b.Line && a.Path < b.Path
	})
	return c.faults
}

func (c *schemaCheck) fault(format string, args ...any) {
	c.faults = append(c.faults, FieldError{Path: fieldPath(c.path), Line: c.object.lineOf(c.path), Message: fmt.Sprintf(format, args...)})
}

func (c *schemaCheck) at(step string, s *schemaNode, v any) {
	c.path = append(c.path, step)
	c.value(s, v)
	c.path = c.path[:len(c.path)-1]
}

// deref follows references; a property's description and default come as allOf with one reference.
func (c *schemaCheck) deref(s *schemaNode) *schemaNode {
	for range 20 {
		switch {
		case s == nil:
			return nil
		case s.Ref != "":
			s = c.doc.schemas[strings.TrimPrefix(s.Ref, refPrefix)]
		case len(s.AllOf) == 1 && s.Type == "" && len(s.Properties) == 0:
			s = s.AllOf[0]
		default:
			return s
		}
	}
	return nil
}

func (c *schemaCheck) value(s *schemaNode, v any) {
	if s = c.deref(s); s == nil || v == nil {
		return // null stands for an absent field
	}
	if s.IntOrString || s.isIntOrString() {
		if t := typeName(v); t != "integer" && t != "string" {
			c.mismatch("integer or string", v)
		}
		return
	}
	switch s.Type {
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			c.mismatch("object", v)
			return
		}
		c.mapping(s, m)
	case "array":
		list, ok := v.([]any)
		if !ok {
			c.mismatch("array", v)
			return
		}
		for i, item := range list {
			c.at(strconv.Itoa(i), s.Items, item)
		}
	case "string", "boolean", "integer", "number":
		if t := typeName(v); t != s.Type && !(s.Type == "number" && t == "integer") {
			c.mismatch(s.Type, v)
			return
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) && s.Type == "string" {
			c.enum(s, v)
		}
	}
}

// isIntOrString recognises the published form of the built-in IntOrString and of quantities.
func (s *schemaNode) isIntOrString() bool {
	types := map[string]bool{}
	for _, list := range [][]*schemaNode{s.OneOf, s.AnyOf} {
		for _, alternative := range list {
			types[alternative.Type] = true
		}
	}
	return types["string"] && (types["integer"] || types["number"])
}

func (c *schemaCheck) mapping(s *schemaNode, m map[string]any) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		switch {
		case s.Properties[k] != nil:
			c.at(k, s.Properties[k], m[k])
		case s.Additional != nil && s.Additional.schema != nil:
			c.at(k, s.Additional.schema, m[k])
		case s.Additional != nil && s.Additional.allowed, s.PreserveUnknown, len(s.Properties) == 0:
		case (s.Embedded || len(c.path) == 0) && (k == "apiVersion" || k == "kind" || k == "metadata"):
		default:
			c.path = append(c.path, k)
			c.fault("unknown field%s", didYouMean(k, s.Properties))
			c.path = c.path[:len(c.path)-1]
		}
	}
	for _, k := range s.Required {
		if _, set := m[k]; set || c.exists || hasDefault(s.Properties[k]) {
			continue
		}
		c.path = append(c.path, k)
		c.fault("required, and missing")
		c.path = c.path[:len(c.path)-1]
	}
}

func hasDefault(s *schemaNode) bool {
	return s != nil && len(s.Default) > 0
}

func (c *schemaCheck) mismatch(want string, v any) {
	if c.silent {
		c.fault("must be of type %s, not %s", want, typeName(v))
		return
	}
	c.fault("must be of type %s, not %s%s", want, typeName(v), shown(v))
}

func (c *schemaCheck) enum(s *schemaNode, v any) {
	allowed := make([]string, len(s.Enum))
	for i, e := range s.Enum {
		allowed[i] = fmt.Sprint(e)
	}
	if c.silent {
		c.fault("must be one of %s", strings.Join(allowed, ", "))
		return
	}
	c.fault("must be one of %s, not%s", strings.Join(allowed, ", "), shown(v))
}

// shown is a scalar for a message, cut at a length a person reads.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) > 60 {
			v = v[:60] + "…"
		}
		return " " + strconv.Quote(v)
	case int64, float64, bool:
		return fmt.Sprintf(" %v", v)
	}
	return ""
}

func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

// didYouMean names a property that differs from an unknown one in case or by one letter.
func didYouMean(key string, properties map[string]*schemaNode) string {
	best := ""
	for p := range properties {
		if (strings.EqualFold(p, key) || nearlyEqual(p, key)) && (best == "" || p < best) {
			best = p
		}
	}
	if best == "" {
		return ""
	}
	return "; is " + best + " meant?"
}

// nearlyEqual tells whether one letter added, dropped or changed makes a of b, for names of three or more.
func nearlyEqual(a, b string) bool {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(b) < 3 || len(a)-len(b) > 1 {
		return false
	}
	i := 0
	for i < len(b) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return a[min(i+1, len(a)):] == b[min(i+1, len(b)):]
	}
	return a[i+1:] == b[i:]
}
