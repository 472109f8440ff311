package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/runner"
	"github.com/mooring-iac/mooring/workspace"
)

// manifests checks a manifest set as far as it can be without the outputs of
// Terraform.
func (v *validation) manifests(root string, u *workspace.Unit) {
	keys, err := v.keys()
	if err == nil {
		err = runner.CheckManifests(root, u, keys)
	}
	var broken *workspace.ConfigError
	if errors.As(err, &broken) {
		v.broken(broken)
		return
	}
	v.faults(u, err)
}

// keys are what the server's configuration opens encrypted files with; nil without
// one, and then encrypted files are not looked into.
func (v *validation) keys() (*k8s.Keys, error) {
	if v.config == nil {
		return nil, nil
	}
	return k8s.ReadKeys(keyConfig(v.config.Sops))
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
	var fault *k8s.SourceError
	if errors.As(err, &fault) {
		v.add(hcl.DiagError, fault.File, fault.Line, fault.Message)
		return
	}
	v.add(hcl.DiagError, u.File, u.Line, fmt.Sprintf("manifests %s: %v", u.ID, err))
}
