package runner

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/k8s"
	"github.com/mooring-iac/mooring/workspace"
)

func TestGrant(t *testing.T) {
	prod := ClusterConfig{Name: "prod", Repositories: []string{"infra", "shop"}, Allow: []Rule{
		{Path: "tenants/vip", Repositories: []string{"infra"}, Namespaces: []string{"vip"}, Kinds: []string{"*"}},
		{Path: "tenants/*", As: []string{"system:serviceaccount:${0}:deployer"}, Namespaces: []string{"${0}", "${0}-*"}, Kinds: []string{"apps/*"}},
		{Path: "teams/*/k8s", As: []string{"system:serviceaccount:team-*:deployer", "ci"}, Namespaces: []string{"*"}},
		{Path: "platform/**", Namespaces: []string{"*"}, Kinds: []string{"*"}, ClusterKinds: []string{"*"}},
		{Path: "own/**", As: []string{"${0}"}, Namespaces: []string{"*"}},
	}}
	open := ClusterConfig{Name: "dev"}
	for _, tt := range []struct {
		name       string
		cluster    ClusterConfig
		repository string
		path, as   string
		want       string // "user namespaces kinds cluster kinds"
		fails      string
	}{
		{name: "no rules", cluster: open, path: "k8s", want: " "},
		{name: "no rules, nobody to act as", cluster: open, path: "k8s", as: "admin", fails: `mooring.hcl:3: as = "admin" is not allowed: the server's configuration has no allow block with as for cluster dev`},
		{name: "the user that the path tells", cluster: prod, path: "tenants/a", want: "system:serviceaccount:a:deployer [a a-*] [apps/*] []"},
		{name: "the same, said", cluster: prod, path: "tenants/a", as: "system:serviceaccount:a:deployer", want: "system:serviceaccount:a:deployer [a a-*] [apps/*] []"},
		{name: "another tenant's user", cluster: prod, path: "tenants/a", as: "system:serviceaccount:b:deployer", fails: `as = "system:serviceaccount:b:deployer" is not allowed: allow "tenants/*" of cluster prod in the server's configuration allows system:serviceaccount:a:deployer`},
		{name: "the first rule counts", cluster: prod, repository: "infra", path: "tenants/vip", want: " [vip] [*] []"},
		{name: "a rule of another repository", cluster: prod, repository: "shop", path: "tenants/vip", want: "system:serviceaccount:vip:deployer [vip vip-*] [apps/*] []"},
		{name: "one of several users", cluster: prod, path: "teams/x/k8s", as: "ci", want: "ci [*] [] []"},
		{name: "a user by pattern", cluster: prod, path: "teams/x/k8s", as: "system:serviceaccount:team-x:deployer", want: "system:serviceaccount:team-x:deployer [*] [] []"},
		{name: "a wildcard stops at a colon", cluster: prod, path: "teams/x/k8s", as: "system:serviceaccount:team-x:evil:deployer", fails: "is not allowed"},
		{name: "nobody is said", cluster: prod, path: "teams/x/k8s", fails: `the set must say whom it acts as: allow "teams/*/k8s" of cluster prod in the server's configuration wants as to be system:serviceaccount:team-*:deployer or ci`},
		{name: "own credentials only", cluster: prod, path: "platform/base/x", want: " [*] [*] [*]"},
		{name: "own credentials only, another wanted", cluster: prod, path: "platform/base", as: "ci", fails: "has no as"},
		{name: "covered by none", cluster: prod, path: "k8s", fails: `mooring.hcl:3: no allow block of cluster prod in the server's configuration covers k8s; there are "tenants/vip", "tenants/*"`},
		{name: "a directory that would be a pattern", cluster: prod, path: "tenants/*", fails: `the part "*" of the path is no part of a name in a cluster`},
		{name: "a directory that would be another user", cluster: prod, path: "own/system:admin", fails: `the part "system:admin" of the path`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := tt.cluster.grant(tt.repository, &workspace.Unit{ID: "u", Path: tt.path, As: tt.as, File: "mooring.hcl", Line: 3})
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || !errors.As(err, new(*k8s.SourceError)) {
					t.Errorf("error = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := g.as + " "
			for _, a := range g.allow {
				got += fmt.Sprint(a.Namespaces, a.Kinds, a.ClusterKinds)
			}
			if strings.ReplaceAll(got, "][", "] [") != tt.want {
				t.Errorf("grant = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClustersAreOfferedToRepositories(t *testing.T) {
	offered := []ClusterConfig{{Name: "prod", Repositories: []string{"infra"}, Default: true}, {Name: "dev"}}
	c, err := newClusters(Options{Clusters: offered})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.names("infra"), c.names("shop"), c.names("")); got != "[dev prod] [dev] [dev prod]" {
		t.Errorf("names: %s", got)
	}
	// The default cluster is one, too.
	err = CheckCluster(offered, "shop", &workspace.Unit{ID: "k8s", Path: "k8s"})
	if err == nil || err.Error() != `cluster "prod" is not for repository shop: the server's configuration offers it to infra` {
		t.Errorf("error = %v", err)
	}
	if err := CheckCluster(offered, "infra", &workspace.Unit{ID: "k8s", Path: "k8s"}); err != nil {
		t.Error(err)
	}
}
