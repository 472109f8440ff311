package workspace

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var (
	namespacePattern = regexp.MustCompile(`^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$`)
	kindPattern      = regexp.MustCompile(`^(\*|(\*|v1|[a-z0-9*]([-.a-z0-9*]*[a-z0-9*])?)/(\*|[A-Z][A-Za-z0-9]*\*?)|[A-Z][A-Za-z0-9]*\*?)$`)
	userName         = regexp.MustCompile(`^[!-~]{1,253}$`)
)

// access takes what a manifests block says of who its set acts as and what it may touch.
func (l *layout) access(u *Unit, take func(string, func(*hcl.Attribute) hcl.Diagnostics)) {
	take("as", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.As, diags = stringValue(attr, u.match)
		if !diags.HasErrors() && !userName.MatchString(u.As) {
			diags = append(diags, fault(attr.Expr.Range(), "Bad user", fmt.Sprintf("%q is no user of a cluster; a service account is \"system:serviceaccount:NAMESPACE:NAME\".", u.As)))
		}
		return diags
	})
	take("require_namespace", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.RequireNamespace, diags = boolValue(attr, u.match)
		if u.RequireNamespace && u.Namespace != "" {
			diags = append(diags, fault(attr.NameRange, "Two answers", "namespace is for objects that name none, and require_namespace forbids those: say one of the two."))
		}
		return diags
	})
	var said Limits
	any := false
	for _, limit := range []struct {
		name    string
		into    *[]string
		pattern *regexp.Regexp
		remedy  string
	}{
		{"namespaces", &said.Namespaces, namespacePattern, "is no name of a namespace, nor a pattern of some (\"web-*\")."},
		{"kinds", &said.Kinds, kindPattern, kindRemedy},
		{"cluster_kinds", &said.ClusterKinds, kindPattern, kindRemedy},
	} {
		take(limit.name, func(attr *hcl.Attribute) hcl.Diagnostics {
			any = true
			list, diags := stringsValue(attr, u.match)
			for _, text := range list {
				if !limit.pattern.MatchString(text) {
					diags = append(diags, fault(attr.Expr.Range(), "Bad "+limit.name, fmt.Sprintf("%q %s", text, limit.remedy)))
				}
			}
			*limit.into = append([]string{}, list...) // one that is empty was said
			return diags
		})
	}
	if any {
		u.Limits = &said
	}
}

const kindRemedy = `is no kind: write "apps/Deployment", "apps/*", "ConfigMap" for one of the core group, or "*". Versions do not count.`

// unknownCluster is the detail for a name that the server does not offer.
func unknownCluster(name string, offered []string) string {
	text := fmt.Sprintf("The server's configuration offers no cluster %q.", name)
	suggested := didYouMean(name, offered)
	switch {
	case suggested != "":
		return text + suggested
	case len(offered) == 0:
		return text + " It offers none: add a cluster block to it."
	}
	return text + " It offers " + strings.Join(offered, ", ") + "."
}
