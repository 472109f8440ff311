package runner

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// diffs is a unit's objects as a person would read them.
func diffs(u *UnitResult) string {
	var b strings.Builder
	for _, o := range u.Objects {
		if o.Action == "unchanged" {
			continue
		}
		b.WriteString(o.Action + " " + o.Ref + "\n")
		if o.Diff != nil {
			b.WriteString(o.Diff.Text)
		}
	}
	return b.String()
}

func TestPreviewComparesManifestsWithTheirCluster(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	configMap := func(name, value string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\ndata:\n  value: " + value + "\n"
	}
	files := map[string]string{
		"mooring.hcl":     "workspace \"db\" {\n  dir = \"db\"\n}\nmanifests \"seen\" {\n  path   = \"k8s\"\n  values = { host = workspace.db.outputs.out, password = workspace.db.outputs.password }\n}\n",
		"db/main.tf":      "output \"out\" {\n  value = \"db-1\"\n}\noutput \"password\" {\n  value = \"hush-hush-1\"\n  sensitive = true\n}\n",
		"k8s/a.yaml":      configMap("seen-a", "${host}"),
		"k8s/b.yaml":      configMap("seen-b", "fixed"),
		"k8s/c.yaml":      configMap("seen-c", "fixed"),
		"k8s/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata:\n  name: seen-login\nstringData:\n  password: ${password}\n",
	}
	clusters := []ClusterConfig{{Name: "test", Kubeconfig: cluster.Kubeconfig}}
	f := newFixture(t, files, func(o *Options) { o.Clusters = clusters })
	named := func(o *PreviewOptions) { o.Clusters, o.Repository = clusters, "infra" }
	f.expect("db applied, seen applied")
	if p := f.previewWith(files, named); summary([]Run{p.Run}) != "db unchanged, seen unchanged" {
		t.Fatalf("a copy of what is applied: %s\n%s", summary([]Run{p.Run}), diffs(p.Run.Unit("seen")))
	}

	// An output that the plan knows, an object gone, and one new.
	files["db/main.tf"] = strings.NewReplacer("db-1", "db-2", "hush-hush-1", "hush-hush-2").Replace(files["db/main.tf"])
	delete(files, "k8s/c.yaml")
	files["k8s/d.yaml"] = configMap("seen-d", "new")
	p := f.previewWith(files, named)
	const want = `pruned v1 ConfigMap default/seen-c
configured v1 ConfigMap default/seen-a
@@ data @@
   name: seen-a
   namespace: default
 data:
-  value: db-1
+  value: db-2
created v1 ConfigMap default/seen-d
+apiVersion: v1
+kind: ConfigMap
+metadata:
+  name: seen-d
+  namespace: default
+data:
+  value: new
configured v1 Secret default/seen-login
@@ data @@
   name: seen-login
   namespace: default
 data:
-  password: (hidden, old value)
+  password: (hidden, new value)
 type: Opaque
`
	if got := diffs(p.Run.Unit("seen")); got != want {
		t.Errorf("the preview says\n%s\nwant\n%s", got, want)
	}
	if data, err := json.Marshal(p.Run); err != nil || strings.Contains(string(data), "hush") {
		t.Errorf("a secret shows (%v) in %s", err, data)
	}

	// Without the server's name for the repository nothing is known to be pruned, and nothing else differs.
	p = f.previewWith(files, func(o *PreviewOptions) { o.Kubeconfig = cluster.Kubeconfig })
	if u := p.Run.Unit("seen"); u.Pruned != 0 || u.Configured != 2 || u.Created != 1 || u.Same != 1 || !strings.Contains(strings.Join(u.Notes, ""), "what would be pruned is not known") {
		t.Errorf("nameless: %d pruned, %d configured, %d created, %d unchanged, notes %v", u.Pruned, u.Configured, u.Created, u.Same, u.Notes)
	}

	// A value that only the apply will tell.
	files["db/main.tf"] = "resource \"terraform_data\" \"db\" {}\noutput \"out\" {\n  value = \"db-${terraform_data.db.id}\"\n}\noutput \"password\" {\n  value = \"hush-hush-1\"\n  sensitive = true\n}\n"
	p = f.previewWith(files, named)
	if got := diffs(p.Run.Unit("seen")); !strings.Contains(got, "-  value: db-1\n+  value: (known after apply)\n") || strings.Contains(got, "seen-login") {
		t.Errorf("with a value that is not known: %s\n%s", detail([]Run{p.Run}), got)
	}

	// No cluster at all: one line says what could not be seen.
	p = f.previewWith(files, func(*PreviewOptions) {})
	if u := p.Run.Unit("seen"); len(u.Notes) != 1 || !strings.Contains(u.Notes[0], "no cluster is configured") {
		t.Errorf("without a cluster: %v", u.Notes)
	}
	f.noLocks()
}

func TestHeldManifestsShowTheirDiff(t *testing.T) {
	cluster := parts.ClusterForTest(t)
	configMap := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: heldmap\ndata:\n  value: one\n"
	f := newFixture(t, map[string]string{"k8s/a.yaml": configMap}, func(o *Options) {
		o.Clusters = []ClusterConfig{{Name: "test", Kubeconfig: cluster.Kubeconfig}}
		o.Repositories[0].AutoApply = "never"
	})
	run := f.expect("k8s held")[0]
	kept, err := f.r.Show(run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := diffs(kept.Unit("k8s")); !strings.Contains(got, "created v1 ConfigMap default/heldmap\n+apiVersion: v1\n") {
		t.Errorf("what is kept of the held run:\n%s", got)
	}
}
