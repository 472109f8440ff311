package workspace

import (
	"errors"
	"maps"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"sigs.k8s.io/yaml"
)

// functions are the pure ones, and those of Terraform that read files of the
// repository: locals are often made of a YAML file.
func (a *analysis) functions() map[string]function.Function {
	if a.funcs != nil {
		return a.funcs
	}
	f := maps.Clone(pureFunctions())
	f["file"] = textFunc(a.readText)
	f["fileexists"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			p, inside := repoPath(args[0].AsString(), a.spec.dir)
			if !inside {
				return cty.UnknownVal(cty.Bool), nil
			}
			real, _, isDir, exists := a.scan.ix.lookup(p)
			a.check(real, isDir, exists)
			return cty.BoolVal(exists && !isDir), nil
		},
	})
	f["yamldecode"] = yamlDecode
	f["abspath"] = textFunc(func(s string) (string, error) {
		p, inside := repoPath(s, a.spec.dir)
		if inside {
			p = repoMark + p
		}
		return p, nil
	})
	same := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true, AllowUnknown: true, AllowMarked: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0], nil },
	})
	f["nonsensitive"], f["sensitive"] = same, same
	a.funcs = f
	return f
}

func (a *analysis) readText(name string) (string, error) {
	p, inside := repoPath(name, a.spec.dir)
	if !inside {
		return "", errors.New("the file is outside the repository")
	}
	real, _, isDir, exists := a.scan.ix.lookup(p)
	if !exists || isDir {
		a.check(real, isDir, exists)
		return "", errors.New("there is no such file in the repository")
	}
	a.use(p)
	src, err := a.scan.ix.tree.ReadFile(real)
	return string(src), err
}

var yamlDecode = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "text", Type: cty.String}},
	Type: func(args []cty.Value) (cty.Type, error) {
		if !args[0].IsKnown() {
			return cty.DynamicPseudoType, nil
		}
		v, err := decodeYAML(args[0].AsString())
		return v.Type(), err
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return decodeYAML(args[0].AsString()) },
})

func decodeYAML(text string) (cty.Value, error) {
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return cty.DynamicVal, err
	}
	return stdlib.JSONDecode(cty.StringVal(string(raw)))
}
