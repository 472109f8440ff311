package k8s

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// healthOfKind holds the kinds for which kstatus has no rule, or answers too early, too late or with too few words.
var healthOfKind = map[string]func(*unstructured.Unstructured) (Health, string){
	"batch/Job":                           jobHealth,
	"/Pod":                                podHealth,
	"/Service":                            serviceHealth,
	"/PersistentVolumeClaim":              claimHealth,
	"/ReplicationController":              replicationControllerHealth,
	"apps/Deployment":                     deploymentHealth,
	"apps/StatefulSet":                    statefulSetHealth,
	"apps/DaemonSet":                      daemonSetHealth,
	"apps/ReplicaSet":                     replicaSetHealth,
	"autoscaling/HorizontalPodAutoscaler": autoscalerHealth,
	"apiregistration.k8s.io/APIService":   apiServiceHealth,
}

// jobHealth: a Job that runs is not done, which kstatus calls current.
func jobHealth(o *unstructured.Unstructured) (Health, string) {
	for _, failed := range []string{"Failed", "FailureTarget"} {
		if c := condition(o, failed); c != nil && c["status"] == "True" {
			return HealthFailed, words(c)
		}
	}
	if isCondition(o, "Complete", "True") {
		return HealthCurrent, ""
	}
	if suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend"); suspended {
		return HealthCurrent, "suspended"
	}
	return HealthInProgress, fmt.Sprintf("the Job is not complete: %d active, %d succeeded, %d failed",
		number(o, "status", "active"), number(o, "status", "succeeded"), number(o, "status", "failed"))
}

// podHealth: a Pod that failed has failed, and one that no node can take yet has not.
func podHealth(o *unstructured.Unstructured) (Health, string) {
	pod := podOf(o)
	switch pod.Status.Phase {
	case "Succeeded":
		return HealthCurrent, ""
	case "Failed":
		return HealthFailed, pod.trouble().text
	case "Running":
		if isCondition(o, "Ready", "True") {
			return HealthCurrent, ""
		}
	}
	return HealthInProgress, pod.trouble().text
}

// serviceHealth: a load balancer needs an address.
func serviceHealth(o *unstructured.Unstructured) (Health, string) {
	if t, _, _ := unstructured.NestedString(o.Object, "spec", "type"); t != "LoadBalancer" {
		return HealthCurrent, ""
	}
	if ingress, _, _ := unstructured.NestedSlice(o.Object, "status", "loadBalancer", "ingress"); len(ingress) == 0 {
		return HealthInProgress, "the load balancer has no address yet"
	}
	return HealthCurrent, ""
}

// claimHealth: a lost volume does not come back. (One that waits for its first consumer is told by awaitsConsumer.)
func claimHealth(o *unstructured.Unstructured) (Health, string) {
	switch phase, _, _ := unstructured.NestedString(o.Object, "status", "phase"); phase {
	case "Bound":
		return HealthCurrent, ""
	case "Lost":
		return HealthFailed, "the volume that it was bound to is gone"
	}
	return HealthInProgress, "no volume is bound to it yet"
}

// deploymentHealth: a paused Deployment rolls nothing out, and one that cannot make Pods says why.
func deploymentHealth(o *unstructured.Unstructured) (Health, string) {
	h, m := kstatus(o)
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused && h == HealthInProgress && isObserved(o) {
		return HealthCurrent, "paused: nothing is rolled out"
	}
	if c := condition(o, "Progressing"); h == HealthFailed && c != nil {
		m = words(c)
	}
	if c := condition(o, "ReplicaFailure"); h == HealthInProgress && c != nil && c["status"] == "True" && !isBehind(o) {
		m = words(c)
	}
	return h, m
}

// statefulSetHealth: with OnDelete, Pods must be there and ready, but not of the newest revision: the same as a
// rolling update of which the partition covers all.
func statefulSetHealth(o *unstructured.Unstructured) (Health, string) {
	replicas := replicasOf(o)
	if t, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); t == "OnDelete" {
		o = o.DeepCopy()
		_ = unstructured.SetNestedMap(o.Object, map[string]any{"type": "RollingUpdate",
			"rollingUpdate": map[string]any{"partition": replicas}}, "spec", "updateStrategy")
	}
	if !isObserved(o) {
		return HealthInProgress, "its controller has not seen this version yet"
	}
	h, m := kstatus(o)
	if available := number(o, "status", "availableReplicas"); h == HealthCurrent && available < replicas {
		return HealthInProgress, fmt.Sprintf("Available: %d/%d", available, replicas)
	}
	return h, m
}

// daemonSetHealth: with OnDelete, Pods of the newest revision are not waited for.
func daemonSetHealth(o *unstructured.Unstructured) (Health, string) {
	if t, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); t == "OnDelete" {
		o = o.DeepCopy()
		_ = unstructured.SetNestedField(o.Object, number(o, "status", "desiredNumberScheduled"), "status", "updatedNumberScheduled")
	}
	return kstatus(o)
}

func replicaSetHealth(o *unstructured.Unstructured) (Health, string) {
	h, m := kstatus(o)
	if c := condition(o, "ReplicaFailure"); h == HealthInProgress && c != nil && c["status"] == "True" {
		m = words(c)
	}
	return h, m
}

// replicationControllerHealth: what a ReplicaSet was called before.
func replicationControllerHealth(o *unstructured.Unstructured) (Health, string) {
	as := o.DeepCopy()
	as.SetAPIVersion("apps/v1")
	as.SetKind("ReplicaSet")
	return replicaSetHealth(as)
}

// autoscalerHealth: an autoscaler must find what it scales. That metrics are missing for a while after a first
// rollout is normal: it is said, and not waited for.
func autoscalerHealth(o *unstructured.Unstructured) (Health, string) {
	if c := condition(o, "AbleToScale"); c != nil && c["status"] == "False" {
		return HealthInProgress, words(c)
	}
	if c := condition(o, "ScalingActive"); c != nil && c["status"] == "False" && c["reason"] != "ScalingDisabled" {
		return HealthCurrent, words(c)
	}
	return HealthCurrent, ""
}

// apiServiceHealth: without the condition nobody has looked yet.
func apiServiceHealth(o *unstructured.Unstructured) (Health, string) {
	switch c := condition(o, "Available"); {
	case c == nil:
		return HealthInProgress, "the API server has not looked for its service yet"
	case c["status"] != "True":
		return HealthInProgress, words(c)
	}
	return HealthCurrent, ""
}

// isObserved tells whether the controller has seen this version of the object.
func isObserved(o *unstructured.Unstructured) bool {
	_, found, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	return found && !isBehind(o)
}

// replicasOf is what spec.replicas asks for; the API's default is 1.
func replicasOf(o *unstructured.Unstructured) int64 {
	n, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if !found {
		return 1
	}
	return n
}

func number(o *unstructured.Unstructured, path ...string) int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, path...)
	return n
}
