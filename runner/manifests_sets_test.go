package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/mooring-iac/mooring/e2e/githttp"
	"github.com/mooring-iac/mooring/e2e/parts"
	"github.com/mooring-iac/mooring/k8s"
)

// withCluster has the fixture's server offer the real cluster.
func withCluster(t *testing.T) (func(*Options), dynamic.ResourceInterface) {
	t.Helper()
	cluster := parts.ClusterForTest(t)
	return func(o *Options) { o.Clusters = []ClusterConfig{{Name: "test", Kubeconfig: cluster.Kubeconfig}} }, configMaps(t, cluster.Kubeconfig)
}

func configMapText(name, value string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\ndata:\n  value: \"" + value + "\"\n"
}

func uid(t *testing.T, c dynamic.ResourceInterface, name string) types.UID {
	t.Helper()
	o, err := c.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o.GetUID()
}

func sets(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "manifests %q {\n  path = %q\n}\n", n, n)
	}
	return b.String()
}

// An object that moves from one set to another, and a set that gets another name, keep what runs.
func TestObjectsThatMoveBetweenSetsStay(t *testing.T) {
	cluster, live := withCluster(t)
	f := newFixture(t, map[string]string{
		"mooring.hcl":   sets("mv-a", "mv-b"),
		"mv-a/own.yaml": configMapText("mv-own", "1"), "mv-a/x.yaml": configMapText("mv-x", "1"), "mv-b/own.yaml": configMapText("mv-other", "1"),
	}, cluster)
	f.expect("mv-a applied, mv-b applied")
	x, own := uid(t, live, "mv-x"), uid(t, live, "mv-own")

	f.git.Commit("x moves", githttp.Change{Remove: []string{"mv-a/x.yaml"}, Write: map[string]string{"mv-b/x.yaml": configMapText("mv-x", "1")}})
	f.expect("mv-a unchanged, mv-b applied")
	if uid(t, live, "mv-x") != x {
		t.Error("an object that moved to another set was made anew")
	}
	f.expect("")

	f.git.Commit("a is called c", githttp.Change{Remove: []string{"mv-a"}, Write: map[string]string{
		"mooring.hcl": sets("mv-b", "mv-c"), "mv-c/own.yaml": configMapText("mv-own", "1")}})
	f.expect("mv-c applied, mv-a unchanged")
	if uid(t, live, "mv-own") != own {
		t.Error("an object of a set with a new name was made anew")
	}
	f.expect("")

	f.git.Write("two sets want x", map[string]string{"mv-c/x.yaml": configMapText("mv-x", "2")})
	runs := f.expect("mv-c failed")
	if e := runs[0].Unit("mv-c").Error; !strings.Contains(e, "mv-c/x.yaml:1") || !strings.Contains(e, "the set mv-b holds the same object") {
		t.Errorf("two sets that want the same: %q", e)
	}
	if got := data(t, live, "mv-x")["value"]; got != "1" {
		t.Errorf("mv-x has %v", got)
	}
}

// A commit that takes most of a set away waits, and takes nothing before a person says so.
func TestLargePrunesWait(t *testing.T) {
	cluster, live := withCluster(t)
	files := map[string]string{"mooring.hcl": sets("lp"), "lp/stay.yaml": configMapText("lp-stay", "1")}
	var go11 []string
	for i := range 11 {
		name := fmt.Sprintf("lp/%d.yaml", i)
		files[name] = configMapText(fmt.Sprintf("lp-%d", i), "1")
		go11 = append(go11, name)
	}
	f := newFixture(t, files, cluster)
	f.expect("lp applied")
	f.git.Commit("most of it goes", githttp.Change{Remove: go11, Write: map[string]string{"lp/stay.yaml": configMapText("lp-stay", "2")}})
	run := f.expect("lp held")[0]
	if why := run.Unit("lp").Reason; !strings.Contains(why, "11 of the set's 12 objects would be pruned") {
		t.Errorf("held because %q", why)
	}
	if data(t, live, "lp-stay")["value"] != "2" || data(t, live, "lp-3")["value"] != "1" {
		t.Error("what needs nobody's word was not applied, or what does was pruned")
	}
	f.approve(run.ID)
	f.expect("lp applied")
	if _, err := live.Get(t.Context(), "lp-3", metav1.GetOptions{}); err == nil {
		t.Error("lp-3 is still there")
	}
	f.expect("")
}

// A set whose cluster has become another one says so before it makes everything a second time.
func TestSetOfAnotherClusterWaits(t *testing.T) {
	cluster, live := withCluster(t)
	f := newFixture(t, map[string]string{"mooring.hcl": sets("rt"), "rt/a.yaml": configMapText("rt-a", "1")}, cluster)
	f.expect("rt applied")
	err := f.r.journal.update(func(tx *bbolt.Tx) error {
		m, err := getMemory(tx, "infra", "rt")
		if err != nil {
			return err
		}
		var inv k8s.Inventory
		if err := json.Unmarshal(m.Inventory, &inv); err != nil {
			return err
		}
		inv.Cluster = "a-cluster-of-before"
		if m.Inventory, err = json.Marshal(inv); err != nil {
			return err
		}
		return putMemory(tx, m)
	})
	if err != nil {
		t.Fatal(err)
	}
	f.git.Write("two", map[string]string{"rt/a.yaml": configMapText("rt-a", "2")})
	run := f.expect("rt held")[0]
	if why := run.Unit("rt").Reason; !strings.Contains(why, "it holds 1 objects in the cluster a-cluster-of-before") {
		t.Errorf("held because %q", why)
	}
	if data(t, live, "rt-a")["value"] != "1" {
		t.Error("a held set was applied")
	}
	f.approve(run.ID)
	run = f.expect("rt applied")[0]
	if notes := strings.Join(run.Unit("rt").Notes, "\n"); !strings.Contains(notes, "left behind: v1 ConfigMap default/rt-a") {
		t.Errorf("notes: %s", notes)
	}
}

