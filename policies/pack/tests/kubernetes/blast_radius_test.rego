package mooring.pack.kubernetes.blast_radius_test

import data.mooring.pack.given
import data.mooring.pack.kubernetes.blast_radius

many(n, verb) := [{"verb": verb, "ref": sprintf("v1 ConfigMap shop/%s-%d", [verb, i])} | some i in numbers.range(1, n)]

live(n) := {sprintf("v1/ConfigMap/shop/%d", [i]): {} | some i in numbers.range(1, n)}

test_hit if {
	deleted := blast_radius.ask with input as given.set(array.concat(many(11, "delete"), many(10, "prune"))) with data.mooring.live as live(100)
	given.said(deleted) == {"set shop: deletes 21 objects, more than 20"}
	changed := blast_radius.ask with input as given.set(array.concat(many(99, "configure"), many(2, "recreate"))) with data.mooring.live as live(100)
	given.said(changed) == {"set shop: changes or deletes 101 objects, more than 100"}
	share := blast_radius.ask with input as given.set(many(6, "delete")) with data.mooring.live as live(11)
	given.said(share) == {"set shop: deletes 6 of 11 objects, more than 50%"}
}

test_miss if {
	every changes in [many(500, "create"), many(500, "keep"), many(100, "configure"), many(5, "delete")] {
		found := (blast_radius.deny | blast_radius.ask) | blast_radius.warn with input as given.set(changes) with data.mooring.live as live(10)
		count(found) == 0
	}
	object_ := blast_radius.ask with input as given.thing("v1", "ConfigMap", "c", {"changes": many(500, "delete")})
	count(object_) == 0
}

test_unknown_verb if {
	found := blast_radius.ask with input as given.set(many(21, "melt"))
	count(found) == 1
}

test_tuning if {
	found := blast_radius.deny with input as given.set(many(3, "delete")) with data.mooring.live as live(4)
		with data.settings as {"kubernetes.blast_radius": {"effect": "deny", "deleted": 2, "changed": 2, "share": 0.25, "existing": 2}}
	count(found) == 3
	warned := blast_radius.warn with input as given.set(many(21, "delete")) with data.settings as {"kubernetes.blast_radius": {"effect": "warn"}}
	count(warned) == 1
}

test_tuning_wrong if {
	found := blast_radius.deny with input as given.pod({}) with data.settings as {"kubernetes.blast_radius": {"nonsense": 1}}
	given.said(found) == {`kubernetes.blast_radius is set wrongly: it has no setting "nonsense"`}
}
