package workspace

import (
	"fmt"
	"path"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// chartFile makes a directory a Helm chart.
const chartFile = "Chart.yaml"

var (
	releaseName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?$`)
	kubeVersion = regexp.MustCompile(`^v?1\.[0-9]+(\.[0-9]+)?$`)
)

// helmHooks are the ones that a chart may have.
var helmHooks = []string{
	"pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-delete", "post-delete",
	"pre-rollback", "post-rollback", "crd-install", "test",
}

// chart takes the attributes of a manifests block that are for a Helm chart.
func (l *layout) chart(b *block, u *Unit, match []string) {
	_, _, isDir, exists := l.scan.ix.lookup(path.Join(u.Path, chartFile))
	isChart := exists && !isDir || b.chart != nil
	l.remoteChart(b, u, match)
	take := func(name string, set func(attr *hcl.Attribute) hcl.Diagnostics) {
		attr := b.attrs[name]
		switch {
		case attr == nil:
		case !isChart:
			l.add(fault(attr.NameRange, "Not a chart", fmt.Sprintf("%s is for a Helm chart, and %s holds no %s.", name, u.Path, chartFile)))
		default:
			l.add(set(attr)...)
		}
	}
	take("release", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Chart.Release, diags = stringValue(attr, match)
		if !diags.HasErrors() && !releaseName.MatchString(u.Chart.Release) {
			diags = append(diags, fault(attr.Expr.Range(), "Bad release", fmt.Sprintf("%q is no name of a release: at most 53 lower-case letters, digits, - and dots.", u.Chart.Release)))
		}
		return diags
	})
	take("values_files", func(attr *hcl.Attribute) hcl.Diagnostics {
		u.Chart.ValuesFiles = l.paths(attr, u.Path, match, "values file", func(string) {})
		return nil
	})
	take("kube_version", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Chart.KubeVersion, diags = stringValue(attr, match)
		if !diags.HasErrors() && !kubeVersion.MatchString(u.Chart.KubeVersion) {
			diags = append(diags, fault(attr.Expr.Range(), "Bad version", fmt.Sprintf("%q is no version of Kubernetes such as \"1.34\".", u.Chart.KubeVersion)))
		}
		return diags
	})
	take("api_versions", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Chart.APIVersions, diags = stringsValue(attr, match)
		return diags
	})
	take("ignore_hooks", func(attr *hcl.Attribute) (diags hcl.Diagnostics) {
		u.Chart.IgnoreHooks, diags = stringsValue(attr, match)
		for _, h := range u.Chart.IgnoreHooks {
			if !slices.Contains(helmHooks, h) {
				diags = append(diags, fault(attr.Expr.Range(), "Unknown hook", fmt.Sprintf("Helm has no hook %q.%s", h, didYouMean(h, helmHooks))))
			}
		}
		return diags
	})
}
