package mooring.pack.kubernetes.stateful_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.stateful

claim := {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"}}

test_hit if {
	every verb, says in {"delete": "deletes", "prune": "prunes", "recreate": "deletes and makes again"} {
		found := stateful.ask with input as given.set([{"verb": verb, "ref": "v1 PersistentVolumeClaim shop/data", "object": null, "live": claim}])
		given.said(found) == {sprintf("v1 PersistentVolumeClaim shop/data: %s a PersistentVolumeClaim", [says])}
	}
}

test_hit_by_reference_alone if {
	refs := {
		"v1 PersistentVolume pv": "v1 PersistentVolume pv: deletes a PersistentVolume",
		"v1 Namespace shop": "v1 Namespace shop: deletes a Namespace",
		"apiextensions.k8s.io/v1 CustomResourceDefinition a.acme.io": "apiextensions.k8s.io/v1 CustomResourceDefinition a.acme.io: deletes a CustomResourceDefinition",
		"snapshot.storage.k8s.io/v1 VolumeSnapshot shop/s": "snapshot.storage.k8s.io/v1 VolumeSnapshot shop/s: deletes a VolumeSnapshot",
	}
	every ref, msg in refs {
		found := stateful.ask with input as given.set([{"verb": "delete", "ref": ref, "object": null}])
		given.said(found) == {msg}
	}
}

test_hit_stateful_set_that_deletes_its_claims if {
	set := given.thing("apps/v1", "StatefulSet", "db", {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}})
	found := stateful.ask with input as given.set([{"verb": "delete", "ref": "x", "live": set}])
	given.said(found) == {"apps/v1 StatefulSet shop/db: deletes a StatefulSet"}
}

test_unknown_verb_or_kind if {
	found := stateful.ask with input as given.set([{"verb": "melt", "ref": "v1 PersistentVolumeClaim shop/data"}, {"ref": "v1 PersistentVolumeClaim shop/more"}])
	given.said(found) == {
		"v1 PersistentVolumeClaim shop/data: does something unknown to a PersistentVolumeClaim",
		"v1 PersistentVolumeClaim shop/more: does something unknown to a PersistentVolumeClaim",
	}
	nameless := stateful.ask with input as given.set([{"verb": "delete"}])
	given.said(nameless) == {"an object: is deleted, and its kind is not known"}
}

test_miss if {
	every object_ in [
		given.set([{"verb": "create", "object": claim}, {"verb": "configure", "object": claim, "live": claim}]),
		given.set([{"verb": "delete", "ref": "v1 ConfigMap shop/c"}]),
		given.set([{"verb": "delete", "ref": "apps/v1 StatefulSet shop/db", "live": given.thing("apps/v1", "StatefulSet", "db", {"spec": {}})}]),
		given.set(null),
		claim,
		object.union(given.set([{"verb": "delete", "live": claim}]), {"apiVersion": "acme.io/v1"}),
	] {
		found := (stateful.deny | stateful.ask) | stateful.warn with input as object_
		count(found) == 0
	}
}

test_tuning if {
	database := {"verb": "delete", "ref": "postgresql.cnpg.io/v1 Cluster shop/db"}
	found := stateful.deny with input as given.set([database]) with data.settings as {"kubernetes.stateful": {"effect": "deny", "kinds": ["Cluster.postgresql.cnpg.io"]}}
	count(found) == 1
	ignored := stateful.ask with input as given.set([{"verb": "delete", "ref": "v1 Namespace shop"}]) with data.settings as {"kubernetes.stateful": {"ignore_kinds": ["Namespace"]}}
	count(ignored) == 0
	warned := stateful.warn with input as given.set([{"verb": "delete", "live": claim}]) with data.settings as {"kubernetes.stateful": {"effect": "warn"}}
	count(warned) == 1
}

test_tuning_wrong if {
	found := stateful.deny with input as given.pod({}) with data.settings as {"kubernetes.stateful": {"nonsense": 1}}
	given.said(found) == {`kubernetes.stateful is set wrongly: it has no setting "nonsense"`}
}
