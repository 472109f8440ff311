package mooring.pack.terraform.blast_radius_test

import data.mooring.pack.given
import data.mooring.pack.terraform.blast_radius

many(n, verb) := [rc | some i in numbers.range(1, n); rc := one(verb, sprintf("null_resource.%s_%d", [verb, i]))]

one("gone", address) := given.gone(address)

one("replaced", address) := given.replaced(address)

one("updated", address) := given.updated(address, {})

one("still", address) := given.still(address)

one("made", address) := given.made(address, {})

plan(changes) := {"resource_changes": changes}

test_hit_destroyed if {
	found := blast_radius.ask with input as plan(array.concat(many(6, "gone"), array.concat(many(5, "replaced"), many(50, "still"))))
	given.said(found) == {"plan: destroys or replaces 11 resources, more than 10"}
}

test_hit_changed if {
	found := blast_radius.ask with input as plan(array.concat(many(51, "updated"), many(60, "still")))
	given.said(found) == {"plan: changes or destroys 51 resources, more than 50"}
}

test_hit_share if {
	found := blast_radius.ask with input as plan(array.concat(many(6, "updated"), many(5, "still")))
	given.said(found) == {"plan: changes or destroys 6 of 11 resources, more than 50%"}
}

test_miss if {
	every changes in [
		many(500, "made"),
		many(500, "still"),
		many(9, "updated"), # all of few
		array.concat(many(5, "updated"), many(5, "still")),
		array.concat(many(10, "gone"), many(20, "still")),
	] {
		found := blast_radius.ask with input as plan(changes)
		count(found) == 0
	}
}

test_miss_deposed if {
	changes := [object.union(rc, {"deposed": "x"}) | some rc in many(20, "gone")]
	found := blast_radius.ask with input as plan(changes)
	count(found) == 0
}

test_unknown_action if {
	changes := [object.union(rc, {"change": {"actions": ["melt"]}}) | some rc in many(11, "still")]
	found := blast_radius.ask with input as plan(changes)
	"plan: destroys or replaces 11 resources, more than 10" in given.said(found)
}

test_tuning if {
	changes := array.concat(many(3, "gone"), many(7, "still"))
	found := blast_radius.warn with input as plan(changes)
		with data.settings as {"terraform.blast_radius": {"effect": "warn", "destroyed": 2, "changed": 2, "share": 0.25, "existing": 5}}
	count(found) == 3
	denied := blast_radius.deny with input as plan(changes)
		with data.settings as {"terraform.blast_radius": {"effect": "deny", "destroyed": 2}}
	count(denied) == 1
}

test_tuning_wrong if {
	found := blast_radius.deny with input as {} with data.settings as {"terraform.blast_radius": {"nonsense": 1}}
	given.said(found) == {`terraform.blast_radius is set wrongly: it has no setting "nonsense"`}
}
