package mooring.pack.plan_test

import data.mooring.pack.given
import data.mooring.pack.plan

test_dark if {
	every rc in [
		given.dark("a.b", {}, {"x": true}),
		given.dark("a.b", {}, {"x": [false, true]}),
		given.dark("a.b", {}, {"x": {"y": {"z": true}}}),
		given.made("a.b", {"x": "(sensitive)"}),
		given.made("a.b", {"x": ["(sensitive)"]}),
		given.made("a.b", {"x": {"y": ["(sensitive)"]}}),
	] {
		plan.dark(rc, "x")
		not plan.dark(rc, "y")
	}
	every rc in [
		given.made("a.b", {"x": true}),
		given.dark("a.b", {"x": [1]}, {"x": [false]}),
		given.change("a.b", ["delete"], {}, null, {}),
		given.change("a.b", ["delete"], {}, null, false),
	] {
		not plan.dark(rc, "x")
	}
}

test_after if {
	plan.after(given.made("a.b", {"x": false}), "x") == false
	plan.after(given.made("a.b", {"x": null}), "x") == null
	plan.after(given.made("a.b", {}), "x") == null
	plan.after(given.gone("a.b"), "x") == null
}

test_subject if {
	plan.subject({"address": "a.b"}) == "a.b"
	plan.subject({}) == "a resource without an address"
}

test_every_list_of_actions_that_terraform_has if {
	writes := [["create"], ["update"], ["delete", "create"], ["create", "delete"], ["create", "forget"], ["melt"], [], null]
	every actions in writes {
		count(plan.written) == 1 with input as {"resource_changes": [given.change("a.b", actions, {}, {}, {})]}
	}
	destroys := [["delete"], ["delete", "create"], ["create", "delete"], ["melt"], [], null]
	every actions in destroys {
		count(plan.gone) == 1 with input as {"resource_changes": [given.change("a.b", actions, {}, {}, {})]}
	}
	every actions in [["no-op"], ["read"], ["forget"]] {
		count(plan.written) + count(plan.gone) == 0 with input as {"resource_changes": [given.change("a.b", actions, {}, {}, {})]}
	}
}
