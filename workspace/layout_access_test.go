package workspace

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAccessOfManifests(t *testing.T) {
	g := scanArchive(t, `
-- mooring.hcl --
discover = false
manifests "tenants" {
  path              = "tenants/*"
  as                = "system:serviceaccount:${each.match[0]}:deployer"
  namespaces        = [each.match[0], "${each.match[0]}-*"]
  kinds             = ["apps/*", "ConfigMap", "v1/Secret", "*/Ingress"]
  require_namespace = true
}
manifests "free" {
  path          = "free"
  cluster_kinds = []
}
manifests "plain" { path = "plain" }
-- tenants/a/x.yaml --
-- free/x.yaml --
-- plain/x.yaml --
`)
	u := g.Unit("tenants/a")
	if u.As != "system:serviceaccount:a:deployer" || !u.RequireNamespace {
		t.Errorf("as %q, require_namespace %v", u.As, u.RequireNamespace)
	}
	if diff := cmp.Diff(&Limits{Namespaces: []string{"a", "a-*"}, Kinds: []string{"apps/*", "ConfigMap", "v1/Secret", "*/Ingress"}}, u.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&Limits{ClusterKinds: []string{}}, g.Unit("free").Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if l := g.Unit("plain").Limits; l != nil {
		t.Errorf("limits of a set that says none: %v", l)
	}
}

func TestBadAccessOfManifests(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"a user with a space", `as = "a b"`, `mooring.hcl:3 Bad user: "a b" is no user of a cluster`},
		{"an empty user", `as = ""`, `mooring.hcl:3 Bad user`},
		{"a user from an output", `as = workspace.a.outputs.x`, `mooring.hcl:3 Not known in time`},
		{"a namespace with capitals", `namespaces = ["Web"]`, `mooring.hcl:3 Bad namespaces: "Web" is no name of a namespace`},
		{"a kind with a version", `kinds = ["apps/v1/Deployment"]`, `mooring.hcl:3 Bad kinds: "apps/v1/Deployment" is no kind`},
		{"a kind in the plural", `kinds = ["deployments"]`, `mooring.hcl:3 Bad kinds`},
		{"no list", `cluster_kinds = "Namespace"`, `mooring.hcl:3 Wrong type: cluster_kinds must be a list of strings.`},
		{"two answers", "require_namespace = true\n  namespace = \"web\"", `mooring.hcl:3 Two answers`},
		{"an unknown cluster", `cluster = "prdo"`, `mooring.hcl:3 Unknown cluster: The server's configuration offers no cluster "prdo". Did you mean "prod"?`},
		{"another unknown cluster", `cluster = "staging"`, `mooring.hcl:3 Unknown cluster: The server's configuration offers no cluster "staging". It offers dev, prod.`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := configDiags(t, ScannerOptions{Clusters: []string{"dev", "prod"}}, "-- mooring.hcl --\nmanifests \"m\" {\n  path = \"k8s\"\n  "+tt.body+"\n}\n"+twoRoots)
			if !strings.HasPrefix(got, tt.want) || strings.Contains(got, "\n") {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestMatchPath(t *testing.T) {
	for _, tt := range []struct{ pattern, path, want string }{
		{"tenants/*", "tenants/a", "a"}, {"tenants/*", "tenants/a/b", "-"}, {"tenants/a", "tenants/a", ""}, {"tenants/a", "tenants/ab", "-"},
		{"a.c", "abc", "-"}, {"**", "x/y", "x/y"}, {"*/k8s/**", "t/k8s/x/y", "t,x/y"}, {"*/k8s/**", "t/k8s", "t,"},
	} {
		match, ok := MatchPath(tt.pattern, tt.path)
		got := strings.Join(match, ",")
		if !ok {
			got = "-"
		}
		if got != tt.want {
			t.Errorf("MatchPath(%q, %q) = %s, want %s", tt.pattern, tt.path, got, tt.want)
		}
		if n, err := CheckPattern(tt.pattern); err != nil || ok && n != len(match) {
			t.Errorf("CheckPattern(%q) = %d, %v; %d wildcards matched", tt.pattern, n, err, len(match))
		}
	}
}
