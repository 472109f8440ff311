package k8s

import (
	"errors"
	"fmt"
	"strings"
)

// refuseUnknown is the error of an Apply that was given what is for previews only; nil when all is known.
func refuseUnknown(desired []Object) error {
	var errs []error
	for _, o := range desired {
		if o.unknown {
			errs = append(errs, errUnknownObject(o))
		}
	}
	return errors.Join(errs...)
}

func errUnknownObject(o Object) error {
	return objectError(o, fmt.Errorf("it was rendered for a preview and cannot be applied: %w", ErrUnknownValue))
}

// hasKnownIdentity tells whether it is known which object of the cluster this one is.
func (o Object) hasKnownIdentity() bool {
	for _, s := range []string{o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()} {
		if strings.Contains(s, afterApply) {
			return false
		}
	}
	return true
}

// splitUnknown takes out the objects of which not even the identity is known: no cluster can be asked about them.
func splitUnknown(objects []Object) (known, nameless []Object) {
	for _, o := range objects {
		if o.unknown && !o.hasKnownIdentity() {
			nameless = append(nameless, o)
		} else {
			known = append(known, o)
		}
	}
	return known, nameless
}
