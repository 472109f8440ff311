package mooring.pack.kubernetes.protected_namespaces_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.protected_namespaces

within(namespace) := {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace}}

itself(name) := {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}

test_hit if {
	found := protected_namespaces.ask with input as within("kube-system")
	given.said(found) == {"v1 ConfigMap kube-system/c: is in the namespace kube-system"}
	namespace := protected_namespaces.ask with input as itself("kube-public")
	count(namespace) == 1
}

test_hit_deleted if {
	every change in [
		{"verb": "prune", "ref": "v1 ConfigMap kube-system/c", "object": null, "live": within("kube-system")},
		{"verb": "delete", "ref": "v1 ConfigMap kube-system/c", "object": null, "live": null},
		{"verb": "recreate", "ref": "v1 ConfigMap kube-system/c", "object": within("kube-system")},
	] {
		found := protected_namespaces.ask with input as given.set([change])
		given.said(found) == {"v1 ConfigMap kube-system/c: is deleted from the namespace kube-system"}
	}
}

test_miss if {
	every object_ in [
		within("shop"),
		itself("shop"),
		{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-system"}},
		{"apiVersion": "acme.io/v1", "kind": "Namespace", "metadata": {"name": "kube-system"}},
		given.set([{"verb": "delete", "ref": "v1 ConfigMap shop/c"}, {"verb": "create", "ref": "v1 ConfigMap kube-system/c", "object": within("kube-system")}]),
	] {
		found := (protected_namespaces.deny | protected_namespaces.ask) | protected_namespaces.warn with input as object_
		count(found) == 0
	}
}

test_tuning if {
	found := protected_namespaces.deny with input as within("infra-dns") with data.settings as {"kubernetes.protected_namespaces": {"effect": "deny", "namespaces": ["infra-*"]}}
	count(found) == 1
	warned := protected_namespaces.warn with input as within("kube-system") with data.settings as {"kubernetes.protected_namespaces": {"effect": "warn"}}
	count(warned) == 1
	old := protected_namespaces.ask with input as within("kube-system")
		with data.mooring.live as {"v1/ConfigMap/kube-system/c": within("kube-system")}
		with data.settings as {"kubernetes.protected_namespaces": {"existing": false}}
	count(old) == 0
}

test_tuning_wrong if {
	found := protected_namespaces.deny with input as given.pod({}) with data.settings as {"kubernetes.protected_namespaces": {"nonsense": 1}}
	given.said(found) == {`kubernetes.protected_namespaces is set wrongly: it has no setting "nonsense"`}
}
