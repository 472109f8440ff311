package mooring.pack.kubernetes.privileged_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.privileged

specs := {
	`container "a" is privileged`: {"containers": [{"name": "a", "securityContext": {"privileged": true}}]},
	`init container "b" is privileged`: {"containers": [{"name": "a"}], "initContainers": [{"name": "b", "securityContext": {"privileged": true}}]},
	`ephemeral container "c" is privileged`: {"containers": [], "ephemeralContainers": [{"name": "c", "securityContext": {"privileged": true}}]},
	`container "d" adds the capability SYS_ADMIN`: {"containers": [{"name": "d", "securityContext": {"capabilities": {"add": ["SYS_ADMIN", "NET_BIND_SERVICE"]}}}]},
	`container "e" adds the capability cap_all`: {"containers": [{"name": "e", "securityContext": {"capabilities": {"add": ["cap_all"]}}}]},
	`container "f" runs as a HostProcess of Windows`: {"containers": [{"name": "f", "securityContext": {"windowsOptions": {"hostProcess": true}}}]},
	`the pod runs as a HostProcess of Windows`: {"securityContext": {"windowsOptions": {"hostProcess": true}}, "containers": [{"name": "g"}]},
}

test_hit_in_every_workload if {
	every why, spec in specs {
		every workload in given.in_pod(spec) {
			found := privileged.ask with input as workload
			some f in found
			count(found) == 1
			endswith(f.msg, sprintf("%s: %s", [f.subject, why]))
		}
	}
}

test_hit_reference if {
	found := privileged.ask with input as given.thing("apps/v1", "Deployment", "web", {"spec": {"template": {"spec": {"containers": [{"name": "a", "securityContext": {"privileged": true}}]}}}})
	given.said(found) == {`apps/v1 Deployment shop/web: container "a" is privileged`}
}

test_miss if {
	every spec in [
		{"containers": [{"name": "a"}]},
		{"containers": [{"name": "a", "securityContext": null}], "securityContext": null, "initContainers": null},
		{"containers": [{"name": "a", "securityContext": {"privileged": false, "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}}]},
	] {
		every workload in given.in_pod(spec) {
			found := (privileged.deny | privileged.ask) | privileged.warn with input as workload
			count(found) == 0
		}
	}
	other := privileged.ask with input as given.thing("v1", "ConfigMap", "c", {"data": {"privileged": "true"}})
	count(other) == 0
	set := privileged.ask with input as given.set([])
	count(set) == 0
}

test_tuning if {
	pod := given.pod({"containers": [{"name": "a", "securityContext": {"capabilities": {"add": ["SYS_TIME"]}}}]})
	found := privileged.deny with input as pod with data.settings as {"kubernetes.privileged": {"effect": "deny", "capabilities": ["sys_time"]}}
	count(found) == 1
	warned := privileged.warn with input as pod with data.settings as {"kubernetes.privileged": {"effect": "warn", "capabilities": ["ALL", "SYS_TIME"]}}
	count(warned) == 1
	excepted := privileged.ask with input as given.pod(specs["container \"a\" is privileged"]) with data.settings as {"kubernetes.privileged": {"except": ["v1 Pod shop/*"]}}
	count(excepted) == 0
}

test_tuning_existing if {
	spec := specs["container \"a\" is privileged"]
	live := {"v1/Pod/shop/web": given.pod(spec)}
	said := privileged.ask with input as given.pod(spec) with data.mooring.live as live
	count(said) == 1
	silent := privileged.ask with input as given.pod(spec) with data.mooring.live as live with data.settings as {"kubernetes.privileged": {"existing": false}}
	count(silent) == 0
	fresh := privileged.ask with input as given.pod(spec) with data.mooring.live as {} with data.settings as {"kubernetes.privileged": {"existing": false}}
	count(fresh) == 1
	denied := privileged.deny with input as given.pod(spec) with data.settings as {"kubernetes.privileged": {"existing": "no"}}
	count(denied) == 1
}

test_tuning_wrong if {
	found := privileged.deny with input as given.pod({}) with data.settings as {"kubernetes.privileged": {"nonsense": 1}}
	given.said(found) == {`kubernetes.privileged is set wrongly: it has no setting "nonsense"`}
}
