package serverconfig

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const kube = "repository \"infra\" {\n url = \"/u\"\n}\ncluster \"prod\" {\n in_cluster = true\n"

func TestAllowBlocks(t *testing.T) {
	src := "data_dir = \"d\"\n" + kube + `
 repositories      = ["infra"]
 require_namespace = true
 allow "tenants/*/k8s/**" {
   as         = "system:serviceaccount:${each.match[0]}:deployer"
   namespaces = [each.match[0], "${each.match[0]}-*"]
   kinds      = ["apps/*", "ConfigMap"]
 }
 allow "platform/**" {
   repositories  = ["infra"]
   namespaces    = ["*"]
   cluster_kinds = ["*"]
 }
}`
	c, files, diags := Parse(filepath.Join(t.TempDir(), "server.hcl"), []byte(src), os.LookupEnv)
	if c == nil {
		t.Fatal(printed(t, files, diags))
	}
	want := Cluster{
		Name: "prod", InCluster: true, Repositories: []string{"infra"}, RequireNamespace: true,
		Allow: []Allow{
			{Path: "tenants/*/k8s/**", As: []string{"system:serviceaccount:${0}:deployer"}, Namespaces: []string{"${0}", "${0}-*"}, Kinds: []string{"apps/*", "ConfigMap"}},
			{Path: "platform/**", Repositories: []string{"infra"}, Namespaces: []string{"*"}, Kinds: []string{"*"}, ClusterKinds: []string{"*"}},
		},
	}
	if diff := cmp.Diff(want, c.Clusters[0]); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
}

func TestMistakesInAllowBlocks(t *testing.T) {
	in := func(body string) string { return kube + body + "\n}" } // the body begins in line 7
	checkMistakes(t, noEnv, []mistake{
		{"no such repository", in(" repositories = [\"infar\"]"), []string{"7: Unknown value"}, `did you mean "infra"?`},
		{"no repository", in(" repositories = []"), []string{"7: No repository"}, "leave it out for all"},
		{"nothing is allowed", in(" allow \"a\" {}"), []string{"7: Nothing is allowed"}, "namespaces = [\"*\"]"},
		{"an empty list", in(" allow \"a\" {\n namespaces = []\n}"), []string{"8: Nothing is allowed"}, ""},
		{"no such wildcard", in(" allow \"a/*\" {\n namespaces = [each.match[1]]\n}"), []string{"8: No such wildcard"}, "counts from 0"},
		{"no wildcard at all", in(" allow \"a\" {\n as = each.match[0]\n namespaces = [\"x\"]\n}"), []string{"8: No such wildcard"}, ""},
		{"match without each", in(" allow \"a/*\" {\n namespaces = [\"${match[0]}\"]\n}"), []string{"8: Wrong value"}, "each.match[0]"},
		{"a function", in(" allow \"a/*\" {\n namespaces = [lower(each.match[0])]\n}"), []string{"8: Wrong value"}, ""},
		{"a number", in(" allow \"a/*\" {\n namespaces = [3]\n}"), []string{"8: Wrong value"}, ""},
		{"text that looks like a place", in(" allow \"a/*\" {\n namespaces = [\"$${0}\"]\n}"), []string{"8: Wrong value"}, "dollar"},
		{"a kind with a version", in(" allow \"a\" {\n namespaces = [\"*\"]\n kinds = [\"apps/v1/Deployment\"]\n}"), []string{"9: Bad kinds"}, `write "apps/Deployment"`},
		{"a namespace with capitals", in(" allow \"a\" {\n namespaces = [\"Web\"]\n}"), []string{"8: Bad namespaces"}, ""},
		{"a user with a space", in(" allow \"a\" {\n as = \"a b\"\n namespaces = [\"*\"]\n}"), []string{"8: Bad as"}, ""},
		{"a path that leaves", in(" allow \"../a\" {\n namespaces = [\"*\"]\n}"), []string{"7: Bad path"}, "outside the repository"},
		{"a path that is not clean", in(" allow \"a/\" {\n namespaces = [\"*\"]\n}"), []string{"7: Bad path"}, `is written "a"`},
		{"a key that is not", in(" allow \"a\" {\n namespace = [\"*\"]\n}"), []string{"7: Nothing is allowed", "8: Unsupported argument"}, `Did you mean "namespaces"?`},
	})
}
