package workspace

import (
	"fmt"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// repoMark begins every absolute path that evaluation makes out of path.module,
// path.root and path.cwd: where the checkout will lie is not known, and must not matter.
const repoMark = "/.mooring-repository/"

// scope is one instance of a module while a root module is analysed: where names
// are looked up. Only what the files say constantly has a value; the rest is
// unknown, and the first reason why is kept.
type scope struct {
	an     *analysis
	mod    *moduleFacts
	parent *scope
	args   map[string]expr
	call   instance // which instance of its module call this is
	block  instance // which instance of a block inside it is evaluated
	vars   map[string]known
	locals map[string]known
	busy   map[string]bool
}

// instance is what for_each or count give to one instance: an object with key and
// value, an object with index. DynamicVal where there is none, or it is not told.
type instance struct{ each, count cty.Value }

var anyInstance = instance{cty.DynamicVal, cty.DynamicVal}

// known is a value, or why there is none.
type known struct {
	value cty.Value
	why   string
}

func unknown(why string) known { return known{cty.DynamicVal, why} }

func (s *scope) eval(e expr) known {
	switch e.form {
	case formNone:
		return known{cty.NullVal(cty.DynamicPseudoType), ""}
	case formLiteral:
		return known{cty.StringVal(e.text), ""}
	}
	var parsed hcl.Expression
	var diags hcl.Diagnostics
	if e.form == formJSON {
		parsed, diags = hcljson.ParseExpression([]byte(e.text), "")
	} else {
		parsed, diags = hclsyntax.ParseExpression([]byte(e.text), "", hcl.InitialPos)
	}
	if diags.HasErrors() {
		return unknown("it cannot be read on its own")
	}
	ctx, why := s.context(parsed.Variables())
	value, diags := parsed.Value(ctx)
	if diags.HasErrors() {
		if why == "" {
			why = lowerFirst(diags[0].Detail)
			if diags[0].Summary == "Call to unknown function" {
				why = "it calls a function that only Terraform can"
			}
		}
		return unknown(why)
	}
	value, _ = value.UnmarkDeep()
	if value.IsWhollyKnown() {
		why = ""
	} else if why == "" {
		why = "it is known only when Terraform runs"
	}
	return known{value, why}
}

// context gives a value to every name that the traversals start from.
func (s *scope) context(traversals []hcl.Traversal) (*hcl.EvalContext, string) {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: s.an.functions()}
	vars, locals := map[string]cty.Value{}, map[string]cty.Value{}
	why := ""
	note := func(k known) cty.Value {
		if why == "" {
			why = k.why
		}
		return k.value
	}
	for _, t := range traversals {
		switch root := t.RootName(); root {
		case "var", "local":
			name, ok := secondName(t)
			switch {
			case !ok:
				ctx.Variables[root] = note(unknown("it takes all of " + root + " at once"))
			case root == "var":
				vars[name] = note(s.variable(name))
			default:
				locals[name] = note(s.local(name))
			}
		case "path":
			ctx.Variables["path"] = cty.ObjectVal(map[string]cty.Value{
				"module": cty.StringVal(repoMark + s.mod.dir),
				"root":   cty.StringVal(repoMark + s.an.spec.dir),
				"cwd":    cty.StringVal(repoMark + s.an.spec.dir),
			})
		case "terraform":
			ws := cty.StringVal(s.an.spec.workspace)
			ctx.Variables["terraform"] = cty.ObjectVal(map[string]cty.Value{"workspace": ws, "applying": cty.False})
		case "each":
			ctx.Variables["each"] = s.block.each
			if !s.block.each.IsKnown() {
				note(unknown("each has no constant value here"))
			}
		case "count":
			ctx.Variables["count"] = s.block.count
			if !s.block.count.IsKnown() {
				note(unknown("count has no constant value here"))
			}
		default:
			ctx.Variables[root] = note(unknown(root + " is known only when Terraform runs"))
		}
	}
	if len(vars) > 0 {
		ctx.Variables["var"] = cty.ObjectVal(vars)
	}
	if len(locals) > 0 {
		ctx.Variables["local"] = cty.ObjectVal(locals)
	}
	return ctx, why
}

