package k8s

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// podIndex knows the Pods of some namespaces by what owns them, and the ReplicaSets between Pods and Deployments.
// Of a Pod it keeps only what is wrong with it. Whoever holds it guards it.
type podIndex struct {
	pods map[types.UID]*podSeen
	of   map[types.UID]map[types.UID]*podSeen // Pods by their owner
	sets map[types.UID]setSeen                // ReplicaSets that a Deployment owns
	in   map[types.UID]map[types.UID]bool     // those ReplicaSets by their Deployment

	round int // of the list under way
}

// podSeen is what is kept of a Pod.
type podSeen struct {
	uid, owner      types.UID
	namespace, name string
	labels          map[string]string // those that tell versions apart
	trouble         trouble
	since           time.Time // when the class of its trouble was first seen
	found           bool      // it was there, in trouble, when the wait began
	foundRestarts   int64     // and had restarted so often
	round           int
}

type setSeen struct {
	deployment types.UID
	namespace  string
	revision   string
	round      int
}

func newPodIndex() *podIndex {
	return &podIndex{pods: map[types.UID]*podSeen{}, of: map[types.UID]map[types.UID]*podSeen{},
		sets: map[types.UID]setSeen{}, in: map[types.UID]map[types.UID]bool{}}
}

// putPod notes a Pod and returns the workload it belongs to, "" when that is none. first is true while what was
// there before the wait is read.
func (x *podIndex) putPod(o *unstructured.Unstructured, now time.Time, first bool) (workload types.UID) {
	owner := metav1.GetControllerOfNoCopy(o)
	if owner == nil {
		return ""
	}
	p := x.pods[o.GetUID()]
	if p == nil {
		p = &podSeen{uid: o.GetUID(), owner: owner.UID, namespace: o.GetNamespace(), name: o.GetName(), labels: map[string]string{}}
		for _, key := range []string{hashLabel, generationLabel} {
			if v, ok := o.GetLabels()[key]; ok {
				p.labels[key] = v
			}
		}
		x.pods[p.uid] = p
		if x.of[p.owner] == nil {
			x.of[p.owner] = map[types.UID]*podSeen{}
		}
		x.of[p.owner][p.uid] = p
	}
	p.round = x.round
	t := podOf(o).trouble()
	if o.GetDeletionTimestamp() != nil {
		t = trouble{} // on its way out, whatever ails it
	}
	if t.severity != noTrouble && (t.class != p.trouble.class || p.trouble.severity == noTrouble) {
		p.since = now
	}
	if t.class == "image" && p.trouble.class == "image" && len(t.text) < len(p.trouble.text) {
		t.text = p.trouble.text // between two tries the kubelet says less
	}
	if first && t.severity >= waits && t.class != "" {
		p.found, p.foundRestarts = true, t.restarts
	}
	p.trouble = t
	return x.workloadOf(p.owner)
}

// workloadOf is the Deployment of a ReplicaSet that has one, else the owner itself.
func (x *podIndex) workloadOf(owner types.UID) types.UID {
	if s, ok := x.sets[owner]; ok {
		return s.deployment
	}
	return owner
}

func (x *podIndex) dropPod(uid types.UID) {
	if p := x.pods[uid]; p != nil {
		delete(x.of[p.owner], uid)
		if len(x.of[p.owner]) == 0 {
			delete(x.of, p.owner)
		}
		delete(x.pods, uid)
	}
}

// putSet notes a ReplicaSet and returns its Deployment.
func (x *podIndex) putSet(o *unstructured.Unstructured) types.UID {
	owner := metav1.GetControllerOfNoCopy(o)
	if owner == nil {
		return ""
	}
	x.sets[o.GetUID()] = setSeen{deployment: owner.UID, namespace: o.GetNamespace(), revision: o.GetAnnotations()[revisionAnnotation], round: x.round}
	if x.in[owner.UID] == nil {
		x.in[owner.UID] = map[types.UID]bool{}
	}
	x.in[owner.UID][o.GetUID()] = true
	return owner.UID
}

func (x *podIndex) dropSet(uid types.UID) {
	if s, ok := x.sets[uid]; ok {
		delete(x.in[s.deployment], uid)
		delete(x.sets, uid)
	}
}

// beginRound and the two that end it take out what a new list of a namespace does not show.
func (x *podIndex) beginRound() { x.round++ }

func (x *podIndex) endPods(namespace string, since int) {
	for uid, p := range x.pods {
		if p.namespace == namespace && p.round < since {
			x.dropPod(uid)
		}
	}
}

func (x *podIndex) endSets(namespace string, since int) {
	for uid, s := range x.sets {
		if s.namespace == namespace && s.round < since {
			x.dropSet(uid)
		}
	}
}

// worst is the Pod of the workload's own version that is in the worst trouble; nil when none is in any, or when it
// is not known yet which Pods those are. A Pod of an earlier version that crashes does not fail a rollout; but it can
// hold up a StatefulSet's, which goes from Pod to Pod: that is said where there is nothing better to say.
func (x *podIndex) worst(w *workload) *podSeen {
	if !w.current {
		return nil
	}
	owners := map[types.UID]bool{w.uid: true}
	if w.id.Kind == "Deployment" {
		owners = map[types.UID]bool{}
		for set := range x.in[w.uid] {
			if x.sets[set].revision == w.revision {
				owners[set] = true
			}
		}
	}
	var worst, earlier *podSeen
	for owner := range owners {
		for _, p := range x.of[owner] {
			if p.trouble.severity == noTrouble {
				continue
			}
			if !w.hasRevision(p.labels) {
				if w.id.Kind == "StatefulSet" && (earlier == nil || p.name < earlier.name) {
					earlier = p
				}
				continue
			}
			// Of two the same one each time, or messages would flicker.
			if worst == nil || p.trouble.severity > worst.trouble.severity ||
				p.trouble.severity == worst.trouble.severity && p.name < worst.name {
				worst = p
			}
		}
	}
	if worst == nil && earlier != nil {
		old := *earlier
		old.trouble = trouble{severity: waits, text: "of the revision before: " + old.trouble.text}
		return &old
	}
	return worst
}