// A set that does not get healthy goes back to what was, if that is what its block says.
func TestRollback(t *testing.T) {
	cluster, live := withCluster(t)
	pod := func(image string) string {
		return "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: rb-pod\n  annotations: {mooring.dev/recreate: enabled}\nspec:\n  nodeSelector: {no.such: " + image + "}\n  containers: [{name: c, image: c}]\n"
	}
	config := "manifests \"rb\" {\n  path       = \"rb\"\n  timeout    = \"2s\"\n  on_failure = \"rollback\"\n}\n"
	f := newFixture(t, map[string]string{"mooring.hcl": config, "rb/a.yaml": configMapText("rb-a", "1")}, cluster)
	f.expect("rb applied")
	f.git.Write("a Pod that fits on no node", map[string]string{"rb/a.yaml": configMapText("rb-a", "2") + pod("node")})
	run := f.expect("rb failed")[0]
	u := run.Unit("rb")
	if !strings.Contains(u.Error, "not healthy") || !strings.Contains(u.Error, "rolled back to ") || !strings.Contains(strings.Join(u.Notes, " "), "where it was healthy, and it is so again") {
		t.Errorf("error %q, notes %q", u.Error, u.Notes)
	}
	if got := data(t, live, "rb-a")["value"]; got != "1" {
		t.Errorf("rb-a has %v after the rollback", got)
	}
	f.expect("rb failed") // not taken again: it only says how it stands
	if got := data(t, live, "rb-a")["value"]; got != "1" {
		t.Errorf("rb-a has %v: the commit that failed was taken again", got)
	}
	f.git.Write("mended", map[string]string{"rb/a.yaml": configMapText("rb-a", "3")})
	f.expect("rb applied")
}

// A commit that sends the set to another namespace, and is unhealthy there, takes nothing away from where it was.
func TestRollbackGoesBackToItsNamespace(t *testing.T) {
	cluster, live := withCluster(t)
	config := "manifests \"rbn\" {\n  path       = \"rbn\"\n  timeout    = \"2s\"\n  on_failure = \"rollback\"\n"
	f := newFixture(t, map[string]string{"mooring.hcl": config + "}\n", "rbn/a.yaml": configMapText("rbn-a", "1")}, cluster)
	f.expect("rbn applied")
	before := uid(t, live, "rbn-a")
	pod := "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: rbn-pod\nspec:\n  nodeSelector: {no.such: node}\n  containers: [{name: c, image: c}]\n"
	f.git.Write("elsewhere, with a Pod that fits on no node", map[string]string{
		"mooring.hcl": config + "  namespace  = \"kube-public\"\n}\n", "rbn/a.yaml": configMapText("rbn-a", "2") + pod})
	u := f.expect("rbn failed")[0].Unit("rbn")
	if !strings.Contains(u.Error, "rolled back to ") || uid(t, live, "rbn-a") != before {
		t.Errorf("error %q, notes %q", u.Error, u.Notes)
	}
}

// The data directory is lost: what the set holds is found again, and what it no longer holds is left alone until
// a person says of it that it may go.
func TestInventoryIsFoundAgain(t *testing.T) {
	cluster, live := withCluster(t)
	f := newFixture(t, map[string]string{"mooring.hcl": sets("lost"), "lost/a.yaml": configMapText("lost-a", "1"), "lost/b.yaml": configMapText("lost-b", "1")}, cluster)
	f.expect("lost applied")
	a := uid(t, live, "lost-a")
	if err := f.r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(f.opts.DataDir); err != nil {
		t.Fatal(err)
	}
	f.git.Remove("b goes, while nobody remembers it", "lost/b.yaml")
	f.open()
	run := f.expect("lost unchanged")[0]
	if u := run.Unit("lost"); u.Pruned != 0 || uid(t, live, "lost-a") != a || !strings.Contains(detail([]Run{run}), "another Mooring may have") {
		t.Errorf("pruned %d:\n%s", u.Pruned, detail([]Run{run}))
	}
	if _, err := live.Patch(t.Context(), "lost-b", types.MergePatchType, []byte(`{"metadata":{"annotations":{"mooring.dev/prune":"enabled"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	f.git.Write("touch", map[string]string{"lost/a.yaml": configMapText("lost-a", "2")})
	run = f.expect("lost applied")[0]
	if u := run.Unit("lost"); u.Pruned != 1 || uid(t, live, "lost-a") != a {
		t.Errorf("pruned %d", u.Pruned)
	}
}
