package runner

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/k8s"
)

// asAdmin applies manifests to the cluster as its administrator.
func asAdmin(t *testing.T, kubeconfig, id, manifests string) {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "m.yaml"), []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	objects, err := k8s.Render(k8s.Source{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	c, err := k8s.Connect(k8s.ClusterConfig{Name: "admin", KubeconfigPath: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Apply(t.Context(), k8s.Set{ID: "test/" + id}, objects, k8s.Inventory{}, k8s.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
}

func tenantSetup(name string) string {
	return strings.ReplaceAll(`---
{apiVersion: v1, kind: Namespace, metadata: {name: NS}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: NS}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: deployer, namespace: NS}, rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: deployer, namespace: NS},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: deployer}, subjects: [{kind: ServiceAccount, name: deployer, namespace: NS}]}
`, "NS", name)
}

func inNamespace(name, namespace string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\n", name, namespace)
}

func TestTenantsOfOneCluster(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	asAdmin(t, cluster.Kubeconfig, "tenants", tenantSetup("ten-a")+tenantSetup("ten-b"))
	f := newFixture(t, map[string]string{
		"mooring.hcl":            "discover = false\nmanifests \"tenants\" {\n  path      = \"tenants/*\"\n  namespace = each.match[0]\n}\nmanifests \"other\" {\n  path = \"other\"\n}\n",
		"tenants/ten-a/a.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
		"tenants/ten-b/b.yaml":   inNamespace("b", "ten-b"),
		"tenants/ten-b/bad.yaml": inNamespace("stolen", "ten-a"),
		"other/c.yaml":           inNamespace("c", "default"),
	}, func(o *Options) {
		o.Clusters = []ClusterConfig{{Name: "test", Kubeconfig: cluster.Kubeconfig, Allow: []Rule{{
			Path: "tenants/*", As: []string{"system:serviceaccount:${0}:deployer"}, Namespaces: []string{"${0}"}, Kinds: []string{"*"},
		}}}}
	})
	run := f.expect("other failed, tenants/ten-a applied, tenants/ten-b failed")[0]
	if e := run.Unit("tenants/ten-b").Error; !strings.Contains(e, `tenants/ten-b/bad.yaml:1: v1 ConfigMap ten-a/stolen: not allowed: namespace ten-a: allow "tenants/*" of cluster test in the server's configuration allows ten-b`) {
		t.Errorf("ten-b: %s", e)
	}
	if e := run.Unit("other").Error; !strings.Contains(e, `mooring.hcl:6: no allow block of cluster test in the server's configuration covers other`) {
		t.Errorf("other: %s", e)
	}
	live := configMaps(t, cluster.Kubeconfig)
	if _, err := live.Get(t.Context(), "c", metav1.GetOptions{}); err == nil {
		t.Error("other was applied")
	}
	f.git.Remove("ten-b is good", "tenants/ten-b/bad.yaml")
	f.expect("other failed, tenants/ten-b applied")

	f.git.Write("another identity", map[string]string{"mooring.hcl": "discover = false\nmanifests \"tenants\" {\n  path = \"tenants/*\"\n  as   = \"system:serviceaccount:ten-a:deployer\"\n}\n"})
	run = f.sync()[0]
	if e := run.Unit("tenants/ten-b").Error; !strings.Contains(e, `mooring.hcl:2: as = "system:serviceaccount:ten-a:deployer" is not allowed`) {
		t.Errorf("ten-b as ten-a: %s", detail([]Run{run}))
	}
}

// A kubeconfig is read again when it changes; one that has expired is said before anything is sent.
func TestKubeconfigThatChanges(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	good, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	put := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(good)
	f := newFixture(t, map[string]string{"k8s/a.yaml": inNamespace("rotated", "default")}, func(o *Options) {
		o.Clusters = []ClusterConfig{{Name: "test", Kubeconfig: path}}
	})
	f.expect("k8s applied")

	config, err := clientcmd.Load(good)
	if err != nil {
		t.Fatal(err)
	}
	claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":"mooring","exp":%d}`, time.Now().Add(-time.Hour).Unix()))
	for _, user := range config.AuthInfos {
		user.ClientCertificateData, user.ClientKeyData, user.ClientCertificate, user.ClientKey, user.TokenFile = nil, nil, "", "", ""
		user.Token = "e30." + claims + ".topsecret"
	}
	expired, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	put(expired)
	f.git.Write("two", map[string]string{"k8s/a.yaml": inNamespace("rotated", "default") + "data: {v: two}\n"})
	run := f.expect("k8s failed")[0]
	if e := run.Unit("k8s").Error; !strings.Contains(e, "cluster test: the token of mooring in kubeconfig "+path+" expired on ") || strings.Contains(e, "topsecret") {
		t.Errorf("error: %s", e)
	}
	live := configMaps(t, cluster.Kubeconfig)
	if v := data(t, live, "rotated")["v"]; v != nil {
		t.Errorf("rotated has %v", v)
	}

	put(append(bytes.Clone(good), '\n'))
	f.expect("k8s applied")
	if v := data(t, live, "rotated")["v"]; v != "two" {
		t.Errorf("rotated has %v", v)
	}
}
