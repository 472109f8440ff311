package k8s

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-iac/mooring/e2e/parts"
)

// widgets defines a kind that no controller looks after, and makes some of it. Each is as healthy as its status says.
func (r *rig) widgets(names ...string) string {
	r.Helper()
	definer := &rig{T: r.T, c: r.c, ns: r.ns, set: r.set}
	definer.set.ID += "-crd"
	definer.mustApply(strings.Replace(widgetCRD, "storage: true,", "storage: true, subresources: {status: {}},", 1))
	r.await("the kind to be served", func() bool {
		r.c.mu.Lock()
		r.c.kinds = nil
		r.c.mu.Unlock()
		known, err := r.c.kindsFor(r.Context(), nil, nil)
		return err == nil && slices.ContainsFunc(slices.Collect(maps.Values(known.by)), func(k kind) bool { return k.group == r.ns+".example.com" })
	})
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "---\napiVersion: %s.example.com/v1\nkind: Widget\nmetadata: {name: %s}\nspec: {color: red}\n", r.ns, name)
	}
	return b.String()
}

// setReady writes the status of a Widget, as its controller would.
func (r *rig) setReady(name, status, message string, since time.Time) {
	r.Helper()
	r.edit("controller status", r.ns+".example.com/v1", "Widget", name, fmt.Sprintf(
		`{"status":{"conditions":[{"type":"Ready","status":%q,"reason":"Because","message":%q,"lastTransitionTime":%q}]}}`, status, message, since.UTC().Format(time.RFC3339)))
}

var longAgo = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAnObjectThatStoppedWorkingIsFound(t *testing.T) {
	r := newRig(t)
	r.set.Key = []byte("a key of the test")
	manifests := r.widgets("w") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2hunter2}\n"
	r.mustApply(manifests)
	r.now = time.Now()
	r.c.now = func() time.Time { return r.now }
	r.setReady("w", "True", "", longAgo)
	r.mustFindNothing(manifests)
	r.setReady("w", "False", "cannot log in with hunter2hunter2", r.now)
	r.mustFindNothing(manifests)
	r.now = r.now.Add(time.Minute)
	report := r.mustDrift(manifests)
	r.mustFind(report, " Widget/w InProgress\n")
	if o := report.Objects[0]; o.Message != "Because: cannot log in with ***" || o.Since == nil || r.now.Sub(*o.Since) > 62*time.Second {
		t.Errorf("%+v", o)
	}
}

// One that comes and goes is found as well, though its status is never old.
func TestAnObjectThatNeverSettlesIsFound(t *testing.T) {
	r := newRig(t)
	manifests := r.widgets("w")
	r.mustApply(manifests)
	r.now = time.Now()
	r.c.now = func() time.Time { return r.now }
	for range 3 {
		r.setReady("w", "False", "starting", r.now)
		r.mustFindNothing(manifests)
		r.now = r.now.Add(r.set.timeout()/2 - time.Second)
	}
	r.setReady("w", "False", "starting", r.now)
	r.mustFind(r.mustDrift(manifests), " Widget/w InProgress\n")
	r.setReady("w", "True", "", r.now)
	r.mustFindNothing(manifests)
	r.setReady("w", "False", "starting", r.now)
	r.mustFindNothing(manifests)
}

func TestAnObjectThatIsNotWaitedForIsNotCalledUnhealthy(t *testing.T) {
	r := newRig(t)
	manifests := strings.Replace(r.widgets("w"), "{name: w}", "{name: w, annotations: {mooring.dev/health: none}}", 1)
	r.mustApply(manifests)
	r.setReady("w", "False", "broken", longAgo)
	r.now = time.Now().Add(time.Hour)
	r.c.now = func() time.Time { return r.now }
	r.inv.Verified = r.now
	r.mustFindNothing(manifests)
}

// The controllers are left out of this cluster, so that the status stays as it is written.
func TestADeploymentThatFailedIsFound(t *testing.T) {
	r := rigOn(t, parts.OwnClusterForTest(t, parts.ClusterOptions{OnlyAPI: true}))
	manifests := deployment("web", "  replicas: 1")
	status := func(text string) {
		r.edit("kube-controller-manager status", "apps/v1", "Deployment", "web", `{"status":`+text+`}`)
	}
	r.hook = func(e Event) {
		if e.Kind == EventObject && e.Action == Created {
			status(`{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":[
				{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}`)
		}
	}
	r.mustApply(manifests)
	r.hook = nil
	r.mustFindNothing(manifests)
	status(`{"availableReplicas":0,"readyReplicas":0,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"it has timed out"}]}`)
	report := r.mustDrift(manifests)
	r.mustFind(report, " Deployment/web Failed\n")
	if o := report.Objects[0]; !strings.Contains(o.Message, "timed out") {
		t.Errorf("%+v", o)
	}
	r.scale("kubectl", "web", 2)
	status(`{"observedGeneration":2}`)
	r.mustFind(r.mustDrift(manifests), `
		changed Deployment/web Failed
		  spec.replicas: 1 -> 2 by kubectl scale
		`)
}

