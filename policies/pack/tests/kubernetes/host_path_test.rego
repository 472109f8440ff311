package mooring.pack.kubernetes.host_path_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.host_path

mounting(path) := {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": path}]}

volume(path) := {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": {"hostPath": path}}

test_hit_in_every_workload if {
	every workload in given.in_pod(mounting({"path": "/var/run"})) {
		found := host_path.ask with input as workload
		some f in found
		count(found) == 1
		endswith(f.msg, ": mounts /var/run of the node")
	}
}

test_hit_persistent_volume if {
	found := host_path.ask with input as volume({"path": "/data"})
	given.said(found) == {"v1 PersistentVolume pv: mounts /data of the node"}
}

test_hit_without_a_path if {
	found := host_path.ask with input as given.pod(mounting({}))
	count(found) == 1
}

test_miss if {
	every object_ in [
		given.pod({"volumes": null}),
		given.pod({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": null}]}),
		volume(null),
		given.thing("v1", "ConfigMap", "c", {}),
	] {
		found := (host_path.deny | host_path.ask) | host_path.warn with input as object_
		count(found) == 0
	}
}

test_tuning if {
	settings := {"kubernetes.host_path": {"paths": ["/var/log/", "/opt"]}}
	every path in ["/var/log", "/var/log/pods", "/opt"] {
		found := host_path.ask with input as given.pod(mounting({"path": path})) with data.settings as settings
		count(found) == 0
	}
	every path in ["/var/logs", "/var/log/../lib", "/", "/optional"] {
		found := host_path.ask with input as given.pod(mounting({"path": path})) with data.settings as settings
		count(found) == 1
	}
	denied := host_path.deny with input as volume({"path": "/data"}) with data.settings as {"kubernetes.host_path": {"effect": "deny"}}
	count(denied) == 1
	warned := host_path.warn with input as volume({"path": "/data"}) with data.settings as {"kubernetes.host_path": {"effect": "warn"}}
	count(warned) == 1
}

test_tuning_existing if {
	live := {"v1/PersistentVolume//pv": volume({"path": "/data"})}
	found := host_path.ask with input as volume({"path": "/data"}) with data.mooring.live as live with data.settings as {"kubernetes.host_path": {"existing": false}}
	count(found) == 0
}

test_tuning_wrong if {
	found := host_path.deny with input as given.pod({}) with data.settings as {"kubernetes.host_path": {"nonsense": 1}}
	given.said(found) == {`kubernetes.host_path is set wrongly: it has no setting "nonsense"`}
}
