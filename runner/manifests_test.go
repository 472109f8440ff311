package runner

import (
	"context"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
)

func configMaps(t *testing.T, kubeconfig string) dynamic.ResourceInterface {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace("default")
}

func data(t *testing.T, c dynamic.ResourceInterface, name string) map[string]any {
	t.Helper()
	o, err := c.Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := o.Object["data"].(map[string]any)
	return d
}

func TestOutputsFlowIntoManifests(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	live := configMaps(t, cluster.Kubeconfig)
	configMap := func(name, value string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\ndata:\n  value: " + value + "\n"
	}
	f := newFixture(t, map[string]string{
		"mooring.hcl": "workspace \"db\" {\n  dir = \"db\"\n}\nmanifests \"flow\" {\n  path   = \"k8s\"\n  values = { host = workspace.db.outputs.out }\n}\n",
		"db/main.tf":  module(`"db-1"`),
		"k8s/a.yaml":  configMap("flow-a", "${host}"),
		"k8s/b.yaml":  configMap("flow-b", "fixed"),
		"k8s/c.yaml":  configMap("flow-c", "fixed"),
	}, func(o *Options) {
		o.Clusters = []ClusterConfig{{Name: "test", Kubeconfig: cluster.Kubeconfig}}
	})
	run := f.expect("db applied, flow applied")[0]
	if u := run.Unit("flow"); u.Created != 3 || len(u.Objects) != 3 {
		t.Errorf("flow created %d, has %d objects", u.Created, len(u.Objects))
	}
	if got := data(t, live, "flow-a")["value"]; got != "db-1" {
		t.Errorf("flow-a has %v", got)
	}
	f.git.Write("another database", map[string]string{"db/main.tf": module(`"db-2"`)})
	run = f.expect("db applied, flow applied")[0]
	if u := run.Unit("flow"); u.Configured != 1 || u.Same != 2 {
		t.Errorf("flow: %d configured, %d unchanged; want 1 and 2", u.Configured, u.Same)
	}
	if got := data(t, live, "flow-a")["value"]; got != "db-2" {
		t.Errorf("flow-a has %v after the commit", got)
	}
	f.git.Revert("back")
	f.expect("db applied, flow applied")
	if got := data(t, live, "flow-a")["value"]; got != "db-1" {
		t.Errorf("flow-a has %v after the revert", got)
	}

	f.git.Remove("away with c", "k8s/c.yaml")
	run = f.expect("flow applied")[0]
	if u := run.Unit("flow"); u.Pruned != 1 {
		t.Errorf("pruned %d, want 1", u.Pruned)
	}
	if _, err := live.Get(t.Context(), "flow-c", metav1.GetOptions{}); err == nil {
		t.Error("flow-c is still there")
	}

	// The whole set goes only when a person says so.
	f.git.Commit("away with the manifests", githttp.Change{Remove: []string{"k8s"}, Write: map[string]string{"mooring.hcl": "workspace \"db\" {\n  dir = \"db\"\n}\n"}})
	run = f.expect("flow held")[0]
	if got := data(t, live, "flow-b")["value"]; got != "fixed" {
		t.Errorf("flow-b changed while its end waits: %v", got)
	}
	f.approve(run.ID)
	f.expect("flow applied")
	if _, err := live.Get(t.Context(), "flow-b", metav1.GetOptions{}); err == nil {
		t.Error("flow-b is still there")
	}
	f.expect("")
}

func TestManifestsWithoutAClusterStopTheCommit(t *testing.T) {
	f := newFixture(t, map[string]string{
		"a/main.tf":  module(`"a"`),
		"k8s/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n",
	})
	runs := f.sync()
	if len(runs) != 1 || runs[0].Status != Failed || !strings.Contains(runs[0].Error, "no cluster is configured for k8s") {
		t.Fatalf("runs: %s", detail(runs))
	}
	if len(runs[0].Units) != 0 {
		t.Errorf("units were taken: %s", summary(runs))
	}
}

func TestClusterThatAWorkspaceMade(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	live := configMaps(t, cluster.Kubeconfig)
	kubeconfig, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"mooring.hcl":        "workspace \"cluster\" {\n  dir = \"cluster\"\n}\nmanifests \"made\" {\n  path       = \"apps\"\n  kubeconfig = workspace.cluster.outputs.kubeconfig\n}\n",
		"cluster/main.tf":    "output \"kubeconfig\" {\n  value     = file(\"${path.module}/kubeconfig\")\n  sensitive = true\n}\n",
		"cluster/kubeconfig": string(kubeconfig),
		"apps/a.yaml":        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made-a\ndata:\n  v: one\n",
	}
	f := newFixture(t, files)
	f.expect("cluster applied, made applied")
	// A preview asks the cluster of the output, too, and no other: there is none that could answer instead.
	if u := f.preview(files, "made").Run.Unit("made"); u.Status != Unchanged || len(u.Objects) != 1 || u.Objects[0].Action != "unchanged" {
		t.Errorf("preview: %+v", u)
	}
	if got := data(t, live, "made-a")["v"]; got != "one" {
		t.Errorf("made-a has %v", got)
	}
	f.git.Write("two", map[string]string{"apps/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: made-a\ndata:\n  v: two\n"})
	f.expect("made applied")
	f.git.Write("a program instead of a credential", map[string]string{"cluster/kubeconfig": `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [/tmp/never]}}}]
current-context: c
`})
	runs := f.expect("cluster applied, made failed")
	if e := runs[0].Unit("made").Error; !strings.Contains(e, "runs a program for its credentials, which is refused") {
		t.Errorf("made failed because %q", e)
	}
}
