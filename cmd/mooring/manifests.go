package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

// manifests renders a manifest set as far as it can be without the outputs of
// Terraform: what only they would tell is no fault.
func (v *validation) manifests(root string, u *workspace.Unit) {
	src := k8s.Source{Root: root, Path: u.Path, Exclude: u.Exclude, Values: map[string]k8s.Value{}}
	inputs, err := u.Inputs(func(string) (map[string]workspace.Output, bool) { return nil, false })
	var broken *workspace.ConfigError
	switch {
	case errors.As(err, &broken):
		v.broken(broken)
		return
	case errors.Is(err, workspace.ErrInputsUnknown):
		// Not even the names are known: any will do.
		used, err := k8s.Placeholders(src)
		if err != nil {
			v.faults(u, err)
			return
		}
		for _, p := range used {
			src.Values[p.Name] = k8s.Value{Unknown: true}
		}
	case err != nil:
		v.add(hcl.DiagError, u.File, u.Line, err.Error())
		return
	}
	for name, value := range inputs {
		src.Values[name] = k8s.Value{JSON: value.JSON, Sensitive: value.Sensitive, Unknown: value.Unknown}
	}
	_, err = k8s.Render(src)
	v.faults(u, err)
}

// faults adds each fault of a render.
func (v *validation) faults(u *workspace.Unit, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			v.faults(u, e)
		}
		return
	}
	if errors.Is(err, k8s.ErrUnknownValue) {
		return
	}
	var fault *k8s.SourceError
	if errors.As(err, &fault) {
		v.add(hcl.DiagError, fault.File, fault.Line, fault.Message)
		return
	}
	v.add(hcl.DiagError, u.File, u.Line, fmt.Sprintf("manifests %s: %v", u.ID, err))
}