func secondName(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if isKnownString(step.Key) {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

func (s *scope) variable(name string) known {
	if k, ok := s.vars[name]; ok {
		return k
	}
	if s.busy["var."+name] {
		return unknown("var." + name + " refers to itself")
	}
	s.busy["var."+name] = true
	defer delete(s.busy, "var."+name)
	k := s.variableValue(name)
	s.vars[name] = k
	return k
}

func (s *scope) variableValue(name string) known {
	declared, ok := s.mod.variable(name)
	if !ok {
		return unknown("var." + name + " is not declared")
	}
	if s.parent == nil {
		if k, ok := s.an.given(name); ok {
			return k
		}
	} else if arg, ok := s.args[name]; ok {
		caller := *s.parent
		caller.block = s.call
		return caller.eval(arg)
	}
	if declared.def.set() {
		return s.eval(declared.def)
	}
	return unknown("var." + name + " has no value in the repository")
}

func (s *scope) local(name string) known {
	if k, ok := s.locals[name]; ok {
		return k
	}
	l, ok := s.mod.local(name)
	if !ok {
		return unknown("local." + name + " is not declared")
	}
	if s.busy["local."+name] {
		return unknown("local." + name + " refers to itself")
	}
	s.busy["local."+name] = true
	defer delete(s.busy, "local."+name)
	k := s.eval(l.fact)
	s.locals[name] = k
	return k
}

// text evaluates to a string.
func (s *scope) text(e expr) (string, string) {
	if e.form == formLiteral {
		return e.text, ""
	}
	k := s.eval(e)
	if k.why != "" {
		return "", k.why
	}
	v, ok := asString(k.value)
	if !ok {
		return "", "it is no string"
	}
	return v, ""
}

// instances expands for_each or count. why is set when they are not constant; one
// instance with unknown keys then stands for all.
func (s *scope) instances(r *repeat) (all []instance, why string) {
	switch {
	case r == nil:
		return []instance{anyInstance}, ""
	case r.forEach.set():
		k := s.eval(r.forEach)
		if k.why != "" || k.value.IsNull() || !k.value.CanIterateElements() || k.value.LengthInt() > mostInstances {
			return []instance{anyInstance}, orText(k.why, "for_each is no constant collection")
		}
		for it := k.value.ElementIterator(); it.Next(); {
			key, value := it.Element()
			if k.value.Type().IsSetType() {
				key = value
			}
			all = append(all, instance{cty.ObjectVal(map[string]cty.Value{"key": key, "value": value}), cty.DynamicVal})
		}
		return all, ""
	default:
		k := s.eval(r.count)
		n, ok := asInt(k.value)
		if k.why != "" || !ok || n < 0 || n > mostInstances {
			return []instance{anyInstance}, orText(k.why, "count is no constant number")
		}
		for i := range n {
			all = append(all, instance{cty.DynamicVal, cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})})
		}
		return all, ""
	}
}

const mostInstances = 500

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func isKnownString(v cty.Value) bool {
	return v.Type() == cty.String && v.IsKnown() && !v.IsNull() && !v.IsMarked()
}

func isKnownBool(v cty.Value) bool {
	return v.Type() == cty.Bool && v.IsKnown() && !v.IsNull() && !v.IsMarked()
}

func asString(v cty.Value) (string, bool) {
	v, err := convert.Convert(v, cty.String)
	if err != nil || !isKnownString(v) {
		return "", false
	}
	return v.AsString(), true
}

func asInt(v cty.Value) (int, bool) {
	v, err := convert.Convert(v, cty.Number)
	if err != nil || !v.IsKnown() || v.IsNull() || v.IsMarked() {
		return 0, false
	}
	n, _ := v.AsBigFloat().Int64()
	return int(n), true
}

// flatten writes an object's values as dotted settings; names of values that are
// not told are answered apart.
func flatten(prefix string, v cty.Value, into settings) (out settings, unresolved []string) {
	out = into
	if !v.IsKnown() {
		return out, []string{prefix}
	}
	if v.IsNull() {
		return out, nil
	}
	if s, ok := asString(v); ok {
		return out.with(prefix, s), nil
	}
	if v.Type().IsObjectType() || v.Type().IsMapType() {
		for it := v.ElementIterator(); it.Next(); {
			key, value := it.Element()
			name := key.AsString()
			if prefix != "" {
				name = prefix + "." + name
			}
			var more []string
			out, more = flatten(name, value, out)
			unresolved = append(unresolved, more...)
		}
	}
	return out, unresolved
}

// repoPath turns a path that Terraform would see into one of the repository. A
// relative one starts where Terraform runs. inside is false for a path that lies
// elsewhere; it is answered as it is.
func repoPath(p, rootDir string) (real string, inside bool) {
	if rest, ok := strings.CutPrefix(p, repoMark); ok {
		p = path.Clean(rest)
	} else if path.IsAbs(p) || strings.HasPrefix(p, "~") {
		return p, false
	} else {
		p = path.Join(rootDir, p)
	}
	return p, !escapes(p)
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.TrimSuffix(fmt.Sprintf("%s%s", strings.ToLower(s[:1]), s[1:]), ".")
}
