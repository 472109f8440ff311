package k8s

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// The labels and annotations by which controllers tell the Pods of one version from those of another.
const (
	revisionAnnotation   = "deployment.kubernetes.io/revision"        // on a Deployment: the version that is rolled out; on a ReplicaSet: its own
	generationAnnotation = "deprecated.daemonset.template.generation" // on a DaemonSet
	generationLabel      = "pod-template-generation"                  // on its Pods
	hashLabel            = "controller-revision-hash"                 // on Pods of a StatefulSet
)

// workload is what is remembered of an object that makes Pods, while it is in progress.
type workload struct {
	id       ID
	uid      types.UID
	current  bool   // its controller has seen this version: only then is it known which Pods are of it
	revision string // of the Pods that matter; "" where all do
	short    bool   // it has made fewer Pods than it wants
	retries  bool   // it has a rule of its own for Pods that crash: a Job
	selector string // of its Pods' labels
	refused  string // why it cannot make Pods, where its own status says so
}

// isWorkload tells the kinds whose Pods are watched while they are in progress.
func isWorkload(id ID) bool {
	switch id.Group + "/" + id.Kind {
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job", "/ReplicationController":
		return true
	}
	return false
}

// workloadOf takes from an object what is needed to find and judge its Pods.
func workloadOf(id ID, o *unstructured.Unstructured) *workload {
	w := &workload{id: id, uid: o.GetUID(), current: isObserved(o)}
	switch id.Kind {
	case "Deployment":
		w.revision = o.GetAnnotations()[revisionAnnotation]
		w.current = w.current && w.revision != ""
	case "StatefulSet":
		w.short = number(o, "status", "replicas") < replicasOf(o)
		w.revision, _, _ = unstructured.NestedString(o.Object, "status", "updateRevision")
		if t, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); t == "OnDelete" {
			w.revision = ""
		}
	case "DaemonSet":
		w.short = number(o, "status", "currentNumberScheduled") < number(o, "status", "desiredNumberScheduled")
		if t, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); t != "OnDelete" {
			w.revision = o.GetAnnotations()[generationAnnotation]
		}
	case "Job":
		w.current, w.retries = true, true
		w.short = number(o, "status", "active") == 0
	default:
		w.short = number(o, "status", "replicas") < replicasOf(o)
	}
	if c := condition(o, "ReplicaFailure"); w.current && c != nil && c["status"] == "True" {
		w.refused, w.short = words(c), true
	}
	w.selector = selectorOf(o)
	return w
}

// selectorOf is spec.selector in the form of a query.
func selectorOf(o *unstructured.Unstructured) string {
	content, _, _ := unstructured.NestedMap(o.Object, "spec", "selector")
	if content == nil {
		return ""
	}
	var s metav1.LabelSelector
	if _, ok := content["matchLabels"]; !ok && content["matchExpressions"] == nil { // a ReplicationController's
		s.MatchLabels, _, _ = unstructured.NestedStringMap(o.Object, "spec", "selector")
	} else {
		s.MatchLabels, _, _ = unstructured.NestedStringMap(content, "matchLabels")
		list, _, _ := unstructured.NestedSlice(content, "matchExpressions")
		for _, e := range list {
			m, _ := e.(map[string]any)
			key, _ := m["key"].(string)
			operator, _ := m["operator"].(string)
			values, _, _ := unstructured.NestedStringSlice(m, "values")
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOperator(operator), Values: values})
		}
	}
	return metav1.FormatLabelSelector(&s)
}

// hasRevision tells whether a Pod is of the version that the workload rolls out. (The Pods of a Deployment are told
// apart by their ReplicaSet.)
func (w *workload) hasRevision(labels map[string]string) bool {
	switch {
	case w.revision == "" || w.id.Kind == "Deployment":
		return true
	case w.id.Kind == "DaemonSet":
		return labels[generationLabel] == w.revision
	}
	return labels[hashLabel] == w.revision
}
