package workspace

import (
	"context"
	"errors"
	"strings"
	"testing"
)

const chartRepository = `
-- charts/web/Chart.yaml --
name: web
-- charts/web/prod.yaml --
replicas: 3
-- charts/web/templates/x.yaml --
a: {{ not YAML }}
-- shared/values.yaml --
a: 1
-- plain/x.yaml --
x: 1
`

func TestChartSettings(t *testing.T) {
	g := scanArchive(t, `
-- mooring.hcl --
manifests "web" {
  path         = "charts/web"
  release      = "front"
  values_files = ["prod.yaml", "../../shared/values.yaml"]
  kube_version = "1.34"
  api_versions = ["monitoring.coreos.com/v1"]
  ignore_hooks = ["pre-delete"]
}
manifests "plain" { path = "plain" }
`+chartRepository)
	c := g.Unit("web").Chart
	if c.Release != "front" || join(c.ValuesFiles) != "charts/web/prod.yaml shared/values.yaml" || c.KubeVersion != "1.34" ||
		join(c.APIVersions) != "monitoring.coreos.com/v1" || join(c.IgnoreHooks) != "pre-delete" {
		t.Errorf("chart is %+v", c)
	}
	for _, changed := range []string{"charts/web/templates/x.yaml", "shared/values.yaml"} {
		if got := join(g.Affected([]string{changed}, g)); got != "web" {
			t.Errorf("%s affects %q", changed, got)
		}
	}
}

func TestChartSettingsThatAreWrong(t *testing.T) {
	for _, tt := range []struct{ path, setting, want string }{
		{"plain", `release = "x"`, "mooring.hcl:3: Not a chart: release is for a Helm chart, and plain holds no Chart.yaml."},
		{"charts/web", `release = "Not A Name"`, "Bad release"},
		{"charts/web", `values_files = ["none.yaml"]`, "There is no file charts/web/none.yaml in the repository"},
		{"charts/web", `values_files = ["../../../etc/passwd"]`, "lies outside the repository"},
		{"charts/web", `kube_version = "latest"`, "is no version of Kubernetes"},
		{"charts/web", `ignore_hooks = ["pre-delte"]`, `Did you mean "pre-delete"?`},
	} {
		_, err := NewScanner(ScannerOptions{}).Scan(context.Background(), treeOf("-- mooring.hcl --\nmanifests \"m\" {\n  path = \""+tt.path+"\"\n  "+tt.setting+"\n}\n"+chartRepository))
		var broken *ConfigError
		if !errors.As(err, &broken) || len(broken.Diags) != 1 || !strings.Contains(broken.Error(), tt.want) {
			t.Errorf("%s: %v", tt.setting, err)
		}
	}
}
