package edit

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// write is the text of a value, without the indent of where it comes to stand.
func write(t any) (string, *refusal) {
	v, ok := toCty(t)
	if !ok {
		return "", refuse("the live value is of a kind that is not written")
	}
	return string(hclwrite.TokensForValue(v).Bytes()), nil
}

// write is the text of a scalar.
func (s scalar) write() string {
	if s.bare {
		return s.text
	}
	return quote(s.text)
}

// quote is a text in quotes in which nothing is filled in.
func quote(s string) string { return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes()) }

func toCty(t any) (cty.Value, bool) {
	switch t := t.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType), true
	case scalar:
		if !t.bare {
			return cty.StringVal(t.text), true
		}
		if b, err := strconv.ParseBool(t.text); err == nil && (t.text == "true" || t.text == "false") {
			return cty.BoolVal(b), true
		}
		v, err := cty.ParseNumberVal(t.text)
		return v, err == nil
	case []any:
		items := make([]cty.Value, len(t))
		for i, item := range t {
			var ok bool
			if items[i], ok = toCty(item); !ok {
				return cty.NilVal, false
			}
		}
		return cty.TupleVal(items), true
	case map[string]any:
		items := make(map[string]cty.Value, len(t))
		for k, item := range t {
			v, ok := toCty(item)
			if !ok {
				return cty.NilVal, false
			}
			items[k] = v
		}
		return cty.ObjectVal(items), true
	}
	return cty.NilVal, false
}

// word is the name of an item as an object has it.
func word(name string) string {
	switch name {
	case "for", "true", "false", "null":
	default:
		if hclsyntax.ValidIdentifier(name) {
			return name
		}
	}
	return quote(name)
}

// like writes a value in the manner of the literal whose place it takes: "80" stays in quotes, 80 without, a heredoc a heredoc.
// Where even the kind of the live value is another one, there is no manner to keep.
func (r *resource) like(expr hclsyntax.Expression, says, old any, now scalar) (string, *refusal) {
	was, ok := says.(scalar)
	before, okOld := old.(scalar)
	switch {
	case !ok || !okOld || before.bare != now.bare: // not ok: null
		return now.write(), nil
	case bytes.HasPrefix(textOf(r.text, expr), []byte("<<")):
		return heredoc(string(textOf(r.text, expr)), now.text)
	case !was.bare:
		return quote(now.text), nil
	case now.bare:
		return now.text, nil
	}
	// A provider's texts may be numbers in the file. What it would not read back as the same text gets quotes.
	if t, err := cty.ParseNumberVal(now.text); err == nil && isNumber(expr) && number(t.AsBigFloat()) == now.text {
		return now.text, nil
	}
	if now.text == "true" || now.text == "false" {
		return now.text, nil
	}
	return quote(now.text), nil
}

// commented is true of text with a comment in it.
func commented(text []byte) bool {
	tokens, _ := hclsyntax.LexExpression(text, "", hcl.InitialPos)
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenComment {
			return true
		}
	}
	return false
}

// partOf is text[from:to] with those of the splices done that are within.
func partOf(text []byte, from, to int, all []splice) (string, *refusal) {
	var within []splice
	for _, s := range all {
		if s.from >= from && s.to <= to {
			within = append(within, splice{s.from - from, s.to - from, s.text})
		}
	}
	out, no := apply(text[from:to], within)
	return string(out), no
}

// ownLines are the whole lines that text[from:to] stands on; false if anything but a comma and a comment stands there too.
func ownLines(text []byte, from, to int) (start, end int, ok bool) {
	start = bytes.LastIndexByte(text[:from], '\n') + 1
	end = nextLine(text, to)
	if len(bytes.TrimSpace(text[start:from])) > 0 {
		return 0, 0, false
	}
	rest := strings.TrimSpace(string(text[to:max(to, end)]))
	rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	return start, end, rest == "" || strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, "//")
}
