package k8s

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// yamlText is an object as YAML, line by line, with the path that each line belongs to.
//
// It is written here and not by a library because a diff needs two things of it: every multi-line string must be
// a block scalar, whatever its lines end in (libraries turn to one quoted line for a blank at a line's end), and
// each line must know its path. What comes out reads back as the same values.
type yamlText struct {
	lines []string
	paths []string // beside lines: the mapping, or item of a list, that holds the line
}

// printYAML prints an object with its keys in the usual order. A nil object has no lines.
func printYAML(o map[string]any) *yamlText {
	t := &yamlText{}
	if o != nil {
		t.mapping("", "", "", o)
	}
	return t
}

func (t *yamlText) add(path, line string) {
	t.lines, t.paths = append(t.lines, line), append(t.paths, path)
}

// mapping prints the keys of a mapping. first is what stands before its first line, indent before the others.
func (t *yamlText) mapping(path, first, indent string, m map[string]any) {
	for _, k := range usualOrder(m) {
		below := path + stepText(step{field: k}, path == "")
		t.value(path, below, first+scalarYAML(k)+":", indent, m[k])
		first = indent
	}
}

// value prints what follows head, which is a key with its colon or the dash of an item.
func (t *yamlText) value(path, below, head, indent string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			t.add(path, head+" {}")
			return
		}
		if strings.HasSuffix(head, "-") {
			t.mapping(below, head+" ", indent+"  ", v)
			return
		}
		t.add(path, head)
		t.mapping(below, indent+"  ", indent+"  ", v)
	case []any:
		t.list(path, below, head, indent, v)
	case string:
		if strings.Contains(v, "\n") && isPrintable(v) {
			t.block(path, below, head, indent+"  ", v)
			return
		}
		t.add(path, head+" "+scalarYAML(v))
	default:
		t.add(path, head+" "+scalarYAML(v))
	}
}

// list prints items at the indent of the key that holds them, as people and kubectl do.
func (t *yamlText) list(path, below, head, indent string, list []any) {
	if len(list) == 0 {
		t.add(path, head+" []")
		return
	}
	if strings.HasSuffix(head, "-") {
		indent += "  "
	}
	t.add(path, head)
	key := mergeKey(list)
	for _, item := range list {
		at := below
		if key != nil {
			at += stepText(itemStep(key, item), false)
		}
		t.value(at, at, indent+"-", indent, item)
	}
}

// block prints a string of several lines as a literal block scalar.
func (t *yamlText) block(path, below, head, indent, s string) {
	mark := "|"
	if strings.ContainsAny(s[:1], " \t\n") {
		mark += "2" // the indentation cannot be told from the first line
	}
	body := strings.TrimSuffix(s, "\n")
	switch {
	case body == s:
		mark += "-"
	case body == "" || strings.HasSuffix(body, "\n"):
		mark += "+"
	}
	t.add(path, head+" "+mark)
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			line = indent + line
		}
		t.add(below, line)
	}
}

// isPrintable tells whether a block scalar can hold the text as it is. A line of blanks alone is left to quotes:
// nobody would see it.
func isPrintable(s string) bool {
	if !utf8.ValidString(s) || strings.HasPrefix(s, "\n") && strings.Trim(s, "\n") == "" {
		return false
	}
	for line := range strings.SplitSeq(s, "\n") {
		if line != "" && strings.Trim(line, " \t") == "" {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9._/-]*$`)
	notText   = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

// scalarYAML is a scalar on one line.
func scalarYAML(v any) string {
	s, isText := v.(string)
	if isText && plainText.MatchString(s) && !notText.MatchString(s) {
		return s
	}
	if isText && (strings.ContainsAny(s, "\n\r\t") || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })) {
		return quoted(s)
	}
	out, err := yaml.Marshal(v)
	if text := strings.TrimSuffix(string(out), "\n"); err == nil && !strings.Contains(text, "\n") {
		return text
	}
	return quoted(fmt.Sprint(v))
}

// usualOrder is how people write keys: what an object is, what it is called, then the rest by name.
func usualOrder(m map[string]any) []string {
	keys := keysOfAll(m)
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return keys
}

func rank(key string) int {
	if i := slices.Index([]string{"apiVersion", "kind", "metadata", "name", "namespace", "labels", "annotations"}, key); i >= 0 {
		return i
	}
	return 100
}
