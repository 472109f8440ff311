package k8s

import "strings"

// Stages, in the order they are applied. What others need comes first, what can block others comes last.
const (
	stageCRD       = iota // waited for until Established
	stageNamespace        //
	stageCluster          // cluster-scoped and built in: roles, classes, volumes
	stageConfig           // what workloads read or run as
	stageCustom           // custom resources
	stageRest             // workloads, services and everything else
	stageAdmission        // webhooks and API services: in force only once what serves them was applied
	stages
)

// stageOf places an object by its kind.
func stageOf(item Item) int {
	switch item.Kind {
	case "CustomResourceDefinition":
		return stageCRD
	case "Namespace":
		return stageNamespace
	case "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding":
		return stageAdmission
	case "ServiceAccount", "ConfigMap", "Secret", "Role", "RoleBinding", "PersistentVolumeClaim", "LimitRange", "ResourceQuota":
		return stageConfig
	}
	switch {
	case !isBuiltIn(item.Group):
		return stageCustom
	case item.Namespace == "":
		return stageCluster
	}
	return stageRest
}

// isBuiltIn tells Kubernetes' own groups from those of custom resources.
func isBuiltIn(group string) bool {
	if !strings.Contains(group, ".") {
		return true // "", apps, batch, autoscaling, policy, extensions
	}
	switch group {
	case "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io",
		"authorization.k8s.io", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
		"flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
		"rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io":
		return true
	}
	return false
}
