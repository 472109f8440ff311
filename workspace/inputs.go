package workspace

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Output is one output of an applied workspace, as `terraform output -json` gives it.
type Output struct {
	JSON      json.RawMessage
	Type      json.RawMessage // Terraform's type as JSON; empty takes the type of the JSON itself
	Sensitive bool
	Unknown   bool // a plan will make it: it is there, its value is known only after the apply
}

// Outputs answers the outputs of a workspace. false means that they are not known
// yet: nothing was applied, or an apply is still to come.
type Outputs func(unitID string) (map[string]Output, bool)

// Value is one evaluated input.
type Value struct {
	JSON      json.RawMessage // nil when Unknown
	Sensitive bool            // some sensitive output flowed into it
	Unknown   bool            // an output it needs is not known yet
}

// MissingOutputError says that an upstream was applied and does not have an output.
type MissingOutputError struct {
	Unit   string // the upstream
	Output string
	File   string
	Line   int
}

func (e *MissingOutputError) Error() string {
	return fmt.Sprintf("%s:%d: %s has no output %q", e.File, e.Line, e.Unit, e.Output)
}

// ErrInputsUnknown is answered when not even the names of the inputs are known yet,
// because the whole of `variables` or `values` comes from an output that is not.
var ErrInputsUnknown = errors.New("inputs are not known before the upstream is applied")

// Inputs evaluates `variables` of a workspace or `values` of a manifest set with the
// outputs of upstream units. Errors are *MissingOutputError, *ConfigError, or wrap
// ErrInputsUnknown. A unit without the attribute has no inputs.
func (u *Unit) Inputs(outputs Outputs) (map[string]Value, error) {
	name := "variables"
	if u.Kind == KindManifests {
		name = "values"
	}
	v, err := u.evaluate(name, outputs)
	if err != nil || v == cty.NilVal {
		return nil, err
	}
	v, marks := v.Unmark()
	if !v.IsKnown() {
		return nil, fmt.Errorf("%s of %s: %w", name, u.ID, ErrInputsUnknown)
	}
	if v.IsNull() || !(v.Type().IsObjectType() || v.Type().IsMapType()) {
		return nil, u.fail(hcl.Diagnostics{fault(u.decl.attrs[name].Expr.Range(), "Wrong type", name+" must be a map of names and values.")})
	}
	out := map[string]Value{}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		one, err := encode(value.WithMarks(marks))
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %s: %w", name, u.ID, key.AsString(), err)
		}
		out[key.AsString()] = one
	}
	return out, nil
}

// KubeconfigFrom evaluates `kubeconfig`; its JSON is a string. It is always
// sensitive: a kubeconfig holds credentials whether its output says so or not.
func (u *Unit) KubeconfigFrom(outputs Outputs) (Value, error) {
	v, err := u.evaluate("kubeconfig", outputs)
	if err != nil {
		return Value{}, err
	}
	if v == cty.NilVal {
		return Value{}, fmt.Errorf("%s has no kubeconfig", u.ID)
	}
	plain, _ := v.UnmarkDeep()
	if plain.IsKnown() && !isKnownString(plain) {
		return Value{}, u.fail(hcl.Diagnostics{fault(u.decl.attrs["kubeconfig"].Expr.Range(), "Wrong type", "kubeconfig must be a string.")})
	}
	return encode(plain.Mark(sensitiveMark))
}

// evaluate answers NilVal when the unit does not say the attribute.
func (u *Unit) evaluate(name string, outputs Outputs) (cty.Value, error) {
	if u.decl == nil || u.decl.attrs[name] == nil {
		return cty.NilVal, nil
	}
	ctx := eachContext(u.match)
	units := map[string]cty.Value{}
	for _, r := range u.refs {
		if r.why != "outputs" {
			continue
		}
		if _, done := units[r.id]; done {
			continue
		}
		value, err := outputsValue(r.id, outputs)
		if err != nil {
			return cty.NilVal, err
		}
		units[r.id] = cty.ObjectVal(map[string]cty.Value{"outputs": value})
	}
	if len(units) > 0 {
		ctx.Variables["workspace"] = cty.ObjectVal(units)
	}
	v, diags := u.decl.attrs[name].Expr.Value(ctx)
	if !diags.HasErrors() {
		return v, nil
	}
	for _, r := range u.refs {
		if r.why != "outputs" || r.output == "" {
			continue
		}
		if have, ok := outputs(r.id); ok {
			if _, ok := have[r.output]; !ok {
				return cty.NilVal, &MissingOutputError{Unit: r.id, Output: r.output, File: u.File, Line: r.line}
			}
		}
	}
	return cty.NilVal, u.fail(withoutTrees(diags))
}

// fail wraps diagnostics. Their text may not show values: hcl's own detail names
// types and attributes only, and the contexts that its snippets print are dropped.
func (u *Unit) fail(diags hcl.Diagnostics) error {
	return &ConfigError{Diags: withoutTrees(diags), Files: map[string]*hcl.File{}}
}

func outputsValue(id string, outputs Outputs) (cty.Value, error) {
	have, ok := outputs(id)
	if !ok {
		return cty.DynamicVal, nil
	}
	values := make(map[string]cty.Value, len(have))
	for name, o := range have {
		v, err := o.value()
		if err != nil {
			return cty.NilVal, fmt.Errorf("read output %s of %s: %w", name, id, err)
		}
		values[name] = v
	}
	return cty.ObjectVal(values), nil
}

func (o Output) value() (cty.Value, error) {
	if o.Unknown {
		v := cty.DynamicVal
		if o.Sensitive {
			v = v.Mark(sensitiveMark)
		}
		return v, nil
	}
	var t cty.Type
	var err error
	if len(o.Type) > 0 {
		t, err = ctyjson.UnmarshalType(o.Type)
	} else {
		t, err = ctyjson.ImpliedType(o.JSON)
	}
	if err != nil {
		return cty.NilVal, errors.New("its type cannot be read")
	}
	v, err := ctyjson.Unmarshal(o.JSON, t)
	if err != nil {
		return cty.NilVal, errors.New("its value does not fit its type") // never the value itself
	}
	if o.Sensitive {
		v = v.Mark(sensitiveMark)
	}
	return v, nil
}

func encode(v cty.Value) (Value, error) {
	plain, marks := v.UnmarkDeep()
	out := Value{Sensitive: len(marks) > 0}
	if !plain.IsWhollyKnown() {
		out.Unknown = true
		return out, nil
	}
	raw, err := ctyjson.Marshal(plain, plain.Type())
	if err != nil {
		return Value{}, errors.New("it has no JSON form")
	}
	out.JSON = raw
	return out, nil
}
