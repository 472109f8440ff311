package mooring.pack.kubernetes.limits_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.limits

bounded := {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}

test_hit_in_every_workload if {
	every field, what in {"containers": "container", "initContainers": "init container"} {
		every workload in given.in_pod({field: [{"name": "a", "resources": {"limits": {"cpu": "1"}}}]}) {
			found := limits.warn with input as workload
			some f in found
			count(found) == 1
			endswith(f.msg, sprintf("%s %q has no limit of memory", [what, "a"]))
		}
	}
}

test_hit_nothing_at_all if {
	every resources in [{}, null, {"limits": null}, {"requests": {"cpu": "1", "memory": "1Gi"}}] {
		found := limits.warn with input as given.pod({"containers": [{"name": "a", "resources": resources}]})
		given.said(found) == {`v1 Pod shop/web: container "a" has no limit of cpu, limit of memory`}
	}
}

test_miss if {
	every spec in [
		{"containers": [object.union({"name": "a"}, bounded)]},
		object.union({"containers": [{"name": "a"}]}, bounded), # of the pod as a whole
		{"containers": [object.union({"name": "a"}, bounded)], "ephemeralContainers": [{"name": "debug"}]},
	] {
		found := (limits.deny | limits.ask) | limits.warn with input as given.pod(spec)
		count(found) == 0
	}
}

test_tuning if {
	pod := given.pod({"containers": [{"name": "a", "resources": {"limits": {"memory": "1Gi"}}}]})
	less := limits.warn with input as pod with data.settings as {"kubernetes.limits": {"limits": ["memory"]}}
	count(less) == 0
	more := limits.deny with input as pod with data.settings as {"kubernetes.limits": {"effect": "deny", "limits": [], "requests": ["cpu"]}}
	given.said(more) == {`v1 Pod shop/web: container "a" has no request of cpu`}
	asked := limits.ask with input as pod with data.settings as {"kubernetes.limits": {"effect": "ask"}}
	count(asked) == 1
	old := limits.warn with input as pod with data.mooring.live as {"v1/Pod/shop/web": pod} with data.settings as {"kubernetes.limits": {"existing": false}}
	count(old) == 0
}

test_tuning_wrong if {
	found := limits.deny with input as given.pod({}) with data.settings as {"kubernetes.limits": {"nonsense": 1}}
	given.said(found) == {`kubernetes.limits is set wrongly: it has no setting "nonsense"`}
}
