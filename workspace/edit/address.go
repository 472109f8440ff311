package edit

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// address is a resource's, taken apart.
type address struct {
	calls      []string // of modules, from the root
	kind, name string
}

func parseAddress(text string) (address, error) {
	const unreadable = "its address cannot be read"
	t, diags := hclsyntax.ParseTraversalAbs([]byte(text), "", hcl.InitialPos)
	if diags.HasErrors() {
		return address{}, refuse(unreadable)
	}
	var names []string
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			names = append(names, step.Name)
		case hcl.TraverseAttr:
			names = append(names, step.Name)
		case hcl.TraverseIndex:
			return address{}, refuse("it is one of several that count or for_each makes of one block")
		default:
			return address{}, refuse(unreadable)
		}
	}
	var a address
	for len(names) >= 2 && names[0] == "module" {
		a.calls = append(a.calls, names[1])
		names = names[2:]
	}
	switch {
	case len(names) == 3 && names[0] == "data":
		return address{}, refuse("a data source only reads: no file holds what it found")
	case len(names) != 2:
		return address{}, refuse(unreadable)
	}
	a.kind, a.name = names[0], names[1]
	return a, nil
}

// Item is a step to the item of a list that has these values: [name=web], [port=80,protocol=TCP].
type Item map[string]string

// ParsePath reads a path as findings have it: tags.Owner, ingress[0].from_port, tags["a.b"], containers[name=web].image. A name with
// a dot in it must stand in brackets and quotes.
func ParsePath(text string) ([]any, error) {
	var out []any
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, `["`):
			quoted, err := strconv.QuotedPrefix(rest[1:])
			if err != nil || !strings.HasPrefix(rest[1+len(quoted):], "]") {
				return nil, refuse("the path to the value cannot be read")
			}
			name, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, refuse("the path to the value cannot be read")
			}
			out, rest = append(out, name), rest[len(quoted)+2:]
		case rest[0] == '[':
			inside, after, ok := strings.Cut(rest[1:], "]")
			n, err := strconv.Atoi(inside)
			switch {
			case ok && err == nil && n >= 0:
				out, rest = append(out, n), after
			default:
				item, after, ok := parseItem(rest)
				if !ok {
					return nil, refuse("the path to the value cannot be read")
				}
				out, rest = append(out, item), after
			}
		default:
			if len(out) > 0 {
				if rest[0] != '.' {
					return nil, refuse("the path to the value cannot be read")
				}
				rest = rest[1:]
			}
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, refuse("the path to the value cannot be read")
			}
			name := rest[:end]
			rest = rest[end:]
			if n, err := strconv.Atoi(name); err == nil && n >= 0 && strconv.Itoa(n) == name && len(out) > 0 {
				out = append(out, n) // ingress.0.from_port, as Terraform once wrote it
				continue
			}
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return nil, refuse("the path to the value is empty")
	}
	return out, nil
}

// parseItem reads an item from its bracket on.
func parseItem(text string) (item Item, rest string, ok bool) {
	item, rest = Item{}, text[1:]
	for {
		name, after, ok := strings.Cut(rest, "=")
		if !ok || name == "" || strings.ContainsAny(name, `[]".,`) {
			return nil, "", false
		}
		value := after[:max(0, strings.IndexAny(after, ",]"))]
		if quoted, err := strconv.QuotedPrefix(after); err == nil && after[0] == '"' {
			if value, err = strconv.Unquote(quoted); err != nil {
				return nil, "", false
			}
			after = after[len(quoted):]
		} else {
			if strings.HasPrefix(value, `"`) {
				return nil, "", false
			}
			after = after[len(value):]
		}
		item[name] = value
		switch {
		case strings.HasPrefix(after, ","):
			rest = after[1:]
		case strings.HasPrefix(after, "]"):
			return item, after[1:], true
		default:
			return nil, "", false
		}
	}
}
