package k8s

import (
	"fmt"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccessError says what the cluster's authorization (RBAC, in most) does not let a user do.
type AccessError struct {
	User      string // as the cluster knows it: system:serviceaccount:team:deployer
	Verb      string // get, list, patch, create, delete, impersonate…
	Resource  string // deployments, or deployments/status
	Group     string // "" for the core group
	Namespace string // "" at the scope of the whole cluster
	Name      string // of the object, or of who would be impersonated; may be ""
}

func (e *AccessError) Error() string {
	if e.Verb == "impersonate" {
		return fmt.Sprintf("forbidden: %s may not act as %s; who administers the cluster grants it: the verb impersonate on %s%s, with resourceNames: [%q], in a %s",
			e.User, e.impersonated(), e.Resource, e.apiGroup(), e.Name, e.role())
	}
	return fmt.Sprintf("forbidden: %s may not %s %s %s; who administers the cluster grants it: the verb %s on %s%s in a %s",
		e.User, e.Verb, e.resource(), e.where(), e.Verb, e.Resource, e.apiGroup(), e.role())
}

// Unwrap makes it an ErrForbidden.
func (e *AccessError) Unwrap() error { return ErrForbidden }

func (e *AccessError) resource() string {
	if e.Group == "" {
		return e.Resource
	}
	return e.Resource + "." + e.Group
}

func (e *AccessError) apiGroup() string {
	if e.Group == "" {
		return ""
	}
	return fmt.Sprintf(" (apiGroups: [%q])", e.Group)
}

func (e *AccessError) where() string {
	if e.Namespace == "" {
		return "in the whole cluster"
	}
	return "in namespace " + e.Namespace
}

func (e *AccessError) role() string {
	if e.Namespace == "" {
		return "ClusterRole that a ClusterRoleBinding binds to it"
	}
	return "Role of namespace " + e.Namespace + " that a RoleBinding binds to it"
}

func (e *AccessError) impersonated() string {
	if e.Resource == "serviceaccounts" && e.Namespace != "" {
		return "system:serviceaccount:" + e.Namespace + ":" + e.Name
	}
	return e.Name
}

// authorizer is how the API server words what its authorizers refuse. The status holds verb and user nowhere else,
// and admission, quotas and terminating namespaces are Forbidden just as well.
var authorizer = regexp.MustCompile(`User "([^"]*)" cannot (\S+) resource "([^"]*)" in API group "([^"]*)" (?:in the namespace "([^"]*)"|at the cluster scope)`)

// accessOf reads such a refusal; nil when the status is about something else.
func accessOf(s metav1.Status) *AccessError {
	if s.Reason != metav1.StatusReasonForbidden {
		return nil
	}
	m := authorizer.FindStringSubmatch(s.Message)
	if m == nil {
		return nil
	}
	e := &AccessError{User: m[1], Verb: m[2], Resource: m[3], Group: m[4], Namespace: m[5]}
	if strings.HasPrefix(e.Verb, "impersonate:") { // which of the finer rules it tried last
		e.Verb = "impersonate"
	}
	if s.Details != nil {
		e.Name = s.Details.Name
	}
	return e
}
