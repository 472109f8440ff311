package k8s

import (
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// TestRealManifests takes manifests of other projects (see testdata/real) through a set's whole life: made from
// nothing, left alone when nothing has changed, removed without a trace. They define kinds and admission for the whole
// cluster, so they have one of their own.
func TestRealManifests(t *testing.T) {
	t.Parallel()
	running := parts.OwnClusterForTest(t, parts.ClusterOptions{})
	for _, tt := range []struct{ name, path string }{
		{"gateway-api", "gateway-api"},
		{"jobset", "jobset/config/default"},
		{"prometheus-operator", "prometheus-operator/example"},
		{"source-controller", "source-controller/config/default"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := rigOn(t, running)
			r.set.Timeout = time.Minute
			r.set.Key = []byte("a key, so that unchanged Secrets are known as such")
			src := Source{Root: "testdata/real", Path: tt.path, Exclude: []string{"gateway-api/experimental"}}
			first := r.mustApplySource(src)
			if first.Created != len(first.Objects) {
				t.Errorf("from nothing: %d created of %d\n%s", first.Created, len(first.Objects), summary(first))
			}
			r.mustNotWrite(src)
			if tt.name == "gateway-api" {
				src = r.upgradeGatewayAPI(src)
			}
			r.removeAll(src)
		})
	}
}

// upgradeGatewayAPI moves a kind to the experimental channel and back: more fields, and one kind more.
func (r *rig) upgradeGatewayAPI(src Source) Source {
	r.Helper()
	up := src
	up.Exclude = []string{"gateway-api/standard/gateway.networking.k8s.io_gateways.yaml"}
	if result := r.mustApplySource(up); result.Configured != 1 || result.Created != 1 {
		r.Errorf("to the experimental channel: %s", summary(result))
	}
	r.mustNotWrite(up)
	result := r.mustApplySource(src)
	if got := actions(result); result.Configured != 1 || got["tcproutes.gateway.networking.k8s.io"] != Skipped {
		r.Errorf("back to the standard channel: %s", summary(result))
	}
	return up
}

// An API service that nobody serves does not become healthy and is said to be why; its dead group hinders neither the
// next apply nor the removal.
func TestCase27DeadAPIService(t *testing.T) {
	t.Parallel()
	r := rigOn(t, parts.OwnClusterForTest(t, parts.ClusterOptions{}))
	r.set.Timeout = 10 * time.Second
	src := Source{Root: "testdata/real", Path: "metrics-server/manifests/overlays/release"}
	result, err := r.applySource(src)
	if !errors.Is(err, ErrUnhealthy) || !strings.Contains(err.Error(), "APIService v1beta1.metrics.k8s.io: not healthy after 10s: InProgress: ") ||
		result.Created != len(result.Objects) || len(objectErrorsIn(err)) != 1 {
		t.Fatalf("error = %v\n%s", err, summary(result))
	}
	if result, err = r.applySource(src); !errors.Is(err, ErrUnhealthy) || result.Unchanged != len(result.Objects) {
		t.Errorf("again: %v\n%s", err, summary(result))
	}
	// Another set goes on while the group is dead.
	other := &rig{T: t, c: r.c, ns: r.ns, set: Set{ID: "test/other", DefaultNamespace: r.ns, Prune: true, Timeout: 20 * time.Second}}
	other.mustApply(configMap("a", "k: v") + configMap("b", "k: v"))
	if result := other.mustApply(configMap("a", "k: v")); result.Pruned != 1 {
		t.Errorf("another set: %s", summary(result))
	}
	r.removeAll(src)
}

// The overlay for high availability still asks for policy/v1beta1.
func TestRealManifestOfAnOldVersion(t *testing.T) {
	r := newRig(t)
	_, err := r.applySource(Source{Root: "testdata/real", Path: "metrics-server/manifests/overlays/release-ha"})
	want := "metrics-server/manifests/components/high-availability/pdb.yaml:2: policy/v1beta1 PodDisruptionBudget kube-system/metrics-server: the cluster does not know this kind in version v1beta1; it serves v1"
	if !errors.Is(err, ErrUnknownKind) || err.Error() != want || len(r.writes()) != 0 {
		t.Errorf("error = %v, writes %v", err, r.writes())
	}
}

func (r *rig) applySource(src Source) (Result, error) {
	r.Helper()
	objects, err := Render(src)
	if err != nil {
		r.Fatal(err)
	}
	result, err := r.c.Apply(r.Context(), r.set, objects, r.inv, r.options())
	r.inv = result.Inventory
	return result, err
}

func (r *rig) mustApplySource(src Source) Result {
	r.Helper()
	result, err := r.applySource(src)
	if err != nil {
		r.Fatalf("apply %s: %v\n%s", src.Path, err, summary(result))
	}
	return result
}

// mustNotWrite applies what is there already.
func (r *rig) mustNotWrite(src Source) {
	r.Helper()
	r.forgetRequests()
	result := r.mustApplySource(src)
	if result.Unchanged != len(result.Objects)-result.Skipped || len(r.writes()) != 0 {
		r.Errorf("no-op: writes %v\n%s", r.writes(), summary(result))
	}
}

// removeAll removes the set, with the kinds and namespaces that are protected unless they say otherwise, and looks for
// what is left.
func (r *rig) removeAll(src Source) {
	r.Helper()
	objects, err := Render(src)
	if err != nil {
		r.Fatal(err)
	}
	for _, o := range objects {
		annotations := map[string]string{pruneAnnotation: "enabled"}
		maps.Copy(annotations, o.GetAnnotations())
		o.SetAnnotations(annotations)
	}
	result, err := r.c.Apply(r.Context(), r.set, objects, r.inv, r.options())
	if err != nil && !errors.Is(err, ErrUnhealthy) {
		r.Fatalf("annotate: %v", err)
	}
	before := result.Inventory
	r.set.Timeout = time.Minute // a namespace goes away with what is in it
	result, err = r.c.Delete(r.Context(), r.set, before, r.options())
	if err != nil || len(result.Inventory.Items) != 0 {
		for _, item := range result.Inventory.Items {
			r.Logf("%s: %v", item.Ref(), r.get(item.apiVersion(), item.Kind, item.Name).Object["status"])
		}
		r.Fatalf("delete: %v\n%s", err, summary(result))
	}
	r.inv = result.Inventory
	for _, item := range before.Items {
		if r.exists(item) {
			r.Errorf("%s is left", item.Ref())
		}
	}
}

// exists asks for one object.
func (r *rig) exists(item Item) bool {
	r.Helper()
	known, err := r.c.discover(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	k, ok := known.of(item)
	if !ok {
		return false
	}
	_, err = r.c.metadata(r.Context(), k.object(item.Namespace, url.PathEscape(item.Name)))
	if err != nil && !apierrors.IsNotFound(err) {
		r.Fatal(err)
	}
	return err == nil
}
