package k8s

import (
	"fmt"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// healthOf computes an object's health by kstatus' rules, with the cases it answers too early:
// a Job that runs is not done, a Pod that failed has failed, a load balancer needs an address, and where no Ready
// condition exists, Available counts. The message says what is waited for.
func healthOf(o *unstructured.Unstructured) (Health, string) {
	if o == nil {
		return HealthNotFound, "it does not exist"
	}
	if o.GetDeletionTimestamp() != nil {
		return HealthTerminating, "it is being deleted"
	}
	group := o.GroupVersionKind().Group
	switch {
	case group == "batch" && o.GetKind() == "Job":
		return jobHealth(o)
	case group == "" && o.GetKind() == "Pod":
		if phase, _, _ := unstructured.NestedString(o.Object, "status", "phase"); phase == "Failed" {
			return HealthFailed, "the Pod has failed" + statusWords(o)
		}
	case group == "" && o.GetKind() == "Service":
		if h, m := serviceHealth(o); h != "" {
			return h, m
		}
	}
	r, err := status.Compute(o)
	if err != nil {
		return HealthUnknown, err.Error()
	}
	if r.Status == status.CurrentStatus && condition(o, "Ready") == nil && !isWorkload(o) {
		if a := condition(o, "Available"); a != nil && a["status"] != "True" {
			return HealthInProgress, words(a)
		}
	}
	if r.Status == status.CurrentStatus {
		return HealthCurrent, ""
	}
	return Health(r.Status), r.Message
}

func jobHealth(o *unstructured.Unstructured) (Health, string) {
	for _, failed := range []string{"Failed", "FailureTarget"} {
		if c := condition(o, failed); c != nil && c["status"] == "True" {
			return HealthFailed, words(c)
		}
	}
	if c := condition(o, "Complete"); c != nil && c["status"] == "True" {
		return HealthCurrent, ""
	}
	if suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend"); suspended {
		return HealthCurrent, "suspended"
	}
	active, _, _ := unstructured.NestedInt64(o.Object, "status", "active")
	succeeded, _, _ := unstructured.NestedInt64(o.Object, "status", "succeeded")
	return HealthInProgress, fmt.Sprintf("the Job is not complete: %d active, %d succeeded", active, succeeded)
}

func serviceHealth(o *unstructured.Unstructured) (Health, string) {
	if t, _, _ := unstructured.NestedString(o.Object, "spec", "type"); t != "LoadBalancer" {
		return "", ""
	}
	if ingress, _, _ := unstructured.NestedSlice(o.Object, "status", "loadBalancer", "ingress"); len(ingress) == 0 {
		return HealthInProgress, "the load balancer has no address yet"
	}
	return HealthCurrent, ""
}

func isWorkload(o *unstructured.Unstructured) bool {
	switch o.GroupVersionKind().Group + "/" + o.GetKind() {
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet":
		return true
	}
	return false
}

func condition(o *unstructured.Unstructured, kind string) map[string]any {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range list {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			return m
		}
	}
	return nil
}

// words is a condition in the words of who wrote it.
func words(c map[string]any) string {
	var parts []string
	for _, field := range []string{"reason", "message"} {
		if s, _ := c[field].(string); s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("condition %v is %v", c["type"], c["status"])
	}
	return strings.Join(parts, ": ")
}

func statusWords(o *unstructured.Unstructured) string {
	reason, _, _ := unstructured.NestedString(o.Object, "status", "reason")
	message, _, _ := unstructured.NestedString(o.Object, "status", "message")
	text := strings.Trim(reason+": "+message, ": ")
	if text == "" {
		return ""
	}
	return ": " + text
}

// hasHealth tells the kinds that become something after they were accepted from those that simply are.
func hasHealth(item Item) bool {
	switch item.Group + "/" + item.Kind {
	case "/ConfigMap", "/Secret", "/ServiceAccount", "/LimitRange", "/ResourceQuota", "/Endpoints", "/PodTemplate",
		"batch/CronJob", "discovery.k8s.io/EndpointSlice", "networking.k8s.io/NetworkPolicy", "networking.k8s.io/IngressClass",
		"networking.k8s.io/Ingress", "policy/PodDisruptionBudget", "apps/ControllerRevision":
		return false
	}
	switch item.Group {
	case "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "node.k8s.io", "coordination.k8s.io",
		"admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io":
		return false
	}
	return true
}
