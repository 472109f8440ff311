package k8s

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestPodTrouble reads the cases from testdata/pods: above each Pod stands "# what = severity: how the text begins".
func TestPodTrouble(t *testing.T) {
	severities := map[string]severity{"none": noTrouble, "waits": waits, "lasting": lasting, "final": final}
	for _, text := range documents(t, "testdata/pods/trouble.yaml") {
		head, _, _ := strings.Cut(text, "\n")
		name, want, _ := strings.Cut(strings.TrimPrefix(head, "# "), " = ")
		of, begins, _ := strings.Cut(want, ": ")
		t.Run(name, func(t *testing.T) {
			if got := podOf(objectOf(t, text)).trouble(); got.severity != severities[of] || !strings.HasPrefix(got.text, begins) {
				t.Errorf("%d: %s\nwant %s", got.severity, got.text, want)
			}
		})
	}
}

const (
	setYAML = `apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-NAME, namespace: ns, uid: NAME, annotations: {deployment.kubernetes.io/revision: "REV"}, ownerReferences: [{uid: web, kind: Deployment, controller: true}]}
`
	crashingYAML = `apiVersion: v1
kind: Pod
metadata: {name: web-OWNER-NAME, namespace: ns, uid: pod-NAME, ownerReferences: [{uid: OWNER, kind: ReplicaSet, controller: true}]}
status:
  containerStatuses: [{name: c, ready: false, restartCount: 9, state: {waiting: {reason: CrashLoopBackOff}}}]
`
)

// TestOldPodsDoNotFailARollout plays the orders in which two watches may tell of a rollout.
func TestOldPodsDoNotFailARollout(t *testing.T) {
	put := func(x *podIndex, yaml string, args ...string) types.UID {
		o := objectOf(t, strings.NewReplacer(args...).Replace(yaml))
		if o.GetKind() == "Pod" {
			return x.putPod(o, time.Now(), false)
		}
		return x.putSet(o)
	}
	x := newPodIndex()
	if got := put(x, crashingYAML, "OWNER", "old", "NAME", "a"); got != "old" {
		t.Errorf("the Pod of a ReplicaSet that is not known belongs to %q", got)
	}
	put(x, setYAML, "NAME", "old", "REV", "1")
	w := &workload{id: ID{Group: "apps", Kind: "Deployment"}, uid: "web", revision: "2", current: true}
	if p := x.worst(w); p != nil {
		t.Errorf("a Pod of revision 1 counts for revision 2: %s", p.name)
	}
	put(x, setYAML, "NAME", "new", "REV", "2")
	if p := x.worst(w); p != nil {
		t.Errorf("a Pod of the old ReplicaSet counts: %s", p.name)
	}
	if got := put(x, crashingYAML, "OWNER", "new", "NAME", "b"); got != "web" {
		t.Errorf("the Pod of the new ReplicaSet belongs to %q", got)
	}
	if p := x.worst(w); p == nil || p.name != "web-new-b" {
		t.Errorf("worst = %v", p)
	}
	w.current = false
	if p := x.worst(w); p != nil {
		t.Errorf("a Deployment that its controller has not looked at yet is judged by %s", p.name)
	}
	// Rolled back: the old ReplicaSet is the newest revision again.
	put(x, setYAML, "NAME", "old", "REV", "3")
	w.current, w.revision = true, "3"
	if p := x.worst(w); p == nil || p.name != "web-old-a" {
		t.Errorf("worst after a rollback = %v", p)
	}
	x.beginRound()
	put(x, crashingYAML, "OWNER", "new", "NAME", "b")
	x.endPods("ns", x.round)
	if p := x.worst(w); p != nil || len(x.pods) != 1 || len(x.of) != 1 {
		t.Errorf("a new list without the Pod left %d Pods, worst %v", len(x.pods), p)
	}
}

func TestWordsAreFitToBeShown(t *testing.T) {
	secret := objectOf(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: aHVudGVyMg==, short: YWI=}\n")
	w := &waiter{mask: masker([]Object{{Unstructured: secret}})}
	got := w.clean("cannot log in as ab\n\twith \x1b[31mhunter2\x1b[0m (aHVudGVyMg==)" + strings.Repeat("x", 1000))
	if !strings.HasPrefix(got, "cannot log in as ab with [31m***") || strings.Contains(got, "hunter") || strings.Contains(got, "aHVu") || len(got) > maxWords+2 {
		t.Errorf("%q", got)
	}
}
