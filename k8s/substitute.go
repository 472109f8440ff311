package k8s

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// placeholder is ${name}, or its escape $${name}. What a shell writes otherwise (${VAR:-x}, $VAR, ${1}, $(cmd))
// does not match and is left alone.
var placeholder = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_-]*)\}`)

// expand replaces the placeholders of one scalar, once: what a value brings along is not looked at again. A bare
// scalar that is one ${name} takes the value's type. A quoted one asks for text: a number or a boolean becomes
// its text there, as it does inside a longer scalar and where Kubernetes has only text (stringPlace).
func (c *converter) expand(n *yaml.Node, s string) any {
	if m := placeholder.FindStringSubmatch(s); m != nil && m[0] == s && !strings.HasPrefix(s, "$$") {
		v, ok := c.value(n, m[1])
		if !ok {
			return s
		}
		quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
		if (quoted && !c.typed) || c.stringPlace() {
			if text, scalar := textOf(v); scalar {
				return text
			}
		}
		return fromJSON(v)
	}
	var out strings.Builder
	end := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(s, -1) {
		out.WriteString(s[end:m[0]])
		end = m[1]
		if s[m[0]+1] == '$' { // $${name}: the escape
			out.WriteString(s[m[0]+1 : m[1]])
			continue
		}
		at := c.lineInside(n, s[:m[0]])
		v, ok := c.value(at, s[m[2]:m[3]])
		if !ok {
			continue
		}
		text, scalar := textOf(v)
		if !scalar {
			c.fault(at, "${%s} is %s and cannot stand inside a longer text; let it be the whole value", s[m[2]:m[3]], typeOf(v))
		}
		out.WriteString(text)
	}
	out.WriteString(s[end:])
	return out.String()
}

// lineInside is n moved to the line within a literal block that the text before it ends on.
func (c *converter) lineInside(n *yaml.Node, before string) *yaml.Node {
	if n.Style&yaml.LiteralStyle == 0 || c.find != nil {
		return n
	}
	moved := *n
	moved.Line += 1 + strings.Count(before, "\n")
	return &moved
}

// stringPlace tells whether Kubernetes has only text here.
func (c *converter) stringPlace() bool {
	p := c.path
	if len(p) == 3 && p[0] == "metadata" {
		return p[1] == "labels" || p[1] == "annotations"
	}
	if len(p) != 2 || !c.core {
		return false
	}
	return c.kind == "ConfigMap" && p[0] == "data" || c.kind == "Secret" && (p[0] == "data" || p[0] == "stringData")
}

// value looks a name up and checks that it may be used here. Errors never repeat the value.
func (c *converter) value(n *yaml.Node, name string) (any, bool) {
	if c.note != nil {
		c.note(name, n)
		return nil, false
	}
	v, declared := c.values[name]
	switch {
	case !declared:
		c.fault(n, "unknown ${%s}: the set's values do not declare it; declare it, write $${%s} for the text itself, or annotate the object with %s: disabled",
			name, name, substituteAnnotation)
		return nil, false
	case v.Unknown && !c.preview:
		c.fault(n, "${%s} is known only after apply", name)
		c.faults[len(c.faults)-1].Err = ErrUnknownValue
		return nil, false
	case v.Sensitive && !c.secretPlace():
		c.fault(n, "${%s} is sensitive and may stand only in data or stringData of a Secret, not at %s of a %s", name, fieldPath(c.path), c.kind)
		return nil, false
	case v.Unknown:
		c.unknown, c.sensitive = true, c.sensitive || v.Sensitive
		return afterApply, true
	}
	dec := json.NewDecoder(bytes.NewReader(v.JSON))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil && len(v.JSON) > 0 {
		c.fault(n, "${%s} has a value that is not JSON", name)
		return nil, false
	}
	if value == nil {
		c.fault(n, "${%s} is null", name)
		return nil, false
	}
	c.sensitive = c.sensitive || v.Sensitive
	return value, true
}

func (c *converter) secretPlace() bool {
	return c.kind == "Secret" && c.core && len(c.path) >= 2 && (c.path[0] == "data" || c.path[0] == "stringData")
}

// textOf is a string, number or boolean as text.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	}
	return "", false
}

func typeOf(v any) string {
	if _, list := v.([]any); list {
		return "a list"
	}
	return "an object"
}

// fromJSON replaces json.Number by the number types that unstructured objects have.
func fromJSON(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = fromJSON(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = fromJSON(v[k])
		}
	}
	return v
}

// placeholders lists the names that the document would substitute.
func (d document) placeholders() []Placeholder {
	c := d.converter()
	var found []Placeholder
	c.note = func(name string, n *yaml.Node) {
		found = append(found, Placeholder{Name: name, File: d.file, Line: d.lineOf(n)})
	}
	c.convert(d.node)
	return found
}
