package serverconfig

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-iac/mooring/internal/charts"
)

func parseCharts(t *testing.T, block string) (*Config, string) {
	t.Helper()
	cfg, _, diags := Parse(t.TempDir()+"/server.hcl", []byte("data_dir = \"data\"\n"+block), func(name string) (string, bool) {
		return "s3cret", name == "TOKEN"
	})
	return cfg, diags.Error()
}

func TestChartsBlock(t *testing.T) {
	cfg, said := parseCharts(t, `
charts {
  allow = ["oci://registry.example.com/charts/*", "https://charts.example.com/**"]
  credentials "registry.example.com" {
    username = "ada"
    token    = env("TOKEN")
  }
}
`)
	if cfg == nil {
		t.Fatal(said)
	}
	want := Charts{
		Allow:       []string{"oci://registry.example.com/charts/*", "https://charts.example.com/**"},
		Credentials: map[string]charts.Login{"registry.example.com": {Username: "ada", Password: "s3cret"}},
	}
	if diff := cmp.Diff(want, cfg.Charts); diff != "" {
		t.Error(diff)
	}
	for block, want := range map[string]string{
		`charts { allow = ["https://*/**"] }`:                                              "the host of",
		`charts { allow = ["http://charts.example.com/**"] }`:                              "loopback addresses alone",
		"charts {\n credentials \"a.example.com\" {\n username = \"ada\"\n }\n}":           "Half of the credentials",
		"charts {\n credentials \"a\" {\n username = \"ada\"\n token = \"literal\"\n }\n}": "Secret in the file",
	} {
		if cfg, said := parseCharts(t, block); cfg != nil || !strings.Contains(said, want) {
			t.Errorf("%s: %s; want %s", block, said, want)
		}
	}
}
