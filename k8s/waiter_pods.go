package k8s

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// refusal is why something could not make its Pods.
type refusal struct {
	message string
	since   time.Time // when it was first said during this wait; zero: only before
}

// followPods follows, once the first moment has passed, the Pods of the namespaces in which a workload is in
// progress: one watch of Pods, and where they are needed one of ReplicaSets and one of refusals, a namespace.
func (w *waiter) followPods(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(w.patient.look):
	}
	var group errgroup.Group
	open := map[string]bool{}
	for {
		for what, follow := range w.wanted() {
			if !open[what] {
				open[what] = true
				group.Go(func() error { return follow(ctx) })
			}
		}
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-w.more:
		}
	}
}

// wanted are the watches that the workloads in progress ask for, by a name of their own.
func (w *waiter) wanted() map[string]func(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted := map[string]func(context.Context) error{}
	for _, wl := range w.work {
		ns := wl.id.Namespace
		wanted["pods "+ns] = w.podsOf(ns, "").run
		switch wl.id.Kind {
		case "Deployment":
			wanted["sets "+ns] = w.setsOf(ns, "").run
		case "StatefulSet", "DaemonSet", "Job": // the others say it in their status
			wanted["refusals "+ns] = w.refusalsOf(ns).run
		}
	}
	return wanted
}

// podsOf follows the Pods of a namespace; selector may narrow them down.
func (w *waiter) podsOf(namespace, selector string) *follower {
	f := w.all(kind{version: "v1", kind: "Pod", resource: "pods", namespaced: true}, namespace, acceptObject)
	if selector != "" {
		f.query["labelSelector"] = selector
	}
	first, round := true, 0
	f.listing = w.guarded(func() { w.pods.beginRound(); round = w.pods.round })
	f.listed = w.guarded(func() { w.pods.endPods(namespace, round); first = false })
	f.see = func(s sighting) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if s.object == nil {
			owner := types.UID("")
			if p := w.pods.pods[s.last.GetUID()]; p != nil {
				owner = w.pods.workloadOf(p.owner)
			}
			w.pods.dropPod(s.last.GetUID())
			w.judge(owner)
			return false
		}
		w.judge(w.pods.putPod(s.object, time.Now(), first))
		return false
	}
	return f
}

// setsOf follows the ReplicaSets of a namespace, of which only metadata is needed.
func (w *waiter) setsOf(namespace, selector string) *follower {
	f := w.all(kind{group: "apps", version: "v1", kind: "ReplicaSet", resource: "replicasets", namespaced: true}, namespace, acceptMetadata)
	if selector != "" {
		f.query["labelSelector"] = selector
	}
	round := 0
	f.listing = w.guarded(func() { w.pods.beginRound(); round = w.pods.round })
	f.listed = w.guarded(func() { w.pods.endSets(namespace, round) })
	f.see = func(s sighting) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if s.object == nil {
			w.pods.dropSet(s.last.GetUID())
			return false
		}
		w.judge(w.pods.putSet(s.object))
		return false
	}
	return f
}

// refusalsOf follows the events that say that Pods could not be made. An event that was there before counts only
// when it is said again.
func (w *waiter) refusalsOf(namespace string) *follower {
	f := w.all(kind{version: "v1", kind: "Event", resource: "events", namespaced: true}, namespace, acceptObject)
	f.query["fieldSelector"] = "type=Warning,reason=FailedCreate"
	listing := true
	f.listing = w.guarded(func() { listing = true })
	f.listed = w.guarded(func() { listing = false })
	f.see = func(s sighting) bool {
		if s.object == nil {
			return false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		about, _, _ := unstructured.NestedString(s.object.Object, "involvedObject", "uid")
		message, _, _ := unstructured.NestedString(s.object.Object, "message")
		r := w.refused[types.UID(about)]
		if r == nil {
			r = &refusal{}
			w.refused[types.UID(about)] = r
		}
		r.message = joinWords("FailedCreate", message)
		if !listing && r.since.IsZero() {
			r.since = time.Now()
		}
		w.judge(types.UID(about))
		return false
	}
	return f
}

// all follows everything of a kind in a namespace.
func (w *waiter) all(k kind, namespace, accept string) *follower {
	return &follower{c: w.x.c, k: k, namespace: namespace, accept: accept, query: map[string]string{}}
}

func (w *waiter) guarded(do func()) func() {
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		do()
	}
}

// refusalOf is why a workload cannot make its Pods; nil when it can, or has made them all.
func (w *waiter) refusalOf(wl *workload) *refusal {
	if !wl.short {
		delete(w.refused, wl.uid)
		return nil
	}
	r := w.refused[wl.uid]
	if wl.refused != "" {
		if r == nil {
			r = &refusal{since: time.Now()}
			w.refused[wl.uid] = r
		}
		r.message = wl.refused
	}
	if r == nil || r.since.IsZero() {
		return nil
	}
	return r
}

// awaitsConsumer tells whether a claim is bound only when a Pod comes to use it: its storage class says so, and
// none has come. A class that may not be read is not waited for either: that could be forever.
func (w *waiter) awaitsConsumer(claim *unstructured.Unstructured) bool {
	class, _, _ := unstructured.NestedString(claim.Object, "spec", "storageClassName")
	if class == "" || claim.GetAnnotations()["volume.kubernetes.io/selected-node"] != "" {
		return false
	}
	w.mu.Lock()
	awaits, known := w.classes[class]
	w.mu.Unlock()
	if known {
		return awaits
	}
	a, err := w.x.c.send(w.ctx, request{verb: http.MethodGet, path: "/apis/storage.k8s.io/v1/storageclasses/" + url.PathEscape(class), accept: acceptObject})
	var sc struct {
		VolumeBindingMode string `json:"volumeBindingMode"`
	}
	switch {
	case isForbidden(err):
		awaits = true
	case err == nil && json.Unmarshal(a.body, &sc) == nil:
		awaits = sc.VolumeBindingMode == "WaitForFirstConsumer"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.classes[class] = awaits
	return awaits
}
