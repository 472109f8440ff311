package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// rig is one test's view of the real cluster: a namespace of its own, a set, its inventory, and a count of requests.
type rig struct {
	*testing.T
	c      *Cluster
	ns     string
	set    Set
	inv    Inventory
	saves  []Inventory
	events []Event
	hook   func(Event)                                 // called for each event
	fault  func(*http.Request) (*http.Response, error) // answers instead of the server, unless it returns nil, nil
	mu     sync.Mutex                                  // guards sent
	sent   []string                                    // "PATCH /api/v1/…" of every request, dry-runs marked
	now    time.Time                                   // of the clock of a connection that watches
}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	return newLoneRig(t)
}

// newLoneRig is newRig for a test that counts requests to the last: while it runs, no other one changes webhooks or CRDs.
func newLoneRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, parts.ClusterForTest(t))
}

// rigOn is a rig on a cluster of the test's own.
func rigOn(t *testing.T, running *parts.RunningCluster) *rig {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	r := &rig{T: t, ns: name[:min(len(name), 50)], set: Set{ID: "test/" + name, Prune: true, Timeout: 30 * time.Second}}
	r.set.DefaultNamespace = r.ns
	var err error
	if r.c, err = Connect(ClusterConfig{Name: "test", KubeconfigPath: running.Kubeconfig, Version: "test", Wrap: r.counting}); err != nil {
		t.Fatal(err)
	}
	r.create("v1", "Namespace", fmt.Sprintf("metadata: {name: %s}", r.ns))
	r.sent = nil
	return r
}

// counting notes every request, and lets the test answer it.
func (r *rig) counting(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		r.note(req)
		if r.fault != nil {
			if answer, err := r.fault(req); answer != nil || err != nil {
				return answer, err
			}
		}
		return next.RoundTrip(req)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (r *rig) note(req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := req.Method + " " + req.URL.Path
	if req.URL.Query().Get("dryRun") != "" {
		line += " (dry-run)"
	}
	r.sent = append(r.sent, line)
}

// writes are the requests that could change something.
func (r *rig) writes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var w []string
	for _, s := range r.sent {
		if !strings.HasPrefix(s, "GET") && !strings.HasSuffix(s, "(dry-run)") {
			w = append(w, s)
		}
	}
	return w
}

func (r *rig) forgetRequests() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = nil
}

// render makes objects of YAML documents.
func (r *rig) render(manifests string) []Object {
	r.Helper()
	objects, err := Render(checkout(r, "-- k8s/m.yaml --\n"+strings.ReplaceAll(manifests, "NS", r.ns), "k8s"))
	if err != nil {
		r.Fatal(err)
	}
	return objects
}

// apply applies manifests and keeps the inventory, as the runner does.
func (r *rig) apply(manifests string) (Result, error) {
	r.Helper()
	return r.applyCtx(r.Context(), manifests)
}

func (r *rig) applyCtx(ctx context.Context, manifests string) (Result, error) {
	r.Helper()
	var objects []Object
	if manifests != "" {
		objects = r.render(manifests)
	}
	result, err := r.c.Apply(ctx, r.set, objects, r.inv, r.options())
	r.inv = result.Inventory
	return result, err
}

func (r *rig) options() ApplyOptions {
	return ApplyOptions{
		Save: func(inv Inventory) error { r.saves = append(r.saves, inv); return nil },
		Events: func(e Event) {
			r.events = append(r.events, e)
			if r.hook != nil {
				r.hook(e)
			}
		},
	}
}

func (r *rig) mustApply(manifests string) Result {
	r.Helper()
	result, err := r.apply(manifests)
	if err != nil {
		r.Fatalf("apply: %v\n%s", err, summary(result))
	}
	return result
}

// summary is one line an object: "created v1 ConfigMap ns/a Current".
func summary(result Result) string {
	var b strings.Builder
	for _, o := range result.Objects {
		fmt.Fprintf(&b, "%s %s %s %s%s\n", o.Action, o.Ref, o.Health, o.Message, o.Error)
	}
	return b.String()
}

// actions maps the names of objects to what happened to them.
func actions(result Result) map[string]ObjectAction {
	m := map[string]ObjectAction{}
	for _, o := range result.Objects {
		m[o.Ref[strings.LastIndexAny(o.Ref, " /")+1:]] = o.Action
	}
	return m
}

