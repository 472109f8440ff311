package k8s

import (
	"encoding/base64"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// caInjectors begin the annotations by which an object asks for a CA to be written into it.
var caInjectors = []string{"cert-manager.io/inject-", "service.beta.openshift.io/inject-cabundle"}

// isLeftToOthers names the fields of a set that something in the cluster is meant to decide about, once it has.
func isLeftToOthers(o Object, c FieldChange, by metav1.ManagedFieldsEntry) bool {
	switch {
	case c.Path == "spec.replicas":
		return by.Manager == "kube-controller-manager" && by.Subresource == "scale" // a HorizontalPodAutoscaler
	case strings.HasSuffix(c.Path, ".caBundle"):
		return by.Manager != "" && (isPlaceholder(c.New) || asksForCA(o))
	}
	return false
}

func asksForCA(o Object) bool {
	for name := range o.GetAnnotations() {
		for _, prefix := range caInjectors {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

// isPlaceholder tells a CA that stands for one to come: nothing, or a blank (the API wanted something there once).
func isPlaceholder(v any) bool {
	text, _ := v.(string)
	plain, err := base64.StdEncoding.DecodeString(text)
	return err == nil && strings.TrimSpace(string(plain)) == ""
}
