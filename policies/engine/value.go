package engine

import (
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// terms makes OPA's values of JSON's. What is short and comes often – keys, types, actions – is made once.
type terms struct {
	texts map[string]*ast.Term
	lists map[string]*ast.Term // of one text each
}

func newTerms() terms { return terms{map[string]*ast.Term{}, map[string]*ast.Term{}} }

// maxKept is the length of a text that is kept.
const maxKept = 64

var (
	emptyObject = ast.ObjectTerm()
	emptyList   = ast.ArrayTerm()
)

func (t terms) of(value any) *ast.Term {
	switch v := value.(type) {
	case nil:
		return ast.InternedNullTerm
	case bool:
		return ast.InternedTerm(v)
	case string:
		return t.text(v)
	case json.Number:
		return ast.NumberTerm(v)
	case []any:
		return t.list(v)
	case map[string]any:
		if len(v) == 0 {
			return emptyObject
		}
		members := make([][2]*ast.Term, 0, len(v))
		for key, m := range v {
			members = append(members, ast.Item(t.text(key), t.of(m)))
		}
		return ast.ObjectTerm(members...)
	}
	// Objects of Kubernetes come with Go's numbers.
	made, err := ast.InterfaceToValue(value)
	if err != nil {
		panic(fmt.Sprintf("a %T is no JSON: %v", value, err)) // judge makes a finding of it that denies
	}
	return ast.NewTerm(made)
}

func (t terms) text(s string) *ast.Term {
	if len(s) > maxKept {
		return ast.StringTerm(s)
	}
	term, ok := t.texts[s]
	if !ok {
		term = ast.StringTerm(s)
		t.texts[s] = term
	}
	return term
}

func (t terms) list(v []any) *ast.Term {
	if len(v) == 0 {
		return emptyList
	}
	only, short := v[0].(string)
	if short = short && len(v) == 1 && len(only) <= maxKept; short {
		if term, ok := t.lists[only]; ok {
			return term
		}
	}
	members := make([]*ast.Term, len(v))
	for i, m := range v {
		members[i] = t.of(m)
	}
	made := ast.ArrayTerm(members...)
	if short {
		t.lists[only] = made
	}
	return made
}