func (r *rig) path(apiVersion, kindName, name string) string {
	r.Helper()
	known, err := r.c.discover(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	o := Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kindName}}}
	k, ok := known.by[o.gvk()]
	if !ok {
		r.Fatalf("no kind %s %s", apiVersion, kindName)
	}
	if !k.namespaced {
		return k.object("", name)
	}
	return k.object(r.ns, name)
}

// get reads a live object; nil when it is not there.
func (r *rig) get(apiVersion, kind, name string) *unstructured.Unstructured {
	r.Helper()
	answer := r.c.rest.Get().AbsPath(r.path(apiVersion, kind, name)).Do(r.Context())
	if err := answer.Error(); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		r.Fatal(err)
	}
	body, _ := answer.Raw()
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal(body, &o.Object); err != nil {
		r.Fatal(err)
	}
	return o
}

// create makes an object as somebody else would.
func (r *rig) create(apiVersion, kind, yaml string) {
	r.Helper()
	docs, faults := parse("x.yaml", []byte(fmt.Sprintf("apiVersion: %s\nkind: %s\n%s\n", apiVersion, kind, strings.ReplaceAll(yaml, "NS", r.ns))))
	if len(faults) > 0 {
		r.Fatal(faults[0])
	}
	o, faults := docs[0].object(nil)
	if len(faults) > 0 {
		r.Fatal(faults[0])
	}
	body, _ := json.Marshal(o.Object)
	p := r.path(apiVersion, kind, "")
	if err := r.c.rest.Post().AbsPath(strings.TrimSuffix(p, "/")).Param("fieldManager", "somebody").Body(body).Do(r.Context()).Error(); err != nil {
		r.Fatalf("create %s: %v", kind, err)
	}
}

// edit merge-patches an object as the named manager.
func (r *rig) edit(by, apiVersion, kind, name, patch string) {
	r.Helper()
	if err := r.patch(by, r.path(apiVersion, kind, name), patch); err != nil {
		r.Fatalf("patch %s: %v", kind, err)
	}
}

// editMeanwhile makes the edits in turn while the caller goes on. The test does not end before them.
func (r *rig) editMeanwhile(by, apiVersion, kind, name string, patches ...string) {
	r.Helper()
	path := r.path(apiVersion, kind, name)
	var edits sync.WaitGroup
	edits.Go(func() {
		for _, patch := range patches {
			if err := r.patch(by, path, patch); err != nil {
				r.Errorf("patch %s: %v", kind, err)
			}
		}
	})
	r.Cleanup(edits.Wait)
}

// patch merge-patches what is at path; a manager named "x status" patches the status.
func (r *rig) patch(by, path, patch string) error {
	if name, isStatus := strings.CutSuffix(by, " status"); isStatus {
		by, path = name, path+"/status"
	}
	return r.c.rest.Patch("application/merge-patch+json").AbsPath(path).Param("fieldManager", by).Body([]byte(patch)).Do(context.WithoutCancel(r.Context())).Error()
}

func (r *rig) remove(apiVersion, kind, name string) {
	r.Helper()
	if err := r.c.rest.Delete().AbsPath(r.path(apiVersion, kind, name)).Do(r.Context()).Error(); err != nil {
		r.Fatalf("delete %s: %v", kind, err)
	}
}

// kubectl runs the real kubectl with a manifest on its standard input.
func (r *rig) kubectl(stdin string, args ...string) {
	r.Helper()
	running := parts.ClusterForTest(r)
	cmd := exec.Command(parts.KubectlForTest(r), append([]string{"--kubeconfig", running.Kubeconfig, "-n", r.ns}, args...)...)
	cmd.Env = []string{"HOME=" + r.TempDir()}
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(stdin, "NS", r.ns))
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
}

// await asks until it is so, for what the cluster's own controllers do.
func (r *rig) await(what string, so func() bool) {
	r.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("waited in vain for %s", what)
		}
	}
}

// failure is a refusal of the API server.
func failure(code int, reason, message string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`, reason, message, code)
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// body is that of an answer written by hand.
func body(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
