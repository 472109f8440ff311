package k8s

import (
	"fmt"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/mooring-iac/mooring/k8s/rules"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// healthOf computes an object's health: by the rule that people wrote for its kind, else by what is known of the
// kind, else by kstatus' rules; where no Ready condition exists, Available counts. It knows nothing but the object.
// The message says what is waited for, or why it failed, in words of any length: whoever shows them masks and cuts.
func healthOf(o *unstructured.Unstructured, own rules.Rules) (Health, string) {
	if o == nil {
		return HealthNotFound, "it does not exist"
	}
	if o.GetDeletionTimestamp() != nil {
		return HealthTerminating, "it is being deleted"
	}
	group := o.GroupVersionKind().Group
	if rule := own.For(group, o.GetKind()); rule != nil {
		return ruleHealth(o, rule)
	}
	if of := healthOfKind[group+"/"+o.GetKind()]; of != nil {
		return of(o)
	}
	h, m := kstatus(o)
	if c := condition(o, "Ready"); h == HealthInProgress && c != nil && c["status"] != "True" && !isBehind(o) {
		m = words(c) // kstatus leaves the reason out
	}
	if h != HealthCurrent {
		return h, m
	}
	// kstatus looks at Ready alone, and not at the generation that a condition is about.
	for _, kind := range []string{"Ready", "Available"} {
		c := condition(o, kind)
		switch {
		case c == nil:
			continue
		case c["status"] != "True":
			return HealthInProgress, words(c)
		case isStale(o, c):
			return HealthInProgress, fmt.Sprintf("condition %s is about an earlier version", kind)
		}
		break
	}
	return HealthCurrent, ""
}

func kstatus(o *unstructured.Unstructured) (Health, string) {
	r, err := status.Compute(o)
	if err != nil {
		return HealthUnknown, err.Error()
	}
	if r.Status == status.CurrentStatus {
		return HealthCurrent, ""
	}
	return Health(r.Status), r.Message
}

func ruleHealth(o *unstructured.Unstructured, rule *rules.Rule) (Health, string) {
	if isBehind(o) {
		return HealthInProgress, "its controller has not seen this version yet"
	}
	v := rule.Evaluate(o.Object)
	message := v.Message
	switch {
	case v.Failed && message == "":
		return HealthFailed, "its health rule calls it failed"
	case v.Failed:
		return HealthFailed, message
	case v.Healthy:
		return HealthCurrent, ""
	case message == "":
		return HealthInProgress, "its health rule calls it not healthy yet"
	}
	return HealthInProgress, message
}

// isBehind tells whether the status speaks of an earlier version of the object.
func isBehind(o *unstructured.Unstructured) bool {
	observed, found, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	return found && observed < o.GetGeneration()
}

// isStale tells whether a condition does.
func isStale(o *unstructured.Unstructured, c map[string]any) bool {
	observed, ok := c["observedGeneration"].(int64)
	return ok && observed < o.GetGeneration()
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

// isCondition tells whether a condition is there and has the status.
func isCondition(o *unstructured.Unstructured, kind, status string) bool {
	c := condition(o, kind)
	return c != nil && c["status"] == status
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

// hasHealth tells the kinds that become something after they were accepted from those that simply are. An Ingress
// is among the latter because many controllers never write an address into its status, a CronJob because it has
// nothing to do until its time comes.
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
