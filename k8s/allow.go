package k8s

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNotAllowed is wrapped by the *ObjectError of an object that the set may not touch.
var ErrNotAllowed = errors.New("not allowed")

// Allowance is what a set may touch. It knows no cluster: a look at an object's identity decides. The zero value
// allows nothing.
type Allowance struct {
	By           string   // who says so, for messages: allow "tenants/*" of cluster prod
	Namespaces   []string // of namespaced objects, and the names of Namespaces themselves
	Kinds        []string // of namespaced objects: "apps/Deployment", "apps/*", "ConfigMap", "*"
	ClusterKinds []string // of objects that lie in no namespace, written the same way
}

// CheckKindPattern says what is wrong with a pattern of Allowance.Kinds: "*" is every kind, "group/Kind" and
// "group/*" are kinds of one API group, a kind without a group (or with v1 for it) is one of the core group.
func CheckKindPattern(pattern string) error {
	group, kind := splitKind(pattern)
	switch {
	case strings.Count(pattern, "/") > 1:
		i := strings.Index(pattern, "/")
		return fmt.Errorf("%q names a version, and any version of an object is the same object: write %q", pattern,
			pattern[:i]+pattern[strings.LastIndex(pattern, "/"):])
	case kind == "", strings.Contains(pattern, "/") && strings.HasPrefix(pattern, "/"), strings.ContainsAny(pattern, " \t,"):
		return fmt.Errorf("%q is no kind: write \"apps/Deployment\", \"apps/*\", \"ConfigMap\" for one of the core group, or \"*\"", pattern)
	case strings.ToLower(kind) == kind && kind != "*":
		return fmt.Errorf("%q is no kind: kinds are written as in manifests, with capitals", pattern)
	case strings.ToLower(group) != group:
		return fmt.Errorf("%q is no kind: API groups have no capitals", pattern)
	}
	return nil
}

// splitKind takes a pattern apart. The core group is "".
func splitKind(pattern string) (group, kind string) {
	switch before, after, found := strings.Cut(pattern, "/"); {
	case pattern == "*":
		return "*", "*"
	case !found:
		return "", pattern
	case before == "v1":
		return "", after
	default:
		return before, after
	}
}

// refuses says why the set may not touch an object; "" when it may. Every allowance must agree. An object without
// a namespace is taken for cluster-scoped: prepare has filled in the others.
func (s Set) refuses(id ID) string {
	for _, a := range s.Allow {
		if why := a.refuses(id); why != "" {
			return why
		}
	}
	return ""
}

// Allows tells whether the set may touch an object.
func (s Set) Allows(id ID) bool { return s.refuses(id) == "" }

func (a Allowance) refuses(id ID) string {
	if id.Namespace == "" {
		switch {
		case !matchesKind(a.ClusterKinds, id):
			return fmt.Sprintf("cluster-scoped kind %s: %s allows %s", kindText(id), a.By, listed(a.ClusterKinds, "no cluster-scoped kind", "the cluster-scoped kinds "))
		case id.Group == "" && id.Kind == "Namespace" && !matchesAny(a.Namespaces, id.Name):
			return fmt.Sprintf("namespace %s: %s allows %s", id.Name, a.By, listed(a.Namespaces, "no namespace", ""))
		}
		return ""
	}
	switch {
	case !matchesAny(a.Namespaces, id.Namespace):
		return fmt.Sprintf("namespace %s: %s allows %s", id.Namespace, a.By, listed(a.Namespaces, "no namespace", ""))
	case !matchesKind(a.Kinds, id):
		return fmt.Sprintf("kind %s: %s allows %s", kindText(id), a.By, listed(a.Kinds, "no kind", ""))
	}
	return ""
}

// allowanceFault is the error of an object that the set may not touch, nil when it may. written is the object as
// its manifest has it, before the set's own namespace was filled in.
func (s Set) allowanceFault(o, written Object) error {
	why := s.refuses(o.ID())
	switch {
	case why == "":
		return nil
	case o.GetNamespace() != "" && written.GetNamespace() == "":
		return fmt.Errorf("%w: it names no namespace and goes to the set's, %s; %s", ErrNotAllowed, o.GetNamespace(), why)
	}
	return fmt.Errorf("%w: %s", ErrNotAllowed, why)
}

func kindText(id ID) string {
	if id.Group == "" {
		return id.Kind
	}
	return id.Group + "/" + id.Kind
}

func listed(patterns []string, none, prefix string) string {
	if len(patterns) == 0 {
		return none
	}
	return prefix + strings.Join(patterns, ", ")
}

func matchesKind(patterns []string, id ID) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		group, kind := splitKind(p)
		return Matches(group, id.Group) && Matches(kind, id.Kind)
	})
}

func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, text) })
}

// Matches tells whether a text is what a pattern describes; each * in it stands for any characters, or none.
func Matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
