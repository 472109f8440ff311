package mooring.pack.kubernetes.host_namespaces_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.host_namespaces

test_hit_in_every_workload if {
	every field in ["hostNetwork", "hostPID", "hostIPC"] {
		every workload in given.in_pod({field: true}) {
			found := host_namespaces.ask with input as workload
			some f in found
			count(found) == 1
			endswith(f.msg, sprintf("%s is true", [field]))
		}
	}
}

test_miss if {
	every workload in given.in_pod({"hostNetwork": false, "hostPID": null, "containers": []}) {
		found := (host_namespaces.deny | host_namespaces.ask) | host_namespaces.warn with input as workload
		count(found) == 0
	}
	other := host_namespaces.ask with input as given.thing("v1", "Service", "s", {"spec": {"hostNetwork": true}})
	count(other) == 0
}

test_tuning if {
	pod := given.pod({"hostNetwork": true, "hostPID": true})
	found := host_namespaces.deny with input as pod with data.settings as {"kubernetes.host_namespaces": {"effect": "deny", "namespaces": ["hostPID"]}}
	count(found) == 1
	warned := host_namespaces.warn with input as pod with data.settings as {"kubernetes.host_namespaces": {"effect": "warn"}}
	count(warned) == 2
	new := host_namespaces.ask with input as pod
		with data.mooring.live as {"v1/Pod/shop/web": given.pod({"hostNetwork": true})}
		with data.settings as {"kubernetes.host_namespaces": {"existing": false}}
	given.said(new) == {"v1 Pod shop/web: hostPID is true"}
}

test_tuning_wrong if {
	found := host_namespaces.deny with input as given.pod({}) with data.settings as {"kubernetes.host_namespaces": {"nonsense": 1}}
	given.said(found) == {`kubernetes.host_namespaces is set wrongly: it has no setting "nonsense"`}
}