// What has not moved since the last look is not read again, and many of a kind are read with one list.
func TestHealthIsReadOnlyOfWhatHasMoved(t *testing.T) {
	r := newLoneRig(t)
	r.watching()
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("w%d", i))
	}
	manifests := r.widgets(names...)
	r.mustApply(manifests)
	r.watching() // as after a restart
	r.mustFindNothing(manifests)
	var reads []string
	for _, sent := range r.sent {
		if strings.Contains(sent, "/namespaces/"+r.ns+"/widgets") {
			reads = append(reads, sent)
		}
	}
	if len(reads) != 1 {
		t.Errorf("the first look took %v", reads)
	}
	r.mustFindNothing(manifests)
	if len(r.sent) != 0 {
		t.Errorf("nothing moved: %v", r.sent)
	}
	r.setReady("w3", "False", "broken", longAgo)
	r.now = r.now.Add(10 * time.Minute)
	r.await("the watch to show it", func() bool {
		report := r.mustDrift(manifests)
		return drifts(report) == " Widget/w3 InProgress\n" && len(r.sent) == 1
	})
}

func TestASettledSetThatDoesNotWorkIsNotSettled(t *testing.T) {
	r := newRig(t)
	objects := r.render(r.widgets("w"))
	opts := r.options()
	opts.Source = "digest"
	result, err := r.c.Apply(t.Context(), r.set, objects, r.inv, opts)
	if err != nil {
		t.Fatal(err)
	}
	r.inv = result.Inventory
	r.now = time.Now()
	r.c.now = func() time.Time { return r.now }
	settled := func(source string) bool {
		report, settled := r.c.DriftSettled(t.Context(), r.set, r.inv, source)
		if settled && report.Checked != 1 {
			t.Errorf("%+v", report)
		}
		return settled
	}
	if !settled("digest") {
		t.Error("not settled")
	}
	if settled("another") {
		t.Error("settled for what was never applied")
	}
	r.setReady("w", "False", "broken", longAgo)
	r.now = r.now.Add(10 * time.Minute)
	if settled("digest") {
		t.Error("settled though it does not work")
	}
	r.setReady("w", "True", "", longAgo)
	if !settled("digest") {
		t.Error("not settled again")
	}
}

func TestAThousandUnchangedConfigMapsCostNoRequest(t *testing.T) {
	r := newLoneRig(t)
	r.watching()
	var b strings.Builder
	for i := range 1000 {
		b.WriteString(configMap(fmt.Sprintf("c%d", i), "k: v"))
	}
	manifests := b.String()
	objects := r.render(manifests)
	opts := r.options()
	opts.Source = "digest"
	result, err := r.c.Apply(t.Context(), r.set, objects, r.inv, opts)
	if err != nil {
		t.Fatal(err)
	}
	r.inv = result.Inventory
	r.watching() // as after a restart
	r.mustFindNothing(manifests)
	if len(r.sent) > 20 {
		t.Errorf("the first scan after a start took %d requests: %v", len(r.sent), r.sent)
	}
	t.Logf("first scan: %v", r.sent)
	r.mustFindNothing(manifests)
	if len(r.sent) != 0 {
		t.Errorf("unchanged: %v", r.sent)
	}
	if report, settled := r.c.DriftSettled(t.Context(), r.set, r.inv, "digest"); !settled || report.Checked != 1000 || len(r.sent) != 0 {
		t.Errorf("settled %v, %d checked, sent %v", settled, report.Checked, r.sent)
	}
	r.edit("kubectl-edit", "v1", "ConfigMap", "c7", `{"data":{"k":"mine"}}`)
	r.await("the watch to show it", func() bool {
		_, settled := r.c.DriftSettled(t.Context(), r.set, r.inv, "digest")
		return !settled
	})
	if report := r.mustDrift(manifests); len(report.Objects) != 1 || len(r.sent) != 2 {
		t.Errorf("%s%v", drifts(report), r.sent)
	}
}
