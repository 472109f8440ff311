package edit

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A tree is a value as it is compared: nil, scalar, []any, map[string]any; or raw, of an expression that is no literal.
//
// Providers take "80" for 80 and "true" for true, and so do files: a scalar is the text that both have.
type (
	scalar struct {
		text string
		bare bool // a number, true or false
	}
	raw string // its text in the file
)

const deepest = 32 // levels of a live value

// treeOf is the tree of a value as JSON has it.
func treeOf(v any) (any, error) { return treeAt(v, deepest) }

func treeAt(v any, depth int) (any, error) {
	if depth == 0 {
		return nil, refuse("the value is nested too deeply")
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		return scalar{strconv.FormatBool(v), true}, nil
	case string:
		if !utf8.ValidString(v) {
			return nil, refuse("the value is no text that a file can hold")
		}
		return scalar{text: cty.NormalizeString(v)}, nil
	case int:
		return scalar{strconv.Itoa(v), true}, nil
	case int64:
		return scalar{strconv.FormatInt(v, 10), true}, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, refuse("the value is no number")
		}
		return scalar{strconv.FormatFloat(v, 'f', -1, 64), true}, nil
	case json.Number:
		f, _, err := big.ParseFloat(v.String(), 10, 512, big.ToNearestEven)
		if err != nil {
			return nil, refuse("the value is no number")
		}
		return scalar{number(f), true}, nil
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			var err error
			if out[i], err = treeAt(item, depth-1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			if !utf8.ValidString(k) {
				return nil, refuse("the value has a name that a file cannot hold")
			}
			t, err := treeAt(item, depth-1)
			if err != nil {
				return nil, err
			}
			out[cty.NormalizeString(k)] = t
		}
		return out, nil
	}
	return nil, refuse("the value is of a kind that JSON does not have")
}

// number is a number in digits, unless they were too many.
func number(f *big.Float) string {
	if e := f.MantExp(nil); e > 2048 || e < -2048 {
		return f.Text('g', -1)
	}
	return f.Text('f', -1)
}

// tree is the tree of an expression in text.
func tree(expr hclsyntax.Expression, text []byte) any {
	switch e := unwrap(expr).(type) {
	case *hclsyntax.LiteralValueExpr:
		return literal(e.Val)
	case *hclsyntax.TemplateExpr:
		if s, ok := plain(e); ok {
			return scalar{text: s}
		}
	case *hclsyntax.UnaryOpExpr: // a number below 0
		if n, ok := tree(e.Val, text).(scalar); ok && e.Op == hclsyntax.OpNegate && isNumber(e.Val) {
			if n.text != "0" {
				n.text = "-" + n.text
			}
			return n
		}
	case *hclsyntax.TupleConsExpr:
		out := make([]any, len(e.Exprs))
		for i, item := range e.Exprs {
			out[i] = tree(item, text)
		}
		return out
	case *hclsyntax.ObjectConsExpr:
		out := map[string]any{}
		for _, item := range e.Items {
			k, ok := key(item.KeyExpr)
			if _, double := out[k]; !ok || double {
				return raw(textOf(text, expr))
			}
			out[k] = tree(item.ValueExpr, text)
		}
		return out
	}
	return raw(textOf(text, expr))
}

func literal(v cty.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Type() == cty.String:
		return scalar{text: v.AsString()}
	case v.Type() == cty.Bool:
		return scalar{strconv.FormatBool(v.True()), true}
	case v.Type() == cty.Number:
		return scalar{number(v.AsBigFloat()), true}
	}
	return raw("")
}

// plain is the text of a template that has nothing to fill in.
func plain(e *hclsyntax.TemplateExpr) (string, bool) {
	s := ""
	for _, part := range e.Parts {
		l, ok := part.(*hclsyntax.LiteralValueExpr)
		if !ok || l.Val.Type() != cty.String || l.Val.IsNull() {
			return "", false
		}
		s += l.Val.AsString()
	}
	return cty.NormalizeString(s), true
}

func isNumber(expr hclsyntax.Expression) bool {
	l, ok := unwrap(expr).(*hclsyntax.LiteralValueExpr)
	return ok && !l.Val.IsNull() && l.Val.Type() == cty.Number
}

// key is the name of an item of an object: a word, or a text in quotes.
func key(expr hclsyntax.Expression) (string, bool) {
	k, ok := expr.(*hclsyntax.ObjectConsKeyExpr)
	if !ok {
		return "", false
	}
	if word := hcl.ExprAsKeyword(k.Wrapped); word != "" && !k.ForceNonLiteral {
		return word, true
	}
	if t, ok := k.Wrapped.(*hclsyntax.TemplateExpr); ok {
		return plain(t)
	}
	return "", false
}

func unwrap(expr hclsyntax.Expression) hclsyntax.Expression {
	for {
		p, ok := expr.(*hclsyntax.ParenthesesExpr)
		if !ok {
			return expr
		}
		expr = p.Expression
	}
}

func textOf(text []byte, expr hclsyntax.Expression) []byte {
	r := expr.Range()
	if r.End.Byte > len(text) {
		return nil
	}
	return text[r.Start.Byte:r.End.Byte]
}

// hasRaw is true of a tree with anything in it that is no literal.
func hasRaw(t any) bool {
	switch t := t.(type) {
	case raw:
		return true
	case []any:
		return slices.ContainsFunc(t, hasRaw)
	case map[string]any:
		for _, item := range t {
			if hasRaw(item) {
				return true
			}
		}
	}
	return false
}

// same compares trees. What a map does not have is nil in it: providers add every name that they know.
func same(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case scalar:
		b, ok := b.(scalar)
		return ok && a.text == b.text
	case raw:
		b, ok := b.(raw)
		return ok && a == b
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return false
		}
		for k := range a {
			if !same(a[k], b[k]) {
				return false
			}
		}
		for k := range b {
			if _, known := a[k]; !known && b[k] != nil {
				return false
			}
		}
		return true
	}
	return false
}

// maySay is true unless what the file says is known to be something else.
func maySay(file, value any) bool {
	switch file := file.(type) {
	case raw:
		return true
	case []any:
		value, ok := value.([]any)
		return ok && slices.EqualFunc(file, value, maySay)
	case map[string]any:
		value, ok := value.(map[string]any)
		if !ok {
			return false
		}
		for k := range file {
			if !maySay(file[k], value[k]) {
				return false
			}
		}
		return true
	}
	return same(file, value)
}
