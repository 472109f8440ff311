package edit

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// kind is what a scalar is to Kubernetes, which takes no number for a text: text, number or bool; "" of anything else.
func kind(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	return map[string]string{"!!str": "text", "!!int": "number", "!!float": "number", "!!bool": "bool"}[n.ShortTag()]
}

func kindOf(t any) string {
	s, ok := t.(scalar)
	switch {
	case !ok:
		return ""
	case !s.bare:
		return "text"
	case s.text == "true" || s.text == "false":
		return "bool"
	}
	return "number"
}

func scalarOf(n *yaml.Node) any {
	var v any
	if n.Decode(&v) != nil {
		return nil
	}
	t, err := treeOf(v)
	if err != nil {
		return nil
	}
	return t
}

// respell writes the file with another scalar in the place of one.
func respell(file []byte, n *yaml.Node, was, is any) ([]byte, *refusal) {
	said := kind(n)
	switch {
	case said == "":
		return nil, refuse("it is no single value in the file")
	case !same(scalarOf(n), was) || said != kindOf(was):
		return nil, agree(scalarOf(n), nil, is)
	case kindOf(is) == "":
		return nil, refuse("live it is no single value")
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0:
		return nil, refuse("it is written as a block of text")
	}
	from := offset(file, n.Line, n.Column)
	old, ok := spelled(file, from, n)
	if !ok {
		return nil, refuse("it is not written on one line")
	}
	now := is.(scalar)
	next := yaml.Node{Kind: yaml.ScalarNode, Value: now.text, Style: n.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)}
	switch kindOf(is) {
	case "text":
		next.Tag = "!!str"
		if next.Style == 0 && !bareText(now.text) || strings.ContainsFunc(now.text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }) {
			next.Style = yaml.DoubleQuotedStyle
		}
	default:
		next.Style = 0
	}
	text, err := yaml.Marshal(&next)
	if err != nil || bytes.Contains(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		return nil, refuse("the live value cannot be written on one line")
	}
	out, no := apply(file, []splice{{from, from + len(old), strings.TrimSuffix(string(text), "\n")}})
	return out, no
}

// bareText is true of a text that no reader of YAML takes for anything else without quotes: to some yes is true and 1:30 is 90.
func bareText(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return plainText.MatchString(s)
}

var plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@-]*(:[A-Za-z0-9_./@-]+)*$`)

// offset is where a place of a file is, whose line and column count from 1, columns in characters; -1 where it is none.
func offset(file []byte, line, column int) int {
	at := 0
	for range line - 1 {
		i := bytes.IndexByte(file[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	for range column - 1 {
		_, n := utf8.DecodeRune(file[at:])
		at += n
	}
	return at
}

// spelled is how a scalar is written that begins at a place, if that is on one line.
func spelled(file []byte, from int, n *yaml.Node) (string, bool) {
	if from < 0 || from >= len(file) {
		return "", false
	}
	line, _, _ := strings.Cut(string(file[from:]), "\n")
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(line); i++ {
			switch line[i] {
			case '\\':
				i++
			case '"':
				return line[:i+1], line[0] == '"'
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := 1; i < len(line); i++ {
			if line[i] != '\'' {
				continue
			}
			if i+1 < len(line) && line[i+1] == '\'' {
				i++
				continue
			}
			return line[:i+1], line[0] == '\''
		}
	case n.Value != "" && strings.HasPrefix(line, n.Value):
		return n.Value, true
	}
	return "", false
}
